"""Databases for all tests, real ones and fresh for each test; how property tests choose their examples."""

from __future__ import annotations

import itertools
import logging
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from hypothesis import settings
from places import Place, drop_sqlserver_schema, with_mssql_python
from postgres_server import PostgresServer, Unavailable
from small_disk import SmallDisk, Unmountable

# The same examples every time, so that a failing run is a change's doing; new ones at night.
settings.register_profile("steady", derandomize=True)
settings.load_profile("default" if os.environ.get("PROVENIR_LAB_NIGHTLY") == "1" else "steady")

# What a shell starts in the background ignores Ctrl-C, and so would all that the tests start and interrupt.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

_numbers = itertools.count(1)

SLOW = (
    "lab/test_campaign.py", "lab/test_compare_code.py", "lab/test_gates.py", "lab/test_interrupt.py",
    "lab/test_keep.py", "lab/test_session.py", "repository/test_benchmarks.py", "repository/test_docs.py",
    "notebooks/test_notebooks.py", "notebooks/test_experiment_notebooks.py", "processing/test_dask.py",
    "processing/test_faults.py", "processing/test_kills.py", "processing/test_processor.py",
    "browser/test_jupyterlab.py", "browser/test_pages.py",
)  # fmt: skip
"""Files that take longest. They come first: several processes then end at about the same time."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    slow = {Path(__file__).parent / name for name in SLOW}
    items.sort(key=lambda item: item.path not in slow)


@pytest.fixture(autouse=True)
def logging_as_before() -> Iterator[None]:
    """Commands set up the package's log, and `caplog` wants it as it was."""
    logger = logging.getLogger("provenir_lab")
    before = logger.handlers[:], logger.propagate, logger.level
    yield
    logger.handlers[:], logger.propagate, level = before
    logger.setLevel(level)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """A PostgreSQL server for this test process, started when the first test asks for it."""
    try:
        server = PostgresServer()
    except Unavailable as reason:
        pytest.skip(str(reason))
    yield server
    server.remove()


@pytest.fixture
def postgres_url(postgres_server: PostgresServer) -> Iterator[str]:
    """The URL of a new, empty PostgreSQL database."""
    name = f"test_{next(_numbers)}"
    yield postgres_server.create_database(name)
    postgres_server.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def small_disk() -> Iterator[SmallDisk]:
    """A disk of 64 MB; only root can mount one, and not everywhere."""
    try:
        disk = SmallDisk()
    except Unmountable as reason:
        pytest.skip(str(reason))
    yield disk
    disk.remove()


@pytest.fixture
def most_pages() -> Iterator[list[int]]:
    """While it holds a number, SQLite databases may not grow beyond so many pages."""
    limit: list[int] = []

    def set_limit(connection: object, _: object) -> None:
        if limit:
            connection.execute(f"PRAGMA max_page_count={limit[0]}").close()  # type: ignore[attr-defined]

    sa.event.listen(sa.pool.Pool, "connect", set_limit)
    yield limit
    sa.event.remove(sa.pool.Pool, "connect", set_limit)


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """The URL of a SQLite database whose file does not exist yet."""
    return f"sqlite:///{(tmp_path / 'lab.db').as_posix()}"


@pytest.fixture
def sqlserver_schema() -> Iterator[tuple[str, str]]:
    """The SQL Server that PROVENIR_LAB_TEST_SQLSERVER names, and the name of a schema that it lacks."""
    url = os.environ.get("PROVENIR_LAB_TEST_SQLSERVER")
    if not url:
        pytest.skip("PROVENIR_LAB_TEST_SQLSERVER names no SQL Server")
    schema = f"lab_{os.getpid()}_{next(_numbers)}"
    yield url, schema
    drop_sqlserver_schema(url, schema)


@pytest.fixture(params=["sqlite", "postgresql", "mssql", "mssqlpython"])
def place(request: pytest.FixtureRequest) -> Place:
    """An empty place on each kind of database in turn; SQL Server only where one is named, by two drivers."""
    kind: str = request.param
    if kind == "sqlite":
        return Place(request.getfixturevalue("sqlite_url"), None, kind)
    if kind == "postgresql":
        return Place(request.getfixturevalue("postgres_url"), "lab", kind)
    url, schema = request.getfixturevalue("sqlserver_schema")
    if kind == "mssqlpython":
        pytest.importorskip("mssql_python")
        url = with_mssql_python(url)
    return Place(url, schema, "mssql")
