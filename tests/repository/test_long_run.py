"""The long run, made short: it generates, processes, checks and writes what it found."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.long_run import Window

ROOT = Path(__file__).parents[2]


def long_run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "benchmarks.long_run", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("workers", [1, 2])
def test_a_short_one(tmp_path: Path, workers: int) -> None:
    file = tmp_path / "long.json"
    asked = ("--documents", "1500", "--profile", "compact", "--workers", str(workers))
    done = long_run(*asked, "--rounds", str(workers), "--json", str(file))
    assert done.returncode == 0, done.stderr
    found = json.loads(file.read_text(encoding="utf-8"))
    assert [one["outcome"]["succeeded"] for one in found["rounds"]] == [1500] * workers
    assert found["problems"] == []
    assert found["arguments"] == {
        "documents": 1500, "profile": "compact", "workers": workers, "rounds": workers, "database": "sqlite"
    }  # fmt: skip
    figures = {figure["name"]: figure["value"] for figure in found["figures"]}
    rate = figures["documents a second"]
    assert figures["records a minute"] == pytest.approx(60 * rate)
    forecast = figures["forecast for 11,000,000 such documents, as measured here"]
    assert forecast == pytest.approx(11_000_000 / rate / 3600)
    assert 10 < found["megabytes"] < 40
    for one in found["rounds"]:
        assert sum(part["documents"] for part in one["outcome"]["slices"]) == 1500
    assert file.stat().st_size < 20_000, "small enough for git"


def test_a_place_that_is_taken_is_refused(tmp_path: Path) -> None:
    url = f"sqlite:///{(tmp_path / 'lab.db').as_posix()}"
    asked = ("--documents", "20", "--profile", "compact", "--workers", "1", "--database", url)
    assert long_run(*asked, "--json", str(tmp_path / "a.json")).returncode == 0
    again = long_run(*asked, "--json", str(tmp_path / "b.json"))
    assert again.returncode == 2
    assert again.stderr.startswith("error: the database is")


def test_the_growth_of_workers_that_were_replaced_is_not_made_up() -> None:
    assert Window(first={1: 100.0, 2: 80.0}, last={2: 120.0, 3: 900.0}).growth == 1.5
    assert Window(first={1: 100.0}, last={2: 120.0}).growth is None
