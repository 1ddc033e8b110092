"""A fault of this program in a worker, whose text holds all rows of a batch."""

from __future__ import annotations

from typing import Any

from provenir_lab.processing import coordinator
from provenir_lab.processing.cluster import Report, run_span
from provenir_lab.processing.worker import Job, Span
from provenir_lab.storage.writer import Writer


def fail(*rows: Any) -> Any:
    """Takes the place of a writer's step."""
    raise ValueError(f"{rows}")


def start_worker(job: Job, stop: Any) -> None:
    """Starts a worker process that has the fault."""
    Writer._settle = fail  # type: ignore[method-assign]
    coordinator._start_worker(job, stop)


def run_span_on_dask(last: int, job: Job, span: Span, password_env: str | None = None) -> Report:
    """Takes the place of `run_span` in workers of Dask: the span of the last document has the fault."""
    if span.last == last:
        Writer._settle = fail  # type: ignore[method-assign]
    return run_span(job, span, password_env)
