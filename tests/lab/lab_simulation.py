"""A workshop without a database: runs take the time that a test says, and every step is noted."""

import datetime as dt
import itertools
import random
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from provenir_lab.errors import LabError
from provenir_lab.lab.conduct import conduct
from provenir_lab.lab.experiment import Documents, Experiment, parse_experiment
from provenir_lab.lab.record import STAGES, Result
from provenir_lab.settings import Settings, build_settings

ENVIRONMENT = {
    "provenir_lab": "0.1.0",
    "git_commit": None,
    "machine": "x86_64",
    "cpu": "Simulated",
    "cores": 2,
    "logical_cores": 2,
    "memory_gb": 8.0,
    "system": "Linux 6",
    "python": "3.11.7",
    "implementation": "cpython",
    "database": "sqlite",
    "database_version": "3.40",
    "libraries": {"lxml": "6.1.3"},
}


class SimulatedBench:
    """`rate(settings, run)`: documents a second of the run-th run of the session, counted from 0."""

    def __init__(self, workshop: "SimulatedWorkshop", count: int) -> None:
        self.workshop = workshop
        self.count = count
        self.tables: dict[str, tuple[int, str]] = {}

    def clear(self) -> None:
        self.workshop.calls.append("clear")

    def prove_ready(self) -> str:
        self.workshop.calls.append("prove ready")
        return ""

    def process(self, variant: str, asked: Mapping[str, Any]) -> Mapping[str, Any]:
        workshop, settings = self.workshop, build_settings(asked)
        workshop.calls.append("process")
        run = next(workshop.counter)
        if run in workshop.crashes:
            raise LabError("simulated crash")
        if run == workshop.interrupt_at:
            raise KeyboardInterrupt
        seconds = self.count / workshop.rate(settings, run)
        self.tables = dict(workshop.tables(settings, self.count))
        failed = workshop.failed(settings)
        return {
            "documents": self.count,
            "succeeded": self.count - failed,
            "failed": {"malformed_xml": failed} if failed else {},
            "seconds": seconds,
            "rec_per_min": self.count / seconds * 60,
            "wall_seconds": seconds + 0.5,
            "cpu_seconds": seconds * 0.9,
            "peak_memory_mb": 80.0,
            "characters_read": self.count * 9800,
            "bytes_parsed": self.count * 6100,
            "stages": {stage: seconds / len(STAGES) for stage in STAGES},
            "slices": [{"documents": self.count // 4, "seconds": seconds / 4}] * 4,
            "settings": workshop.used(settings).model_dump(),
        }

    def digests(self) -> Mapping[str, tuple[int, str]]:
        self.workshop.calls.append("digests")
        return self.tables


class SimulatedWorkshop:
    def __init__(
        self,
        rate: Callable[[Settings, int], float] = lambda settings, run: 1000.0,
        *,
        tables: Callable[[Settings, int], Mapping[str, tuple[int, str]]] = lambda settings, count: {
            "app_base": (count, "aa"),
            "app_contact_base": (count, "bb"),
        },
        failed: Callable[[Settings], int] = lambda settings: 0,
        used: Callable[[Settings], Settings] = lambda settings: settings,
        crashes: frozenset[int] = frozenset(),
        interrupt_at: int | None = None,
        environment: Mapping[str, Any] = ENVIRONMENT,
        stored: int = 10_000,
    ) -> None:
        self.rate, self.tables, self.failed, self.used = rate, tables, failed, used
        self.crashes, self.interrupt_at = crashes, interrupt_at
        self._environment, self._stored = environment, stored
        self.calls: list[str] = []
        self.counter = itertools.count()

    def environment(self) -> dict[str, Any]:
        return dict(self._environment)

    def available(self, documents: Documents) -> int | None:
        return self._stored if documents.profile == "stored" else None

    def require(self, variants: Iterable[Settings]) -> None:
        pass

    @contextmanager
    def bench(self, documents: Documents, count: int) -> Iterator[tuple[SimulatedBench, Mapping[str, Any]]]:
        self.calls.append(f"documents {count}")
        passport = {
            "profile": documents.profile,
            "seed": documents.seed,
            "count": count,
            "duplicate_contacts": documents.duplicate_contacts,
            "characters_mean": 9800,
            "characters_median": 9850,
            "characters_largest": 12500,
        }
        yield SimulatedBench(self, count), passport


def noisy(
    rate: Callable[[Settings], float], spread: float, seed: int = 1
) -> Callable[[Settings, int], float]:
    """Rates with a random spread from run to run (0.03 = 3 %)."""
    rng = random.Random(seed)
    return lambda settings, run: rate(settings) * rng.lognormvariate(0, spread)


def experiment(**values: Any) -> Experiment:
    """A small experiment on batch sizes, changed by `values`."""
    plain = {
        "name": "batch-size",
        "title": "Batch size",
        "phase": "II.1",
        "hypothesis": "Larger batches amortise commits.",
        "change": "batch_size",
        "candidates": [1000],
        "documents": {"count": 4000},
        "runs": 6,
        "max_runs": 6,
    }
    return parse_experiment(plain | values, "test")


def run(workshop: SimulatedWorkshop, plan: Experiment, results: Path, **options: Any) -> Result:
    """`plan` from start to report, without files of figures: those have tests of their own."""
    clock = (dt.datetime(2026, 1, 2, tzinfo=dt.UTC) + dt.timedelta(seconds=i) for i in itertools.count())
    tokens = (f"{i:06x}" for i in itertools.count())
    return conduct(
        workshop, plan, Settings(), results, now=lambda: next(clock), token=lambda: next(tokens), **options
    )
