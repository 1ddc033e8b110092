"""What came of a run: tallies that workers keep, and the outcome they add up to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

from provenir_lab.display import html_table
from provenir_lab.settings import Settings

STAGES = ("fetch", "parse", "map", "duplicate_check", "write", "commit", "wait")
"""Where the seconds of a run go. `wait` is a writer without work, or one that waits for a connection or for
SQLite's write lock, or the pause before a retry."""

SLICES = 10


@dataclass
class Share:
    """What one worker process did."""

    documents: int = 0
    seconds: float = 0.0
    """In which it worked on spans."""
    peak_memory_mb: float = 0.0
    """Largest resident memory, sampled after every batch."""

    def add(self, other: Share) -> None:
        self.documents += other.documents
        self.seconds += other.seconds
        self.peak_memory_mb = max(self.peak_memory_mb, other.peak_memory_mb)


@dataclass
class Tally:
    """Counts and times of one worker, or of several added up. Plain data: it travels between processes."""

    succeeded: int = 0
    failed: Counter[str] = field(default_factory=Counter)
    """Rejection category -> documents."""
    held: dict[int, tuple[int, str, str]] = field(default_factory=dict)
    """app_id -> (app_id, category, reason) of failures that wait to be logged: in case that all fail."""
    skipped: int = 0
    """Documents that another process had logged before this one could."""
    rows: Counter[str] = field(default_factory=Counter)
    duplicate_contacts: int = 0
    duplicate_keys: int = 0
    unknown_codes: Counter[tuple[str, str]] = field(default_factory=Counter)
    """(table, column) -> unknown codes that fell into a catch-all (C16)."""
    characters_read: int = 0
    """Of all texts; a beginning that was too short and the whole text after it both count."""
    bytes_parsed: int = 0
    """What was parsed of the documents that could be, as UTF-8."""
    retries: int = 0
    """Batches that were tried again after a transient database error."""
    connects: int = 0
    """Database connections that workers opened."""
    connection_uses: int = 0
    """How often workers took a connection, a new one or one that was kept."""
    write_method: str = ""
    """By which rows were written; empty before a worker told."""
    worker_deaths: int = 0
    """Process pools that broke because a worker died; its spans were run again."""
    stages: dict[str, float] = field(default_factory=lambda: dict.fromkeys(STAGES, 0.0))
    """Stage -> seconds, summed over workers."""
    cpu_seconds: float = 0.0
    by_worker: dict[str, Share] = field(default_factory=dict)
    """`machine:process id` -> what that worker did."""
    commits: list[tuple[float, int]] = field(default_factory=list)
    """(`time.perf_counter()` after the commit, documents of the batch); that clock is the machine's."""
    begun: float | None = None
    """`time.perf_counter()` before the first fetch."""

    @property
    def documents(self) -> int:
        return self.succeeded + self.failed.total()

    @property
    def seconds(self) -> float:
        """From the first fetch to the last commit; 0 if nothing was committed."""
        if self.begun is None or not self.commits:
            return 0.0
        return max(when for when, _ in self.commits) - self.begun

    def add_seconds(self, stages: Mapping[str, float]) -> None:
        for stage, seconds in stages.items():
            self.stages[stage] += seconds

    def marks(self) -> dict[str, float]:
        """What is done so far, by the names that log lines give it."""
        counts = {"documents": self.succeeded, "failed": self.failed.total(), "skipped": self.skipped}
        return {**counts, **{f"{stage}_seconds": spent for stage, spent in self.stages.items()}}

    def shift(self, seconds: float) -> None:
        """Brings the times of another machine to the clock of this one."""
        self.begun = None if self.begun is None else self.begun + seconds
        self.commits = [(when + seconds, documents) for when, documents in self.commits]

    def add(self, other: Tally) -> None:
        self.succeeded += other.succeeded
        self.skipped += other.skipped
        self.duplicate_contacts += other.duplicate_contacts
        self.duplicate_keys += other.duplicate_keys
        self.characters_read += other.characters_read
        self.bytes_parsed += other.bytes_parsed
        self.retries += other.retries
        self.connects += other.connects
        self.connection_uses += other.connection_uses
        self.write_method = self.write_method or other.write_method
        self.worker_deaths += other.worker_deaths
        self.failed.update(other.failed)
        self.held.update(other.held)
        self.rows.update(other.rows)
        self.unknown_codes.update(other.unknown_codes)
        self.add_seconds(other.stages)
        self.cpu_seconds += other.cpu_seconds
        self.commits += other.commits
        for process, share in other.by_worker.items():
            self.by_worker.setdefault(process, Share()).add(share)
        if other.begun is not None:
            self.begun = other.begun if self.begun is None else min(self.begun, other.begun)


@dataclass(frozen=True, slots=True)
class Slice:
    """A part of a run, so that decay shows: `documents` committed in `seconds`."""

    documents: int
    seconds: float

    @property
    def rec_per_min(self) -> float:
        return rate(self.documents, self.seconds)


@dataclass(frozen=True)
class Outcome:
    """One run of the processor."""

    session_id: str
    documents: int
    """Documents with an outcome in this run: succeeded + failed."""
    succeeded: int
    failed: Mapping[str, int]
    """Rejection category -> documents, most frequent first."""
    skipped: int
    """Documents that another process had logged before this one could."""
    source_duplicates: int
    """Pending source rows that repeat an app_id and are never read (C23); not counted under a limit."""
    rows: Mapping[str, int]
    """Table -> rows written."""
    duplicate_contacts: int
    duplicate_keys: int
    unknown_codes: Mapping[tuple[str, str], int]
    characters_read: int
    """Of all texts; a beginning that was too short and the whole text after it both count."""
    bytes_parsed: int
    """What was parsed of the documents that could be, as UTF-8."""
    retries: int
    """Batches that were tried again after a transient database error."""
    connects: int
    """Database connections that workers opened."""
    reuses: int
    """How often a connection that was kept open was used again (see the settings `pool...`)."""
    worker_deaths: int
    """How often worker processes died and were replaced; `rows` and times then lack what died with them."""
    seconds: float
    """From the first fetch to the last commit."""
    cpu_seconds: float
    """Of all processes of the run, start-up of workers left out."""
    peak_memory_mb: float
    """Largest resident memory of a worker, sampled after every batch, summed over as many workers as ran at a
    time: those that took the most."""
    by_worker: Mapping[str, Share]
    """`machine:process id` -> what that worker did; those that were replaced are among them."""
    stages: Mapping[str, float]
    """Stage -> seconds, summed over workers; see `STAGES`."""
    slices: tuple[Slice, ...]
    write_method: str
    """By which rows were written: what the setting `auto` became."""
    settings: Settings
    """What was asked for, with the number of workers of a cluster."""
    cluster: str | None = None
    """The Dask cluster that did the work, with its dashboard; None: this machine's own processes."""

    @property
    def rec_per_min(self) -> float:
        """Documents per minute."""
        return rate(self.documents, self.seconds)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; keys as the fields, unknown codes as `table.column`."""
        plain = {f.name: getattr(self, f.name) for f in fields(self)}
        plain["rec_per_min"] = self.rec_per_min
        plain["settings"] = self.settings.model_dump()
        plain["unknown_codes"] = {f"{t}.{c}": n for (t, c), n in self.unknown_codes.items()}
        plain["by_worker"] = {worker: vars(share) for worker, share in self.by_worker.items()}
        plain["slices"] = [
            {"documents": s.documents, "seconds": s.seconds, "rec_per_min": s.rec_per_min}
            for s in self.slices
        ]
        return plain

    def summary(self) -> list[tuple[str, object]]:
        """Label and value of what people look at first."""
        if not (self.documents or self.skipped or self.source_duplicates):
            return [("documents", "none, nothing is pending")]
        lines: list[tuple[str, object]] = [
            ("documents", self.documents),
            ("succeeded", self.succeeded),
            ("failed", sum(self.failed.values())),
            *((f"  {category}", count) for category, count in self.failed.items()),
            ("seconds", self.seconds),
            ("records per minute", round(self.rec_per_min)),
            ("write method", self.write_method),
            *([("Dask cluster", self.cluster)] if self.cluster else ()),
            ("CPU seconds", self.cpu_seconds),
            ("peak memory, MB", self.peak_memory_mb),
            *((f"  {stage}, seconds", spent) for stage, spent in self.stages.items()),
            ("connections opened", self.connects),
            ("connections used again", self.reuses),
        ]
        noted = {
            "skipped, logged by another process": self.skipped,
            "further source rows of an app_id": self.source_duplicates,
            "duplicate contacts left out": self.duplicate_contacts,
            "duplicate keys resolved": self.duplicate_keys,
            "batches tried again": self.retries,
            "worker processes died": self.worker_deaths,
        }
        lines += [(label, count) for label, count in noted.items() if count]
        if len(self.by_worker) > 1:
            lines += [
                (f"worker {worker}", f"{s.documents:,} in {s.seconds:.1f} s, {s.peak_memory_mb:.0f} MB")
                for worker, s in self.by_worker.items()
            ]
        lines += [(f"unknown codes in {t}.{c}", n) for (t, c), n in self.unknown_codes.items()]
        return lines

    def _repr_html_(self) -> str:
        return html_table(f"Run {self.session_id}", self.summary())


def outcome_of(
    tally: Tally,
    session_id: str,
    settings: Settings,
    source_duplicates: int = 0,
    cluster: str | None = None,
) -> Outcome:
    """The outcome that a run's tally amounts to."""
    return Outcome(
        session_id=session_id,
        documents=tally.documents,
        succeeded=tally.succeeded,
        failed=dict(tally.failed.most_common()),
        skipped=tally.skipped,
        source_duplicates=source_duplicates,
        rows=dict(tally.rows),
        duplicate_contacts=tally.duplicate_contacts,
        duplicate_keys=tally.duplicate_keys,
        unknown_codes=dict(tally.unknown_codes.most_common()),
        characters_read=tally.characters_read,
        bytes_parsed=tally.bytes_parsed,
        retries=tally.retries,
        connects=tally.connects,
        reuses=tally.connection_uses - tally.connects,
        worker_deaths=tally.worker_deaths,
        seconds=tally.seconds,
        cpu_seconds=tally.cpu_seconds,
        peak_memory_mb=sum(sorted(s.peak_memory_mb for s in tally.by_worker.values())[-settings.workers :]),
        by_worker=tally.by_worker,
        stages=dict(tally.stages),
        slices=slices_of(tally.commits, tally.begun or 0.0),
        write_method=tally.write_method,
        settings=settings,
        cluster=cluster,
    )


def slices_of(commits: Sequence[tuple[float, int]], begun: float) -> tuple[Slice, ...]:
    """Commits in time order, cut into at most `SLICES` parts of near-equal document counts."""
    total = sum(count for _, count in commits)
    slices: list[Slice] = []
    done = taken = 0
    start = begun
    for when, count in sorted(commits):
        done += count
        taken += count
        if taken and done * SLICES >= total * (len(slices) + 1):
            slices.append(Slice(taken, when - start))
            taken, start = 0, when
    return tuple(slices)


def rate(documents: int, seconds: float) -> float:
    """Documents per minute; 0 where no time passed."""
    return documents / seconds * 60 if seconds > 0 else 0.0
