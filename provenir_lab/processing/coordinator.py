"""Many workers: spans of documents submitted to processes, which end with their parent.

Spans may be run again at any time (what is logged is not pending any more), so a worker that died costs
nothing but time: a fresh pool takes the spans that were under way. Nothing but the results travels back; no
lock or queue is shared that a killed worker could hold for ever.
"""

from __future__ import annotations

import logging
import math
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence, Set
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from functools import partial
from multiprocessing import connection
from multiprocessing.process import BaseProcess
from types import TracebackType
from typing import Any, Protocol, Self

from provenir_lab.errors import LabError, fault
from provenir_lab.processing.commit import all_failed
from provenir_lab.processing.logs import configure_logging, facts
from provenir_lab.processing.outcome import Tally
from provenir_lab.processing.worker import Job, Span, Worker, log_failures
from provenir_lab.storage.database import open_engine
from provenir_lab.storage.source import Pending

_PipeEnd = Any
"""A `Connection`, on Windows a `PipeConnection`."""

BATCHES_PER_SPAN = 10
"""Largest span, in batches; larger past 50,000 batches. The coordinator hears of progress once a span."""
DEATHS_IN_A_ROW = 16
"""How many pools may break without any span being finished in between; more where it takes more to find the
one document of a span on which workers die."""
GRACE_SECONDS = 6.0
"""How long a worker that was asked to stop may finish its batch before it ends itself."""

_log = logging.getLogger(__name__)


class Pool(Protocol):
    """Workers that spans are handed to. Leaving the context ends their work."""

    running: dict[Future[Any], Span]
    """The spans without a result."""
    lost: list[Span]
    """The spans on which workers died."""

    @property
    def died(self) -> bool:
        """Whether a worker died, perhaps with nothing lost."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    @property
    def is_spent(self) -> bool:
        """Whether it should be replaced before more spans are begun."""

    def fill(self, queue: deque[Span]) -> None:
        """Hands out spans from the left of `queue`."""

    def finished(self) -> Iterator[Tally]:
        """Waits until a span is finished or lost; results first, then raises what a worker raised."""


def run_spans(
    job: Job,
    spans: Sequence[Span],
    total: Tally,
    on_span: Callable[[Tally], None],
    open_pool: Callable[[int], Pool] | None = None,
) -> None:
    """Runs every span with `job.settings.workers` workers; adds what they did to `total`.

    `open_pool` makes a pool of so many workers; None: of processes on this machine. `on_span` is called with
    `total` whenever a span is finished. On any exception, KeyboardInterrupt among them, all workers finish or
    roll back their batch and end; `total` then lacks the spans that were under way. Failures of a span in
    which nothing succeeds are logged once another span has a success, or all are done: so a run in which
    everything fails stops with nothing logged, however small its spans. A document on which workers die is
    found and logged as failed (`too_large`). Raises LabError when `stop_after_failures` documents in a row
    failed, and when workers keep dying all the same.
    """
    _Coordinator(job, total, on_span, open_pool or partial(_ProcessPool, job)).run(spans)


class _Coordinator:
    def __init__(
        self,
        job: Job,
        total: Tally,
        on_span: Callable[[Tally], None],
        open_pool: Callable[[int], Pool],
    ) -> None:
        self._job = job
        self._total = total
        self._on_span = on_span
        self._open_pool = open_pool
        self._deaths_in_a_row = 0
        # the span dies with others, alone, and then one of its halves each time
        halvings = math.ceil(math.log2(BATCHES_PER_SPAN * job.settings.batch_size))
        self._deaths_allowed = max(DEATHS_IN_A_ROW, halvings + 3)

    def run(self, spans: Sequence[Span]) -> None:
        waiting = deque(spans)
        suspects: deque[Span] = deque()
        while waiting or suspects:
            # suspects run one at a time: so it is known whose fault a death is
            queue, size = (suspects, 1) if suspects else (waiting, self._job.settings.workers)
            with self._open_pool(size) as pool:
                self._drain(pool, queue)
            if pool.died:
                self._note_death(pool.lost)
            if queue is waiting:
                suspects.extend(pool.lost)
            elif pool.lost:
                suspects.extendleft(reversed(self._halves(pool.lost[0])))
        self._log_held()

    def _drain(self, pool: Pool, queue: deque[Span]) -> None:
        """Runs the spans of `queue` until there is none, or the pool is due to be replaced."""
        while True:
            if not pool.is_spent:
                pool.fill(queue)
            if not pool.running:
                return
            for tally in pool.finished():
                self._deaths_in_a_row = 0
                self._add(tally)

    def _add(self, tally: Tally) -> None:
        self._total.add(tally)
        if tally.succeeded:
            self._log_held()
        elif 0 < self._job.settings.stop_after_failures <= len(self._total.held):
            raise all_failed(self._total.held.values())
        self._on_span(self._total)

    def _log_held(self) -> None:
        """Logs the failures of spans without any success: it is not that everything fails."""
        held, self._total.held = [*self._total.held.values()], {}
        if held:
            self._total.add(log_failures(self._job, held))
            self._on_span(self._total)

    def _note_death(self, lost: list[Span]) -> None:
        self._total.worker_deaths += 1
        self._deaths_in_a_row += 1
        told = facts(session=self._job.session.session_id, spans=len(lost))
        _log.warning("a worker process died; its spans are run again", extra=told)
        if self._deaths_in_a_row >= self._deaths_allowed:
            where = f", the last time between app_id {lost[0].first} and {lost[-1].last}" if lost else ""
            raise LabError(
                f"worker processes died {self._deaths_in_a_row} times in a row{where}: look at the memory of "
                "this machine, or run with fewer workers; running again goes on with what is pending"
            )

    def _halves(self, span: Span) -> list[Span]:
        """What to try in place of a span that killed its worker: nothing, once it is a single document."""
        job = self._job
        engine = open_engine(job.url, job.settings)
        try:
            pending = Pending(engine, job.target, span.first, span.last)
            halves = job.patiently(lambda: pending.ranges(2))
        finally:
            engine.dispose()
        if len(halves) == 1:
            reason = "worker processes died on this document, out of memory perhaps"
            self._add(log_failures(job, [(halves[0][0], "too_large", reason)]))
            return []
        return [Span(first, last) for first, last in halves]


class _ProcessPool:
    """Worker processes of this machine that can be stopped. A death breaks the pool: all it ran is lost."""

    def __init__(self, job: Job, size: int) -> None:
        context = multiprocessing.get_context("spawn")
        self._stop_reader, self._stop_writer = context.Pipe(duplex=False)
        # one more span for each worker than it works on, so that none has to wait; a suspect stays alone
        self._in_flight = 2 * size if size > 1 else 1
        self._documents_left = size * job.settings.recycle_after or math.inf
        self._executor = ProcessPoolExecutor(
            size, mp_context=context, initializer=_start_worker, initargs=(job, self._stop_reader)
        )
        self.running: dict[Future[Tally], Span] = {}
        self.lost: list[Span] = []
        self.died = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stop_writer.close()  # the workers see the end of the pipe
        # a shut-down executor forgets both
        processes = [*(self._executor._processes or {}).values()]
        manager: Any = self._executor._executor_manager_thread
        self._executor.shutdown(wait=False, cancel_futures=True)
        _end(processes)
        if manager is not None:
            manager.join()
        self._stop_reader.close()

    @property
    def is_spent(self) -> bool:
        """Whether it is broken, or its workers have done as many documents as they should."""
        return self.died or self._documents_left <= 0

    def fill(self, queue: deque[Span]) -> None:
        while queue and len(self.running) < self._in_flight:
            span = queue.popleft()
            try:
                with _interrupts_held():  # starts workers
                    self.running[self._executor.submit(_run_span, span)] = span
            except BrokenProcessPool:  # since a result was waited for; what runs tells it when it is asked
                queue.appendleft(span)
                self.died = True
                return

    def finished(self) -> Iterator[Tally]:
        done: Set[Future[Tally]] = set()
        while not done:  # on Windows only a wait with an end can be interrupted
            done, _ = wait(self.running, timeout=0.5, return_when=FIRST_COMPLETED)
        for future in sorted(done, key=lambda f: f.exception() is not None):
            try:
                tally = future.result()
            except BrokenProcessPool:
                self.died = True
                self.lost = list(self.running.values())
                self.running.clear()
                return
            del self.running[future]
            self._documents_left -= tally.documents
            yield tally


@contextmanager
def _interrupts_held() -> Iterator[None]:
    """Ctrl-C reaches the whole terminal: processes started in here do not see it, from their beginning on."""
    if sys.platform == "win32":
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _end(processes: Sequence[BaseProcess]) -> None:
    """Waits for workers that were asked to stop, and kills who cannot hear it (stopped, or hanging)."""
    deadline = time.monotonic() + GRACE_SECONDS + 1
    left = {process.sentinel: process for process in processes}
    while left and (patience := deadline - time.monotonic()) > 0:
        for sentinel in connection.wait([*left], timeout=patience):
            del left[sentinel]  # type: ignore[arg-type]
    for process in left.values():
        process.kill()


# ---- inside a worker process


class _Here:
    """What this worker process holds."""

    job: Job
    worker: Worker | None = None
    stopping = threading.Event()


def _start_worker(job: Job, stop: _PipeEnd) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides
    if sys.platform != "win32":
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    threading.Thread(target=_watch, args=(stop,), daemon=True).start()
    configure_logging(job.settings)
    _Here.job = job


def _watch(stop: _PipeEnd) -> None:
    """Ends this process at once if its parent is gone, soon if it is asked to stop."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    ready = connection.wait([parent.sentinel, stop])
    if parent.sentinel not in ready:
        _Here.stopping.set()
        connection.wait([parent.sentinel], timeout=GRACE_SECONDS)
    os._exit(1)


def _run_span(span: Span) -> Tally:
    try:
        # not when the process starts: an error there would look like its death
        if _Here.worker is None:
            _Here.worker = Worker(_Here.job)
        return _Here.worker.run(span, stopping=_Here.stopping.is_set, hand_back=True)
    except LabError:
        raise
    except Exception as unexpected:
        raise fault(unexpected, "a worker") from None
