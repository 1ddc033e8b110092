"""One worker: pages of pending documents through the mapper into the tables, a batch at a time."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import psutil

from provenir_lab.errors import Rejected
from provenir_lab.mapping.contract import Contract
from provenir_lab.mapping.plan import compile_mapper
from provenir_lab.processing.commit import Committer, Document, Failure
from provenir_lab.processing.outcome import Tally
from provenir_lab.settings import Settings
from provenir_lab.storage.database import open_engine
from provenir_lab.storage.log import logged
from provenir_lab.storage.schema import Target
from provenir_lab.storage.source import Pending
from provenir_lab.storage.writer import Session, Writer

Page = Sequence[tuple[int, str | None]]
"""Documents as the source holds them: app_id and text, in app_id order."""


@dataclass(frozen=True)
class Job:
    """All that a worker needs to know, in this process or another one."""

    url: str = field(repr=False)
    """May hold a password."""
    contract: Contract
    target: Target
    settings: Settings
    session: Session


@dataclass(frozen=True, slots=True)
class Span:
    """A range of app_ids, both ends included; None is open. `limit`: at most so many documents of it."""

    first: int | None = None
    last: int | None = None
    limit: int | None = None


@dataclass
class Batch:
    """What one page became, with the seconds that it took."""

    documents: list[Document] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    unknown_codes: Counter[tuple[str, str]] = field(default_factory=Counter)
    seconds: dict[str, float] = field(default_factory=dict)


def never() -> bool:
    """A `stopping` that never asks to stop."""
    return False


class Worker:
    """Holds what is built once: engine, mapper, writer. Close it after use."""

    def __init__(self, job: Job) -> None:
        self._job = job
        settings = job.settings
        self._engine = open_engine(job.url, settings)
        self._mapper = compile_mapper(
            job.contract,
            job.target.tables,
            parse_mode=settings.parse_mode,
            max_document_mb=settings.max_document_mb,
        )
        self._writer = Writer(self._engine, job.target, self._mapper.columns, settings)
        self._process = psutil.Process()

    def close(self) -> None:
        self._engine.dispose()

    def run(
        self,
        span: Span,
        on_batch: Callable[[Tally], None] = lambda tally: None,
        stopping: Callable[[], bool] = never,
    ) -> Tally:
        """Processes the pending documents of `span`. Safe to repeat: what is logged is not pending any more.

        `on_batch` is called after every commit. Once `stopping` answers True no further batch is begun, and
        failures that are not logged yet stay pending.
        """
        job = self._job
        tally = Tally(begun=time.perf_counter())
        cpu = time.process_time()
        committer = Committer(
            self._writer,
            lambda ids: logged(self._engine, job.target, ids),
            job.session,
            job.settings.stop_after_failures,
            tally,
        )
        for page, seconds in self._pages(span):
            if stopping():
                break
            batch = self._mapped(page, seconds)
            committer.commit(batch.documents, batch.failures)
            tally.add_seconds(batch.seconds)
            tally.unknown_codes.update(batch.unknown_codes)
            memory = self._process.memory_info().rss / 1e6
            tally.peak_memory[os.getpid()] = max(memory, tally.peak_memory.get(os.getpid(), 0.0))
            on_batch(tally)
        else:
            if committer.flush():
                on_batch(tally)
        tally.cpu_seconds = time.process_time() - cpu
        return tally

    def _pages(self, span: Span) -> Iterator[tuple[Page, float]]:
        """Pages of at most a batch, each with the seconds that fetching took."""
        pending = Pending(self._engine, self._job.target, span.first, span.last)
        begun = time.perf_counter()
        for page in pending.pages(self._job.settings.batch_size, span.limit):
            yield page, time.perf_counter() - begun
            begun = time.perf_counter()

    def _mapped(self, page: Page, fetching: float) -> Batch:
        """The page's documents as rows, or as failures."""
        batch = Batch()
        mapper, clock = self._mapper, time.perf_counter
        parsing = mapping = 0.0
        for app_id, text in page:
            begun = clock()
            parsed: float | None = None
            try:
                root = mapper.parse(text)
                parsed = clock()
                batch.documents.append((app_id, mapper.rows(root, app_id)))
            except Rejected as rejected:
                batch.failures.append((app_id, rejected.category, rejected.reason))
            except MemoryError:
                batch.failures.append((app_id, "too_large", "the document needs more memory than there is"))
            ended = clock()
            parsing += (parsed or ended) - begun
            mapping += ended - (parsed or ended)
        batch.seconds = {"fetch": fetching, "parse": parsing, "map": mapping}
        batch.unknown_codes.update(mapper.unknown_codes)
        mapper.unknown_codes.clear()
        return batch
