"""Many workers: spans of documents submitted to processes, which end with their parent.

Spans may be run again at any time (what is logged is not pending any more), so a worker that died costs
nothing but time: a fresh pool takes the spans that were under way. Nothing but the results travels back; no
lock or queue is shared that a killed worker could hold for ever.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import connection

from provenir_lab.errors import LabError
from provenir_lab.processing.outcome import Tally
from provenir_lab.processing.worker import Job, Span, Worker

DEATHS = 3
"""How many pools may break, one after the other, without any span being finished in between."""
GRACE_SECONDS = 6.0
"""How long a worker that was asked to stop may finish its batch before it ends itself."""

_log = logging.getLogger(__name__)


def run_spans(
    job: Job,
    spans: Sequence[Span],
    on_span: Callable[[Tally], None],
) -> Tally:
    """Runs every span in one of `job.settings.workers` processes; returns what they add up to.

    `on_span` is called with the sum so far whenever a span is finished. On any exception, KeyboardInterrupt
    among them, all workers finish or roll back their batch and end. Raises LabError when workers keep dying.
    """
    total = Tally()
    waiting = deque(spans)
    deaths = 0
    while waiting:
        with _Pool(job) as pool:
            try:
                while waiting or pool.running:
                    pool.fill(waiting)
                    for tally in pool.finished():
                        deaths = 0
                        total.add(tally)
                        on_span(total)
            except BrokenProcessPool:
                deaths += 1
                total.worker_deaths += 1
                lost = pool.lost()
                waiting.extendleft(reversed(lost))
                _log.warning("a worker process died; %d spans are run again", len(lost))
                if deaths >= DEATHS:
                    raise LabError(
                        f"worker processes died {deaths} times in a row between app_id {lost[0].first} and "
                        f"{lost[-1].last}: look at the memory of this machine, or run with fewer workers; "
                        "running again goes on with what is pending"
                    ) from None
    return total


class _Pool:
    """A process pool whose workers can be stopped. Leaving the context ends them all."""

    def __init__(self, job: Job) -> None:
        context = multiprocessing.get_context("spawn")
        self._stop_reader, self._stop_writer = context.Pipe(duplex=False)
        self._size = job.settings.workers
        self._executor = ProcessPoolExecutor(
            self._size, mp_context=context, initializer=_start_worker, initargs=(job, self._stop_reader)
        )
        self.running: dict[Future[Tally], Span] = {}

    def __enter__(self) -> _Pool:
        return self

    def __exit__(self, *_: object) -> None:
        self._stop_writer.close()  # the workers see the end of the pipe
        self._executor.shutdown(wait=True, cancel_futures=True)
        self._stop_reader.close()

    def fill(self, waiting: deque[Span]) -> None:
        """Hands out spans until every worker has one, and one more each so that none has to wait."""
        while waiting and len(self.running) < 2 * self._size:
            span = waiting.popleft()
            self.running[self._executor.submit(_run_span, span)] = span

    def finished(self) -> Iterator[Tally]:
        """Waits for at least one span; results first, then raises what a worker raised."""
        done, _ = wait(self.running, return_when=FIRST_COMPLETED)
        for future in sorted(done, key=lambda f: f.exception() is not None):
            tally = future.result()
            del self.running[future]
            yield tally

    def lost(self) -> list[Span]:
        """The spans without a result."""
        return list(self.running.values())


# ---- inside a worker process


class _Here:
    """What this worker process holds."""

    worker: Worker
    stopping = threading.Event()


def _start_worker(job: Job, stop: connection.Connection) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole terminal; the parent decides
    threading.Thread(target=_watch, args=(stop,), daemon=True).start()
    _Here.worker = Worker(job)


def _watch(stop: connection.Connection) -> None:
    """Ends this process at once if its parent is gone, soon if it is asked to stop."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    ready = connection.wait([parent.sentinel, stop])
    if parent.sentinel not in ready:
        _Here.stopping.set()
        connection.wait([parent.sentinel], timeout=GRACE_SECONDS)
    os._exit(1)


def _run_span(span: Span) -> Tally:
    return _Here.worker.run(span, stopping=_Here.stopping.is_set)
