"""One run of the processor: the pending documents of a database into its tables, by one worker or many."""

from __future__ import annotations

import datetime as dt
import logging
import random
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import partial
from math import ceil

import sqlalchemy as sa

from provenir_lab.errors import CATEGORIES, LabError, UsageError, fault, origin
from provenir_lab.mapping.contract import Contract
from provenir_lab.processing.cluster import Dask, open_cluster
from provenir_lab.processing.coordinator import BATCHES_PER_SPAN, Pool, run_spans
from provenir_lab.processing.logs import facts
from provenir_lab.processing.outcome import Outcome, Tally, outcome_of
from provenir_lab.processing.place import fitted
from provenir_lab.processing.worker import Job, Span, Worker
from provenir_lab.progress import Progress, Step, silent
from provenir_lab.settings import Settings, suggestion
from provenir_lab.storage.database import masked, open_engine
from provenir_lab.storage.log import newest_session, outcomes, reopen_failed
from provenir_lab.storage.schema import Target
from provenir_lab.storage.source import Pending
from provenir_lab.storage.writer import Session, utc_now

_MOST_PIECES = 50_000
"""Of more documents than so many batches, pieces are longer than a batch."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Request:
    """Which documents a run takes: all pending ones, at most `limit`, or an inclusive range of app_ids."""

    limit: int | None = None
    app_id_start: int | None = None
    app_id_end: int | None = None
    retry_failed: bool = False
    """Whether failed documents (of `retry_category`, None: of any) are made pending again first."""
    retry_category: str | None = None
    allow_contract_change: bool = False
    """Whether it is meant that the last run here used another contract."""

    def check(self) -> None:
        """Raises UsageError for a request that makes no sense."""
        if self.limit is not None and self.limit < 1:
            raise UsageError(f"limit {self.limit}: give at least 1")
        if self.retry_category is not None and self.retry_category not in CATEGORIES:
            advice = suggestion(self.retry_category, CATEGORIES, "categories")
            raise UsageError(f"no document fails as {self.retry_category}: {advice}")
        if (self.app_id_start is None) != (self.app_id_end is None):
            raise UsageError("a range needs both ends: give app_id_start and app_id_end")
        if self.app_id_start is not None and self.app_id_end is not None:
            if self.limit is not None:
                raise UsageError("give a limit or a range of app_ids, not both")
            if not 1 <= self.app_id_start <= self.app_id_end:
                raise UsageError(
                    f"range {self.app_id_start} to {self.app_id_end}: start at 1 or more, end not before"
                )


def process(
    url: str,
    contract: Contract,
    target: Target,
    settings: Settings,
    request: Request | None = None,
    *,
    dask: Dask | None = None,
    progress: Progress = silent,
    now: Callable[[], dt.datetime] = utc_now,
    rng: random.Random | None = None,
    on_end: Callable[[Outcome, str | None], None] = lambda outcome, ended_early: None,
) -> Outcome:
    """Processes the documents of `request`; returns when all of them have an outcome in the log.

    `dask` asks for workers on a Dask cluster; None: in processes of this machine. `on_end` is called when the
    run ends, with its outcome and None; when it ends early (unless it was refused as a UsageError) with what
    came of it so far, and `interrupted` or the line of the error. With many workers that lacks the spans
    that were under way; what they have committed stands in the log.

    A run that ends early (any exception, a kill) leaves every document wholly written and logged, or pending;
    running again goes on from there. Raises UsageError for a request that makes no sense, PreflightError for
    tables that the contract does not fit, DatabaseError when the database stays away, LabError when all
    documents fail or workers keep dying, Fault for an unexpected error of a worker.
    """
    request = request or Request()
    request.check()
    first, last = request.app_id_start, request.app_id_end
    session = Session(session_id(contract, now(), rng or random.SystemRandom()), first, last)
    tally, repeated = Tally(), 0
    described: str | None = None
    engine = open_engine(url, settings)
    try:
        job = Job(url, contract, target, settings, session)
        target = job.patiently(partial(fitted, engine, target, contract, masked(url)))
        job = replace(job, target=target)
        if not request.allow_contract_change:
            job.patiently(partial(_check_contract, engine, target, contract))
        if request.retry_failed:
            reopen = partial(reopen_failed, engine, target, request.retry_category, first, last)
            job.patiently(reopen)
        pending = Pending(engine, target, first, last)
        found = job.patiently(pending.count)
        wanted = found if request.limit is None else min(found, request.limit)
        repeated = job.patiently(pending.repeated) if request.limit is None else 0
        if repeated:
            told = facts(session=session.session_id, rows=repeated)
            _log.warning("source rows repeat an app_id and are not read: keep one row of each", extra=told)
        with open_cluster(dask, url, settings) if dask else nullcontext() as cluster:
            if cluster:
                settings = settings.model_copy(update={"workers": cluster.size})
                job = replace(job, settings=settings)
                described = cluster.description
            spans = []
            if wanted and (cluster or settings.workers > 1):
                spans = job.patiently(partial(_cut, pending, wanted, request.limit, settings))

            def report(tally: Tally) -> None:
                failed = tally.failed.total()
                notes = (f"{failed} failed" if failed else "", described or "")
                progress(Step("process", tally.documents, wanted, ", ".join(filter(None, notes))))

            if cluster and spans:
                report(tally)  # tells where the dashboard is
                _run_many(job, spans, tally, report, partial(cluster.pool, job))
            elif spans:  # of a single document too: workers may die on it
                _run_many(job, spans, tally, report)
            else:
                _run_one(job, Span(first, last, request.limit), tally, report)
        if tally.worker_deaths or dask:  # batches of a dead worker are logged, but their counts died with it
            # what is done stands in the log: a database that fails in passing now costs no outcome
            succeeded, failed = job.patiently(lambda: outcomes(engine, target, session.session_id))
            tally.succeeded, tally.failed = succeeded, Counter(failed)
    except UsageError:  # nothing was begun
        raise
    except BaseException as error:
        on_end(outcome_of(tally, session.session_id, settings, repeated, described), _told(error))
        raise
    finally:
        engine.dispose()
    outcome = outcome_of(tally, session.session_id, settings, repeated, described)
    on_end(outcome, None)
    return outcome


def session_id(contract: Contract, now: dt.datetime, rng: random.Random) -> str:
    """`YYYYMMDD_HHMMSS-<contract fingerprint>-<4 random hex digits>`, a `SESSION_ID`; `now` is UTC."""
    return f"{now:%Y%m%d_%H%M%S}-{contract.fingerprint}-{rng.randrange(16**4):04x}"


def _check_contract(engine: sa.Engine, target: Target, contract: Contract) -> None:
    """Raises UsageError if the last run used another contract; sessions of other programs are no concern."""
    match = newest_session(engine, target)
    if match and match[1] != contract.fingerprint:
        raise UsageError(
            f"the last run here used another contract ({match[1]}, this is {contract.fingerprint}); tables "
            "would hold rows of both: clean first, or say that it is meant with --allow-contract-change"
        )


def _told(error: BaseException) -> str:
    """How a run ended, in a line without the text of a foreign error, which may hold values."""
    if isinstance(error, LabError):
        return str(error)
    return f"unexpected {origin(error)}" if isinstance(error, Exception) else "interrupted"


def _run_one(job: Job, span: Span, tally: Tally, report: Callable[[Tally], None]) -> None:
    of_caller: list[Exception] = []

    def tell(tally: Tally) -> None:
        try:
            report(tally)
        except Exception as error:
            of_caller.append(error)
            raise

    try:
        worker = Worker(job)
        try:
            worker.run(span, tell, tally=tally)
        finally:
            worker.close()
    except LabError:
        raise
    except Exception as unexpected:
        if unexpected in of_caller:  # no worker raised it, so it stays as it is
            raise
        raise fault(unexpected, "a worker") from None


def _run_many(
    job: Job,
    spans: list[Span],
    tally: Tally,
    report: Callable[[Tally], None],
    open_pool: Callable[[int], Pool] | None = None,
) -> None:
    cpu = time.process_time()
    try:
        run_spans(job, spans, tally, report, open_pool)
    finally:
        tally.cpu_seconds += time.process_time() - cpu


def _cut(pending: Pending, documents: int, limit: int | None, settings: Settings) -> list[Span]:
    """The pending documents as spans that get shorter towards the end, so that all workers end together.

    This is guided self-scheduling (Polychronopoulos & Kuck 1987, IEEE Transactions on Computers C-36) in
    pieces of a batch.
    """
    piece = max(settings.batch_size, ceil(documents / _MOST_PIECES))
    workers = settings.workers  # as many pieces for each: where there are few, all end together all the same
    pieces = pending.ranges(workers * ceil(documents / (workers * piece)), limit)
    return spans_of(pieces, workers, max(1, BATCHES_PER_SPAN * settings.batch_size // piece))


def spans_of(pieces: Sequence[tuple[int, int]], workers: int, longest: int) -> list[Span]:
    """`pieces` (first and last app_id of each, in order) as spans of at most `longest` of them."""
    spans, start = [], 0
    while start < len(pieces):
        length = max(1, min(longest, (len(pieces) - start) // (2 * workers)))
        spans.append(Span(pieces[start][0], pieces[start + length - 1][1]))
        start += length
    return spans
