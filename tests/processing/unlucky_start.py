"""Workers whose database fails in passing while they are made; SQL Server is asked things then."""

from __future__ import annotations

from typing import Any

from provenir_lab.errors import TransientError
from provenir_lab.processing import coordinator, patience, worker
from provenir_lab.processing.cluster import Report, run_span
from provenir_lab.processing.worker import Job, Span
from provenir_lab.storage.writer import Writer


def no_writer(*_: Any) -> Writer:
    """What a database answers that stays away."""
    raise TransientError("made up")


def be_unlucky() -> None:
    """Gives this process a writer at the third attempt."""
    failures = iter([TransientError("made up")] * 2)

    def writer(*arguments: Any) -> Writer:
        for failure in failures:
            raise failure
        return Writer(*arguments)

    worker.Writer = writer  # type: ignore[assignment,misc]
    patience.FIRST_PAUSE = 0.001


def start_unlucky(job: Job, stop: Any) -> None:
    """Starts a worker process."""
    be_unlucky()
    coordinator._start_worker(job, stop)


def start_in_vain(job: Job, stop: Any) -> None:
    """Starts a worker process whose database stays away."""
    worker.Writer = no_writer  # type: ignore[assignment,misc]
    coordinator._start_worker(job, stop)


def run_unlucky_span(_: str, job: Job, span: Span, password_env: str | None = None) -> Report:
    """Takes the place of `run_span` in a worker of Dask."""
    be_unlucky()
    try:
        return run_span(job, span, password_env)
    finally:
        worker.Writer = Writer  # type: ignore[misc]
