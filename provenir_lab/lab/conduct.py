"""One experiment from its plan to its report: which runs, in which order, when to stop, what to conclude.

`Workshop` is where the runs happen; `conduct` decides everything else and is tested with a simulated one.
"""

from __future__ import annotations

import datetime as dt
import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from provenir_lab.errors import LabError
from provenir_lab.lab import summary as summaries
from provenir_lab.lab.environment import require_same
from provenir_lab.lab.experiment import Documents, Experiment, parse_experiment
from provenir_lab.lab.measure import Bench, timed_run
from provenir_lab.lab.order import BASELINE, blocks, repeats
from provenir_lab.lab.plan import OF_NOISE, confidence_of, make_plan
from provenir_lab.lab.record import (
    CALIBRATION,
    CONFIRM,
    MEASURE,
    WARM_UP,
    Folder,
    Result,
    Run,
    Slot,
    load_result,
    new_folder,
)
from provenir_lab.lab.suites import Suites
from provenir_lab.lab.workload import count_for
from provenir_lab.progress import Progress, Step, silent
from provenir_lab.settings import Settings, build_settings

Clock = Callable[[], dt.datetime]


class Workshop(Protocol):
    """Where runs happen: documents are put in place, a bench runs the processor on them."""

    def environment(self) -> dict[str, Any]: ...

    def available(self, documents: Documents) -> int | None:
        """The most documents there can be; None: as many as asked for."""

    def require(self, variants: Iterable[Settings]) -> None:
        """Raises UsageError for settings that cannot work here."""

    def bench(
        self, documents: Documents, count: int
    ) -> AbstractContextManager[tuple[Bench, Mapping[str, Any]]]:
        """A bench with `count` documents in place, and their passport."""


def utc_now() -> dt.datetime:
    """The time now, aware, in UTC."""
    return dt.datetime.now(dt.UTC)


def conduct(
    workshop: Workshop,
    experiment: Experiment,
    accepted: Settings,
    results: str | Path,
    folder: str | Path | None = None,
    *,
    tests: Suites | None = None,
    warnings: Sequence[str] = (),
    progress: Progress = silent,
    now: Clock = utc_now,
    token: Callable[[], str] = lambda: secrets.token_hex(3),
) -> Result:
    """Runs `experiment` and writes its result; finished runs of an interrupted one are not repeated.
    Raises UsageError if that one was begun with another machine, database, contract or commit.

    Everything that decides later (threshold, order, number of pairs) is on disk before the first run.
    `tests` are the test suites of two versions of the code; `warnings` go into the report.
    """
    kept = Folder(Path(folder)) if folder else None
    environment = workshop.environment()
    if kept is not None and (kept.path / "plan.json").is_file():
        experiment = parse_experiment(kept.read_yaml("experiment.yaml"), str(kept.path / "experiment.yaml"))
        plan = kept.read_json("plan.json")
        accepted = build_settings(plan["accepted"])
        own_code = experiment.code is None  # versions that are compared are not the lab's own
        but = () if own_code else ("git_commit",)
        require_same(kept.read_json("environment.json"), environment, str(kept.path), but=but)
    else:
        experiment.check(accepted, workshop.available(experiment.documents))
        workshop.require(experiment.variants(accepted).values())
        kept = kept or new_folder(results, experiment.name, now(), token())
        made = make_plan(experiment, accepted, Path(results), environment, kept.path)
        experiment, plan = made.experiment, made.to_dict()
        kept.write_yaml("experiment.yaml", experiment.model_dump(mode="json"))
        kept.write_json("environment.json", environment)
        kept.write_json("plan.json", plan)
    session = _Session(kept, experiment, accepted, progress, now, tests)
    if experiment.documents.count == "auto":
        session.experiment = experiment = _calibrated(workshop, session, plan.get("pace"))
        kept.write_yaml("experiment.yaml", experiment.model_dump(mode="json"))
    count = experiment.documents.count
    assert isinstance(count, int)
    with workshop.bench(experiment.documents, count) as (bench, passport):
        session.bench, session.documents = bench, passport["count"]
        comparisons = session.run_all()
    summary = summaries.summarise(
        experiment,
        {name: session.asked(name) for name in session.variants},
        session.runs,
        comparisons,
        workload=passport,
        tied=session.tied(comparisons),
        threshold_source=plan["threshold_source"],
        tests=tests,
        warnings=warnings,
    )
    if experiment.is_baseline:
        kept.write_json("baseline_metrics.json", summaries.baseline_metrics(session.measured()))
    kept.write_json("summary.json", summary)
    from provenir_lab.lab import report

    report.render(kept.path)
    return load_result(kept.path)


def _calibrated(workshop: Workshop, session: _Session, pace: float | None) -> Experiment:
    """The experiment with its number of documents found. The runs for it stay on record."""
    experiment = session.experiment
    tries = iter(range(1, 100))

    def seconds_for(count: int) -> float:
        with workshop.bench(experiment.documents, count) as (bench, passport):
            session.bench, session.documents = bench, passport["count"]
            run = session.run(Slot(CALIBRATION, next(tries), 1, BASELINE))
        if run.void:
            raise LabError(f"the baseline does not run: {run.void}")
        return run.seconds

    cores = session.folder.read_json("environment.json")["logical_cores"]  # more workers are not faster
    workers = min(cores, max(settings.workers for settings in session.variants.values()))
    wanted = experiment.documents.model_copy(
        update={"min_seconds": experiment.documents.min_seconds * workers}
    )
    fewest = experiment.minimum_documents(session.accepted)
    count = count_for(wanted, fewest, seconds_for, workshop.available(experiment.documents), pace)
    documents = experiment.documents.model_copy(update={"count": count})
    return experiment.model_copy(update={"documents": documents})


@dataclass
class _Session:
    """The state of an experiment while it runs."""

    folder: Folder
    experiment: Experiment
    accepted: Settings
    progress: Progress
    now: Clock
    tests: Suites | None = None

    bench: Bench | None = None
    documents: int = 0

    def __post_init__(self) -> None:
        self.variants = self.experiment.variants(self.accepted)
        self.runs = list(self.folder.runs())
        self.finished = {run.slot: run for run in self.runs}
        self.planned = 0

    def asked(self, variant: str) -> dict[str, Any]:
        """The settings that the processor is asked for: all of them, but of versions of the code only those
        that differ from the defaults, since each has defaults of its own.
        """
        return self.variants[variant].model_dump(exclude_defaults=self.experiment.code is not None)

    def run(self, slot: Slot) -> Run:
        """The run of a slot: the one on disk, or a new one, on disk when this returns."""
        if slot in self.finished:
            return self.finished[slot]
        assert self.bench is not None
        asked = self.asked(slot.variant)
        measured = timed_run(
            self.bench, slot, asked, documents=self.documents, order=len(self.runs) + 1, now=self.now
        )
        if measured.tables:
            self.folder.add_digests(measured.run.digest, measured.tables)
        self.folder.add_run(measured.run)
        self.runs.append(measured.run)
        self.finished[slot] = measured.run
        return measured.run

    def run_part(self, slots: Sequence[Slot]) -> None:
        self.planned = max(self.planned, len(self.runs)) + sum(slot not in self.finished for slot in slots)
        for slot in slots:
            run = self.run(slot)
            what = "void" if run.void else f"{run.rec_per_min:,.0f} rec/min"
            note = f"{slot.part}, {slot.variant}: {what}"
            self.progress(Step(self.experiment.title, len(self.runs), self.planned, note))

    def run_all(self) -> list[summaries.Comparison]:
        """All parts of the experiment; its comparisons, the judged one last."""
        names, runs, seed = list(self.variants), self.experiment.runs, self.experiment.seed
        if self.experiment.is_baseline:
            self.warm_up(repeats(WARM_UP, self.experiment.warm_up))
            self.run_part(repeats(MEASURE, runs))
            self.require_baseline()
            return []
        self.warm_up(blocks(WARM_UP, names, self.experiment.warm_up, seed))
        self.run_part(blocks(MEASURE, names, runs, seed))
        self.require_baseline()
        if len(names) == 2:
            return [self.judged(names[1], MEASURE)]
        sweep = [self.compare(name, MEASURE, runs) for name in names[1:]]
        best = summaries.nominate(sweep)
        if best is None:
            return [*sweep, self.compare(names[1], MEASURE, runs, judge=True)]
        self.run_part(blocks(CONFIRM, [BASELINE, best], runs, seed))
        return [*sweep, self.judged(best, CONFIRM)]

    def warm_up(self, slots: Sequence[Slot]) -> None:
        """The warm-up block. Raises LabError if the baseline does not run at all: nothing could be
        learned.
        """
        self.run_part(slots)
        void = [run.void for run in self.runs if run.part == WARM_UP and run.variant == BASELINE]
        if all(void):
            raise LabError(f"the baseline does not run: {void[-1]}")

    def require_baseline(self) -> None:
        """Raises LabError if there is nothing to compare with, or to report."""
        base = [run for run in self.runs if run.part == MEASURE and run.variant == BASELINE]
        if not any(run.valid for run in base):
            raise LabError(f"no run of the baseline is valid: {base[-1].void}")

    def judged(self, candidate: str, part: str) -> summaries.Comparison:
        """The verdict over a candidate; an inconclusive one goes on once, to the most pairs."""
        experiment = self.experiment
        first = self.compare(candidate, part, experiment.runs, judge=True)
        undecided = first.verdict is not None and first.verdict.name == "INCONCLUSIVE"
        if not undecided or experiment.max_runs <= experiment.runs:
            return first
        self.run_part(blocks(part, [BASELINE, candidate], experiment.max_runs, experiment.seed))
        return self.compare(candidate, part, experiment.max_runs, judge=True)

    def compare(
        self, candidate: str, part: str, planned: int, *, judge: bool = False
    ) -> summaries.Comparison:
        return summaries.compare(
            self.runs,
            self.folder.digests(),
            candidate,
            (part,),
            planned,
            threshold=self.experiment.threshold if judge else None,
            confidence=confidence_of(self.experiment) if judge else 0.95,
            of_noise=self.folder.read_json("plan.json")["threshold_source"] == OF_NOISE,
            keep_if_equivalent=self.experiment.keep_if_equivalent,
            other_problems=self.tests.problems if self.tests else (),
            gated=self.experiment.code is None or self.tests is not None,
        )

    def measured(self) -> list[Run]:
        return [run for run in self.runs if run.part == MEASURE and run.valid]

    def tied(self, comparisons: Sequence[summaries.Comparison]) -> list[str]:
        """The settings of a sweep that do about as well as the one that was tried again."""
        if len(comparisons) < 2:
            return []
        *sweep, last = comparisons
        best = last.variant
        others = [c.variant for c in sweep if c.variant != best and not c.problems]
        return summaries.tied_with(self.runs, best, others)
