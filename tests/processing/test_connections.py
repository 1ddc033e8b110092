"""What the outcome says of connections, for every setting of the pool."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import pytest
from labs import documents, new_lab
from postgres_server import PostgresServer

READS, WRITES = 11, 10
"""Of 100 documents in batches of 10: the last read finds nothing."""


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest) -> str:
    return str(request.getfixturevalue({"sqlite": "sqlite_url", "postgresql": "postgres_url"}[request.param]))


def test_connections_are_kept_or_made_anew_as_the_setting_says(url: str, tmp_path: Path) -> None:
    lab = new_lab(url, documents(100), batch_size=10, fetch="whole")
    kept = lab.process(metrics=tmp_path)
    assert (kept.connects, kept.reuses) == (1, READS + WRITES - 1)
    lab.clean()
    anew = lab.process(pool="none")
    assert (anew.connects, anew.reuses) == (READS + WRITES, 0)
    (file,) = tmp_path.glob("*.json")
    metrics = json.loads(file.read_text())
    assert (metrics["connects"], metrics["reuses"]) == (kept.connects, kept.reuses)


def test_connections_of_all_workers_are_counted(sqlite_url: str) -> None:
    lab = new_lab(sqlite_url, documents(100), batch_size=10, fetch="whole", workers=2, stop_after_failures=10)
    kept = lab.process()
    assert 1 <= kept.connects <= 2
    lab.clean()
    anew = lab.process(pool="none")
    assert (anew.connects, anew.reuses) == (kept.connects + kept.reuses, 0)


def test_connections_that_are_too_old_are_replaced(sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    lab = new_lab(sqlite_url, documents(100), batch_size=10, fetch="whole")
    clock = [0.0]
    monkeypatch.setattr("sqlalchemy.pool.base.time", SimpleNamespace(time=lambda: clock[0]))
    lab._progress = lambda step: clock.append(clock.pop() + 10.0)  # a batch takes ten seconds
    outcome = lab.process(pool_recycle_seconds=5)
    assert (outcome.connects, outcome.reuses) == (WRITES + 1, READS - 1)
    lab.clean()
    assert lab.process(pool_recycle_seconds=3600).connects == 1


def test_a_connection_that_died_is_replaced_before_its_use_by_the_ping(
    postgres_url: str, postgres_server: PostgresServer
) -> None:
    lab = new_lab(postgres_url, documents(100), batch_size=10, fetch="whole")
    cut = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname LIKE 'test%'"
    lab._progress = lambda step: postgres_server.execute(cut)
    outcome = lab.process(pool_pre_ping=True)
    assert (outcome.succeeded, outcome.retries) == (100, 0)
    assert outcome.connects == WRITES + 1
