"""One long run from generated documents to tables, looked at from its first tenth to its last.

`python -m benchmarks.long_run --documents 20000 --profile realistic --workers 2`; ends with 1 if a document
is not where it should be. With `--rounds` it is done again on cleared tables, and the figures are medians:
a tenth of a run lasts seconds, in which a shared machine can be slow.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import sqlalchemy as sa

from benchmarks.report import Figure, Report, number
from provenir_lab.api import Lab
from provenir_lab.errors import LabError
from provenir_lab.processing.outcome import Outcome
from provenir_lab.settings import DATABASE_VARIABLE, Settings
from provenir_lab.storage.database import open_engine, reading
from provenir_lab.storage.schema import source_table

RESULTS = Path(__file__).parent / "results"
MIGRATION = 11_000_000
"""Documents of the forecast."""
VERIFIED = 500
"""Documents that are mapped again and compared with the tables."""
GROWTH = "memory of a worker, last tenth against first"
"""A figure's name."""
LOOK_SECONDS = 0.25
"""How often the memory is looked at."""

Sample = tuple[float, dict[int, float]]
"""(`time.perf_counter()`, process id -> resident memory in MB)."""


@dataclass(frozen=True)
class Window:
    """The largest resident memory of each worker, in MB, over the first and the last tenth of a run."""

    first: dict[int, float]
    last: dict[int, float]

    @property
    def growth(self) -> float | None:
        """The largest ratio last : first of a worker that was there in both; None if none was."""
        both = self.first.keys() & self.last.keys()
        return max((self.last[pid] / self.first[pid] for pid in both), default=None)


@dataclass(frozen=True)
class Round:
    """One time from nothing but documents to all tables."""

    outcome: Outcome
    window: Window

    @property
    def evenness(self) -> float:
        """The throughput of the last tenth against that of the first."""
        return self.outcome.slices[-1].rec_per_min / self.outcome.slices[0].rec_per_min


def main(arguments: list[str]) -> int:
    """Generates, processes, checks and reports; returns the exit status."""
    asked = _parser().parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="provenir-long-", ignore_cleanup_errors=True) as folder:
        url = asked.database or f"sqlite:///{(Path(folder) / 'lab.db').as_posix()}"
        try:
            return _run(asked, url)
        except LabError as error:
            print(f"error: {error}", file=sys.stderr)
            return error.exit_status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.long_run", description=__doc__)
    parser.add_argument("--documents", type=int, default=20_000, metavar="N")
    parser.add_argument("--profile", default="realistic", choices=("compact", "realistic", "heavy"))
    parser.add_argument("--workers", type=int, default=2, metavar="W")
    parser.add_argument("--rounds", type=int, default=1, metavar="R", help="how often; figures are medians")
    parser.add_argument(
        "--database", metavar="URL", help="an empty place (default: SQLite in a folder of its own)"
    )
    parser.add_argument(
        "--json",
        type=Path,
        default=RESULTS / "long_run.json",
        metavar="FILE",
        help="default: benchmarks/results/",
    )
    return parser


def _run(asked: argparse.Namespace, url: str) -> int:
    lab = Lab(url, settings=Settings(workers=asked.workers))
    lab.init()
    print(f"generating {asked.documents:,} {asked.profile} documents", flush=True)
    _generate(url, asked.documents, asked.profile)
    megabytes = _megabytes(lab)
    print(f"processing {megabytes:,.0f} MB with {asked.workers} workers", flush=True)
    rounds, problems = [], []
    for before in range(asked.rounds):
        if before:
            lab.clean()
        rounds.append(_round(lab, asked.workers))
        problems += _problems(lab, rounds[-1].outcome, asked.documents)

    report = Report(judge=asked.documents >= 10_000)  # few documents prove nothing
    tenths = list(zip(*(one.outcome.slices for one in rounds), strict=True))
    rows = [
        [
            str(i),
            number(tenth[0].documents),
            number(statistics.median(s.seconds for s in tenth)),
            number(statistics.median(s.rec_per_min for s in tenth) / 60),
        ]
        for i, tenth in enumerate(tenths, 1)
    ]
    title = "tenth of the run" if asked.rounds == 1 else f"tenth of the run, medians of {asked.rounds} rounds"
    report.table(title, ["", "documents", "seconds", "documents/s"], rows)
    print()
    report.figures(_figures(rounds, megabytes))
    if not _growths(rounds):
        print(f"  {GROWTH}: not measured, no worker was there in both")
    report.keep("rounds", [_kept(one) for one in rounds])
    report.keep("megabytes", megabytes)
    report.keep("problems", problems)
    print("\n".join(problems) or f"every document has one success; {VERIFIED:,} were mapped again: equal")
    options = {name: getattr(asked, name) for name in ("documents", "profile", "workers", "rounds")}
    report.write(asked.json, {**options, "database": lab.database.name})
    print(f"written to {asked.json}")
    return 1 if problems else 0


def _round(lab: Lab, workers: int) -> Round:
    with watched_memory(workers) as samples:
        outcome = lab.process()
        ended = time.perf_counter()
    return Round(outcome, memory_window(samples, outcome, ended))


def _kept(one: Round) -> dict[str, Any]:
    memory = {"first_tenth": one.window.first, "last_tenth": one.window.last}
    return {"outcome": one.outcome.to_dict(), "memory_mb": memory}


def _growths(rounds: Sequence[Round]) -> list[float]:
    return [one.window.growth for one in rounds if one.window.growth is not None]


def _generate(url: str, count: int, profile: str) -> None:
    """In a process of its own: what it leaves in memory is none of the run's."""
    command = [sys.executable, "-m", "provenir_lab", "generate", "--count", str(count), "--profile", profile]
    environment = {**os.environ, DATABASE_VARIABLE: url}  # may hold a password: not an argument
    subprocess.run([*command, "--quiet"], env=environment, stdout=subprocess.DEVNULL, check=True)


def _megabytes(lab: Lab) -> float:
    """Of all documents, in the encoding of the database."""
    engine = open_engine(lab.database.url, lab.settings)
    text = source_table(lab.target, engine.dialect.name).c[lab.target.source_column]
    sizes: dict[str, sa.ColumnElement[Any]] = {
        "sqlite": sa.func.length(sa.cast(text, sa.LargeBinary)),
        "postgresql": sa.func.octet_length(text),
        "mssql": sa.func.datalength(text),
    }
    size = sa.cast(sizes[engine.dialect.name], sa.BigInteger)
    with reading(engine) as connection:
        total = connection.scalar(sa.select(sa.func.sum(size)))
    engine.dispose()
    return float(total or 0) / 1e6


@contextmanager
def watched_memory(workers: int) -> Iterator[list[Sample]]:
    """Samples of the worker processes' memory (with one worker: of this process), taken while it is open."""
    samples: list[Sample] = []
    ended = threading.Event()
    here = psutil.Process()

    def watch() -> None:
        while not ended.wait(LOOK_SECONDS):
            processes = [here] if workers == 1 else here.children()
            samples.append((time.perf_counter(), dict(filter(None, map(_memory, processes)))))

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield samples
    finally:
        ended.set()
        thread.join()


def _memory(process: psutil.Process) -> tuple[int, float] | None:
    try:
        if process.pid != os.getpid() and "spawn_main" not in str(process.cmdline()):
            return None  # the helper that tracks resources
        return process.pid, process.memory_info().rss / 1e6
    except psutil.NoSuchProcess:
        return None


def memory_window(samples: list[Sample], outcome: Outcome, ended: float) -> Window:
    """The samples of the run's first and last tenth, the run having ended at `ended`."""
    begun = ended - outcome.seconds
    first, last = outcome.slices[0].seconds, outcome.slices[-1].seconds
    return Window(_peaks(samples, begun, begun + first), _peaks(samples, ended - last, ended))


def _peaks(samples: list[Sample], start: float, end: float) -> dict[int, float]:
    peaks: dict[int, float] = {}
    for when, held in samples:
        if start <= when <= end:
            for pid, memory in held.items():
                peaks[pid] = max(memory, peaks.get(pid, 0.0))
    return peaks


def _problems(lab: Lab, outcome: Outcome, documents: int) -> list[str]:
    """What is not as it should be."""
    status = lab.status()
    verified = lab.verify(min(documents, VERIFIED))
    found = {
        f"{outcome.succeeded:,} of {documents:,} documents succeeded": outcome.succeeded != documents,
        f"{outcome.documents - outcome.succeeded:,} documents failed": outcome.failed,
        f"{status.pending:,} documents are pending": status.pending,
        f"the log has {status.succeeded:,} successes": status.succeeded != documents,
        "documents mapped again differ from the tables": not verified.equal,
        f"workers died {outcome.worker_deaths} times": outcome.worker_deaths,
    }
    return [problem for problem, is_so in found.items() if is_so]


def _figures(rounds: Sequence[Round], megabytes: float) -> list[Figure]:
    def median(value: Callable[[Round], float]) -> float:
        return statistics.median(map(value, rounds))

    a_second = median(lambda one: one.outcome.rec_per_min) / 60
    seconds = median(lambda one: one.outcome.seconds)
    growths = _growths(rounds)
    return [
        Figure("seconds from the first fetch to the last commit", seconds, unit="s"),
        Figure("documents a second", a_second, unit="/s"),
        Figure("records a minute", 60 * a_second, unit="/min"),
        Figure("document bytes a second, if all were read", megabytes / seconds, unit="MB/s"),
        Figure("throughput, last tenth against first", median(lambda one: one.evenness), at_least=0.9),
        *([Figure(GROWTH, statistics.median(growths), at_most=1.1)] if growths else []),
        Figure("peak memory, all workers", median(lambda one: one.outcome.peak_memory_mb), unit="MB"),
        Figure(
            f"forecast for {MIGRATION:,} such documents, as measured here",
            MIGRATION / a_second / 3600,
            unit="hours",
        ),
    ]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
