"""One worker: pages of pending documents through the mapper into the tables, a batch at a time."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from typing import TypeVar

import psutil
import sqlalchemy as sa

from provenir_lab.mapping.contract import Contract
from provenir_lab.mapping.plan import Mapper, compile_mapper
from provenir_lab.processing.commit import Committer, Failure
from provenir_lab.processing.logs import log_batch, log_failures_committed
from provenir_lab.processing.outcome import Share, Tally
from provenir_lab.processing.patience import Patience, patiently
from provenir_lab.processing.pipeline import ahead
from provenir_lab.processing.preparation import Batch, Page, Preparation
from provenir_lab.settings import Settings
from provenir_lab.storage.database import ConnectionCounts, cancel_reading, connection_counts, open_engine
from provenir_lab.storage.log import logged
from provenir_lab.storage.prefix import PrefixLength
from provenir_lab.storage.schema import Target
from provenir_lab.storage.source import Pending
from provenir_lab.storage.writer import Session, Writer

T = TypeVar("T")


@dataclass(frozen=True)
class Job:
    """All that a worker needs to know, in this process or another one."""

    url: str = field(repr=False)
    """May hold a password."""
    contract: Contract
    target: Target
    settings: Settings
    session: Session

    def patience(self, sleep: Callable[[float], None] = time.sleep) -> Patience:
        """For one kind of work of this run."""
        return Patience(self.settings.retry_seconds, sleep, session=self.session.session_id)

    def patiently(self, work: Callable[[], T]) -> T:
        """What `work` returns, tried until no passing failure ends it. Raises DatabaseError at the limit."""
        return patiently(work, self.patience())


@dataclass(frozen=True, slots=True)
class Span:
    """A range of app_ids, both ends included; None is open. `limit`: at most so many documents of it."""

    first: int | None = None
    last: int | None = None
    limit: int | None = None


def never() -> bool:
    """A `stopping` that never asks to stop."""
    return False


class Worker:
    """Holds what is built once: engine, mapper, writer. Close it after use.

    Making one may ask the database, and waits for it like all work. Raises DatabaseError if it stays away.
    """

    def __init__(self, job: Job) -> None:
        self._job = job
        settings = job.settings
        self._engine = open_engine(job.url, settings)
        self._mapper = _mapper(job)
        self._writer = _writer(job, self._engine, self._mapper.columns)
        self._prefix_length = PrefixLength()
        self._counted = ConnectionCounts()
        self._process = psutil.Process()
        self._peak_memory = 0.0
        self._name = f"{platform.node()}:{os.getpid()}"

    def close(self) -> None:
        self._engine.dispose()

    def run(
        self,
        span: Span,
        on_batch: Callable[[Tally], None] = lambda tally: None,
        stopping: Callable[[], bool] = never,
        *,
        hand_back: bool = False,
        tally: Tally | None = None,
    ) -> Tally:
        """Processes the pending documents of `span`. Safe to repeat: what is logged is not pending any more.

        `on_batch` is called after every commit. Once `stopping` answers True no further batch is begun, and
        failures that are not logged yet stay pending. With `hand_back` the failures of a span without any
        success are not logged but `held` in the tally: other spans tell whether everything fails. `tally`,
        a fresh one, is counted in and returned: it has what was done also when this raises.
        """
        job = self._job
        tally = Tally() if tally is None else tally
        tally.begun, tally.write_method = time.perf_counter(), self._writer.method
        committer = Committer(
            self._writer,
            lambda ids: logged(self._engine, job.target, ids),
            job.session,
            job.settings.stop_after_failures,
            tally,
            job.patience(),
        )
        done, number = tally.marks(), 0
        with self._measuring(tally), self._batches(span, tally) as batches:
            for batch in batches:
                if stopping():
                    break
                number += 1
                tally.add_seconds(batch.seconds)
                tally.characters_read += batch.characters_read
                tally.bytes_parsed += batch.bytes_parsed
                committer.commit(batch.documents, batch.failures)
                tally.unknown_codes.update(batch.unknown_codes)
                self._note_memory()
                before, done = done, tally.marks()
                log_batch(job.session.session_id, number, batch, _difference(before, done), committer.held)
                on_batch(tally)
                del batch  # its rows go before those of the next one come (enumerate would keep them)
            else:
                if hand_back and not tally.succeeded:
                    tally.held = {failure[0]: failure for failure in committer.held}
                elif committer.flush():
                    log_failures_committed(job.session.session_id, _difference(done, tally.marks()))
                    on_batch(tally)
        return tally

    @contextmanager
    def _measuring(self, tally: Tally) -> Iterator[None]:
        """Adds to `tally` what the work inside takes of this process, however it ends."""
        begun, cpu = time.perf_counter(), time.process_time()
        try:
            yield
        finally:
            tally.cpu_seconds += time.process_time() - cpu
            worked = time.perf_counter() - begun
            tally.by_worker[self._name] = Share(tally.documents, worked, self._peak_memory)
            self._count_connections(tally)

    @contextmanager
    def _batches(self, span: Span, tally: Tally) -> Iterator[Iterator[Batch]]:
        """The batches of a span; with `prefetch`, threads read and map on while one is written."""
        settings = self._job.settings

        def pending(first: int | None) -> Pending:
            return Pending(self._engine, self._job.target, first, span.last)

        def stop() -> None:
            preparation.stop()
            cancel_reading(self._engine)

        preparation = Preparation(self._mapper, pending, settings, self._prefix_length, self._job.patience)
        with preparation:
            if not settings.prefetch:
                yield map(preparation.batch, preparation.pages(span.first, span.limit))
                return
            pages = ahead(preparation.pages(span.first, span.limit), settings.prefetch)
            batches = ahead(_mapped(pages, preparation), settings.prefetch, stop)
            with closing(batches):
                yield _waiting(batches, tally)

    def _count_connections(self, tally: Tally) -> None:
        """Adds what came since the span before; the first one has what the start took."""
        now = replace(connection_counts(self._engine))
        tally.connects += now.connects - self._counted.connects
        tally.connection_uses += now.uses - self._counted.uses
        self._counted = now

    def _note_memory(self) -> None:
        memory = self._process.memory_info().rss / 1e6
        self._peak_memory = max(memory, self._peak_memory)


def log_failures(job: Job, failures: Sequence[Failure]) -> Tally:
    """Logs documents as failed that no worker could look at."""
    tally = Tally(begun=time.perf_counter())
    columns = {table: job.contract.columns_of(table) for table in job.contract.tables}
    engine = open_engine(job.url, job.settings)
    try:
        committer = Committer(
            _writer(job, engine, columns),
            lambda ids: logged(engine, job.target, ids),
            job.session,
            0,
            tally,
            job.patience(),
        )
        committer.commit([], failures)
    finally:
        engine.dispose()
    return tally


def _writer(job: Job, engine: sa.Engine, columns: Mapping[str, Sequence[str]]) -> Writer:
    """A writer; the engine is closed if there is none to be had."""
    try:
        return job.patiently(lambda: Writer(engine, job.target, columns, job.settings))
    except BaseException:
        engine.dispose()
        raise


def _mapper(job: Job) -> Mapper:
    contract, tables, settings = job.contract, job.target.tables, job.settings
    mode, limit = settings.parse_mode, settings.max_document_mb
    if settings.mapper_without == "none":
        return compile_mapper(contract, tables, parse_mode=mode, max_document_mb=limit)
    from provenir_lab.mapping.ablation import ablated_mapper

    return ablated_mapper(contract, tables, settings.mapper_without, parse_mode=mode, max_document_mb=limit)


def _difference(before: Mapping[str, float], after: Mapping[str, float]) -> dict[str, float]:
    return {name: round(value - before[name], 4) for name, value in after.items()}


def _mapped(pages: Generator[Page, None, None], preparation: Preparation) -> Iterator[Batch]:
    """The batches of `pages`, which are closed by the thread that takes them: no other one can."""
    with closing(pages):
        yield from map(preparation.batch, pages)


def _waiting(batches: Iterator[Batch], tally: Tally) -> Iterator[Batch]:
    """`batches`, with the seconds that the writer waits for them."""
    while True:
        begun = time.perf_counter()
        batch = next(batches, None)
        tally.add_seconds({"wait": time.perf_counter() - begun})
        if batch is None:
            return
        yield batch
        del batch  # as above
