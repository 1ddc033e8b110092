"""A database that fails while workers are made: waited for like at any other time, and no worker's death."""

import pytest
import unlucky_start
from labs import digests, documents, failed, new_lab

from provenir_lab.errors import DatabaseError
from provenir_lab.processing import coordinator, patience, worker
from provenir_lab.storage.writer import Writer


@pytest.mark.parametrize("workers", [1, 2])
def test_a_passing_failure_at_the_start_is_waited_for(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch, workers: int
) -> None:
    lab = new_lab(sqlite_url, documents(20), workers=workers, batch_size=5, stop_after_failures=5)
    monkeypatch.setattr(coordinator, "_start_worker", unlucky_start.start_unlucky)
    monkeypatch.setattr(worker, "Writer", Writer)  # put back at the end
    monkeypatch.setattr(patience, "FIRST_PAUSE", patience.FIRST_PAUSE)
    unlucky_start.be_unlucky()
    outcome = lab.process()
    assert (outcome.succeeded, outcome.failed, outcome.worker_deaths) == (20, {}, 0)


def test_a_database_that_stays_away_blames_no_document(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab = new_lab(sqlite_url, documents(20), workers=2, batch_size=5, stop_after_failures=5, retry_seconds=0)
    before = digests(lab)
    monkeypatch.setattr(coordinator, "_start_worker", unlucky_start.start_in_vain)
    with pytest.raises(DatabaseError, match="the database is unavailable"):
        lab.process()
    assert failed(lab) == {}
    assert digests(lab) == before
