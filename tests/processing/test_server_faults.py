"""A server that cuts connections or restarts in the middle of a run: nothing is lost or doubled."""

from __future__ import annotations

import pytest
from labs import digests, documents, new_lab
from postgres_server import PostgresServer

from provenir_lab.api import Lab
from provenir_lab.errors import DatabaseError
from provenir_lab.processing import patience
from provenir_lab.progress import Step


@pytest.fixture
def lab(postgres_url: str) -> Lab:
    return new_lab(postgres_url, documents(100), batch_size=10)


@pytest.fixture
def expected(tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    undisturbed = new_lab(f"sqlite:///{tmp_path_factory.mktemp('expected') / 'lab.db'}", documents(100))
    undisturbed.process()
    return dict(digests(undisturbed))


CUT = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
    "WHERE pid <> pg_backend_pid() AND datname LIKE 'test%'"
)


@pytest.mark.parametrize("prefetch", [0, 2])
def test_connections_cut_after_every_batch(
    lab: Lab, postgres_server: PostgresServer, expected: dict[str, object], prefetch: int
) -> None:
    lab._progress = lambda step: postgres_server.execute(CUT)
    outcome = lab.process(prefetch=prefetch)
    assert (outcome.succeeded, outcome.failed, outcome.skipped) == (100, {}, 0)
    assert outcome.retries + outcome.stages["wait"] > 0
    assert digests(lab) == expected


@pytest.mark.parametrize("workers", [1, 2])
def test_a_server_that_crashes_and_comes_back(
    lab: Lab, postgres_server: PostgresServer, expected: dict[str, object], workers: int
) -> None:
    crashes: list[int] = []

    def crash(step: Step) -> None:
        if not crashes:
            crashes.append(step.done)
            postgres_server.stop("immediate")
            postgres_server.start()

    lab._progress = crash
    outcome = lab.process(workers=workers, stop_after_failures=10)
    assert crashes[0] < 100
    assert (outcome.succeeded, outcome.failed) == (100, {})
    assert digests(lab) == expected


def test_a_server_that_stays_away_ends_the_run_which_a_rerun_completes(
    lab: Lab, postgres_server: PostgresServer, expected: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(patience, "FIRST_PAUSE", 0.01)
    lab._progress = lambda step: postgres_server.stop("immediate") if step.done == 30 else None
    with pytest.raises(DatabaseError, match="the database is unavailable"):
        lab.process(retry_seconds=0)
    postgres_server.start()
    lab._progress = None
    assert lab.status().succeeded == 30
    assert lab.process().succeeded == 70
    assert digests(lab) == expected
