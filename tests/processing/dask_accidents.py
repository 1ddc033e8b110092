"""A Dask cluster in a process of its own (`python dask_accidents.py WORKERS`), and what befalls its workers.

The functions take the place of `run_span` in a worker; `marker` is a file that lets an accident happen once.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Any

from provenir_lab.processing.cluster import Report, _cancellation, run_span
from provenir_lab.processing.worker import Job, Span
from provenir_lab.storage.writer import Writer


def happens(marker: str) -> bool:
    """True for the first who asks, in whatever process."""
    try:
        Path(marker).touch(exist_ok=False)
    except FileExistsError:
        return False
    return True


def die_in_a_batch(marker: str, job: Job, span: Span, password_env: str | None = None) -> Report:
    """One worker dies in its second batch, after the rows were sent and before they are committed."""
    batches = 0
    verify: Any = Writer._verify

    def die(*arguments: Any) -> Any:
        nonlocal batches
        batches += 1
        if batches == 2 and happens(marker):
            os._exit(9)
        return verify(*arguments)

    Writer._verify = die  # type: ignore[method-assign]
    try:
        return run_span(job, span, password_env)
    finally:
        Writer._verify = verify  # type: ignore[method-assign]


def die_when_asked(marker: str, job: Job, span: Span, password_env: str | None = None) -> object:
    """One worker finishes its span, and dies when Dask asks for the result."""
    return Fragile(run_span(job, span, password_env), marker)


class Fragile:
    def __init__(self, report: Report, marker: str) -> None:
        self.report, self.marker = report, marker

    def __reduce__(self) -> tuple[Any, ...]:
        if happens(self.marker):
            os._exit(9)
        return _unchanged, (self.report,)


def _unchanged(report: Report) -> Report:
    return report


def die_on(deadly: int, job: Job, span: Span, password_env: str | None = None) -> Report:
    """One document kills every worker that meets it."""
    if span.first <= deadly <= span.last:  # type: ignore[operator]
        os._exit(9)
    return run_span(job, span, password_env)


def tell_url(file: str, job: Job, span: Span, password_env: str | None = None) -> Report:
    """Notes the database's URL as it reached the worker."""
    Path(file).write_text(job.url, encoding="utf-8")
    return run_span(job, span, password_env)


def work_until_cancelled(begun: str, stopped: str) -> None:
    """What asks, between its batches, whether it is still wanted."""
    cancelled = _cancellation()
    Path(begun).touch()
    while not cancelled():
        time.sleep(0.01)
    Path(stopped).touch()


def main() -> None:
    from distributed import LocalCluster

    with LocalCluster(
        n_workers=int(sys.argv[1]),
        threads_per_worker=1,
        processes=True,
        host="127.0.0.1",
        dashboard_address=None,
    ) as cluster:
        print(cluster.scheduler_address, flush=True)
        sys.stdin.read()  # until the tests close it


if __name__ == "__main__":
    main()
