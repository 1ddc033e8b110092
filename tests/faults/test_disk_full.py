"""A disk that is full: the run ends in one clear line, fails no document, and goes on once there is space."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from labs import digests, documents, new_lab
from postgres_server import PostgresServer
from small_disk import SmallDisk

from provenir_lab.api import Lab
from provenir_lab.errors import DatabaseError
from provenir_lab.storage.digest import TableDigest

COUNT = 200


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> dict[str, TableDigest]:
    """The tables after a load that nothing disturbed."""
    lab = new_lab(f"sqlite:///{tmp_path_factory.mktemp('expected') / 'lab.db'}", documents(COUNT))
    lab.process()
    return digests(lab)


def assert_stopped_in_between(lab: Lab) -> None:
    status = lab.status()
    assert 0 < status.succeeded < COUNT
    assert status.succeeded + status.pending == COUNT
    assert status.failed == {}


@pytest.mark.parametrize("prefetch", [0, 2])
def test_a_database_file_that_may_not_grow(
    sqlite_url: str, most_pages: list[int], expected: dict[str, TableDigest], prefetch: int
) -> None:
    lab = new_lab(sqlite_url, documents(COUNT))
    lab.process(limit=20)
    most_pages.append(Path(lab.database.url.removeprefix("sqlite:///")).stat().st_size // 4096 + 40)
    with pytest.raises(DatabaseError, match="the disk is full: free space where the database file lies"):
        lab.process(batch_size=10, prefetch=prefetch)
    assert_stopped_in_between(lab)
    most_pages.clear()
    lab.process()
    assert digests(lab) == expected


@pytest.mark.parametrize("workers", [1, 2])
def test_a_full_disk_under_sqlite(
    small_disk: SmallDisk, expected: dict[str, TableDigest], workers: int
) -> None:
    lab = new_lab(f"sqlite:///{small_disk.path / 'lab.db'}", documents(COUNT))
    lab.process(limit=20)
    small_disk.leave(300_000)
    with pytest.raises(DatabaseError, match="free space"):
        lab.process(batch_size=10, workers=workers, stop_after_failures=10)
    assert lab.status().failed == {}
    small_disk.free()
    lab.process()
    assert digests(lab) == expected


LIMITED = (
    "import resource, sys\n"
    "from provenir_lab.cli import main\n"
    "resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]), int(sys.argv[1])))\n"
    "sys.exit(main(sys.argv[2:]))\n"
)


@pytest.mark.skipif(os.name == "nt", reason="Windows limits no file sizes")
def test_a_limit_of_file_sizes(sqlite_url: str, tmp_path: Path, expected: dict[str, TableDigest]) -> None:
    lab = new_lab(sqlite_url, documents(COUNT))
    lab.process(limit=20)
    arguments = ["process", "--quiet", "--database", sqlite_url, "--batch-size", "10", "--metrics"]
    script = [sys.executable, "-c", LIMITED, "200000", *arguments, str(tmp_path)]
    ended = subprocess.run(script, capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    assert ended.stderr.count("\n") == 1
    assert "free space" in ended.stderr
    assert_stopped_in_between(lab)
    lab.process()
    assert digests(lab) == expected


def test_a_full_disk_of_the_postgresql_server(
    postgres_server: PostgresServer, small_disk: SmallDisk, expected: dict[str, TableDigest]
) -> None:
    home = small_disk.path / "tablespace"
    home.mkdir()
    shutil.chown(home, "postgres")  # who mounts is root, under whom the server does not run
    postgres_server.execute(f"CREATE TABLESPACE small LOCATION '{home}'")
    postgres_server.execute("CREATE DATABASE on_small_disk TABLESPACE small")
    try:
        lab = new_lab(postgres_server.url("on_small_disk"), documents(COUNT))
        lab.process(limit=20)
        small_disk.leave(100_000)
        with pytest.raises(DatabaseError, match="the disk of the server is full: free space there"):
            lab.process(batch_size=10)
        assert_stopped_in_between(lab)
        small_disk.free()
        lab.process()
        assert digests(lab) == expected
    finally:
        postgres_server.execute("DROP DATABASE on_small_disk WITH (FORCE)")
        postgres_server.execute("DROP TABLESPACE small")
