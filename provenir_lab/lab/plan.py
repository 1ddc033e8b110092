"""What is fixed before the first run of an experiment: variants, order, number of pairs, threshold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from provenir_lab.display import html_table
from provenir_lab.lab.experiment import Experiment
from provenir_lab.lab.record import Result, load_result
from provenir_lab.lab.statistics import smallest_findable_effect
from provenir_lab.settings import Settings

LONGER = 1.2
"""By how much runs last longer than they must, in the mean."""
START_SECONDS = 0.85
"""Of a run, beside what is measured: a new process, and what else does not depend on its documents."""
STEPS_SHARE = 0.35
"""Of a run's measured time: clearing, proofs and digests of as many rows. Together 1.7 s beside two seconds
of work, 1.3 s beside one.
"""
NOTEBOOK_SECONDS = 6.0
"""Of an experiment: its kernel, runs that find the number of documents, figures, pages."""
OF_NOISE = "the noise floor of the last stored baseline"
"""Where a threshold comes from that is larger than the experiment's own."""
BASELINE_NAME = "baseline"
"""Results of baselines lie in `results/baseline/`."""


@dataclass(frozen=True)
class Plan:
    """An experiment with its threshold fixed, and what its design can find."""

    experiment: Experiment
    accepted: Settings
    threshold_source: str
    confidence: float
    findable: float | None
    """The smallest gain (0.05 = 5 %) that is found four times out of five; None: no stored baseline
    tells the noise.
    """
    pace: float | None = None
    """Documents a second of that baseline, if its documents are like those of the experiment: from there
    their number is looked for.
    """

    @property
    def runs(self) -> int:
        """Runs up to the first look, without those that find the number of documents."""
        return planned_runs(self.experiment, self.accepted)

    def to_dict(self) -> dict[str, Any]:
        """For `plan.json`."""
        return {
            "accepted": self.accepted.model_dump(),
            "threshold_percent": self.experiment.threshold_percent,
            "threshold_source": self.threshold_source,
            "confidence": self.confidence,
            "findable_percent": None if self.findable is None else round(self.findable * 100, 2),
            "runs": self.runs,
            "pace": self.pace,
        }

    @property
    def outlook(self) -> str:
        """What the design costs and can find, in one line."""
        experiment = self.experiment
        minutes = expected_minutes(experiment, self.accepted)[0]
        return (
            f"{experiment.title}: {self.runs} runs up to the first look, about {minutes:.0f} minutes;"
            f" threshold {experiment.threshold_percent:g} % ({self.threshold_source});"
            f" smallest gain this design finds: {self._findable}"
        )

    @property
    def _findable(self) -> str:
        return "unknown until a baseline is stored" if self.findable is None else f"{self.findable:.1%}"

    def rows(self) -> list[tuple[str, str]]:
        """The plan as (name, value), for people."""
        experiment, documents = self.experiment, self.experiment.documents
        count = "as many as make a run last" if documents.count == "auto" else f"{documents.count:,}, for"
        minutes = expected_minutes(experiment, self.accepted)[0]
        variants = experiment.variants(self.accepted)
        order = "one setting" if experiment.is_baseline else "baseline-candidate-candidate-baseline"
        if len(variants) > 2:
            order = "permutation and mirror of all variants; then the best against the baseline on fresh runs"
        return [
            ("question", experiment.hypothesis or experiment.title),
            ("variants", ", ".join(variants)),
            ("documents", f"{documents.profile}, {count} {documents.min_seconds:g} s or more"),
            ("order", order),
            ("runs up to the first look", f"{self.runs} (about {minutes:.0f} minutes)"),
            ("intervals", f"{self.confidence:.1%}, exact"),
            ("threshold", f"{experiment.threshold_percent:g} % ({self.threshold_source})"),
            ("smallest gain this design finds", self._findable),
        ]

    def _repr_html_(self) -> str:
        return html_table(f"Plan of {self.experiment.name}, fixed before the first run", self.rows())


def planned_runs(experiment: Experiment, accepted: Settings) -> int:
    """Runs up to the first look, without those that find the number of documents."""
    if experiment.is_baseline:
        return experiment.runs + experiment.warm_up
    variants = len(experiment.variants(accepted))
    return variants * (experiment.runs + experiment.warm_up) + (2 * experiment.runs if variants > 2 else 0)


def expected_minutes(experiment: Experiment, accepted: Settings) -> tuple[float, float]:
    """How long an experiment is likely to take: when the first look settles it, and with the second look."""
    runs = planned_runs(experiment, accepted)
    more = 0 if experiment.is_baseline else 2 * max(0, experiment.max_runs - experiment.runs)
    each = experiment.documents.min_seconds * LONGER * (1 + STEPS_SHARE) + START_SECONDS
    return (NOTEBOOK_SECONDS + runs * each) / 60, (NOTEBOOK_SECONDS + (runs + more) * each) / 60


def make_plan(
    experiment: Experiment,
    accepted: Settings,
    results: Path,
    environment: Mapping[str, Any],
    folder: Path | None = None,
) -> Plan:
    """The plan of `experiment`, whose result will lie in `folder`: its own threshold, or the noise floor of
    the last stored baseline if larger.
    """
    confidence = confidence_of(experiment)
    baseline = None if experiment.is_baseline else stored_baseline(results, environment, folder)
    if baseline is None:
        return Plan(experiment, accepted, "the experiment's own", confidence, None)
    noise, source = baseline.summary["noise"], "the experiment's own"
    if noise["floor"] is not None and noise["floor"] > experiment.threshold:
        experiment = experiment.model_copy(update={"threshold_percent": round(noise["floor"] * 100, 2)})
        source = OF_NOISE
    findable = smallest_findable_effect(noise["spread"], experiment.runs, experiment.threshold, confidence)
    alike = baseline.summary["workload"]["profile"] == experiment.documents.profile
    measured = baseline.summary["variants"][0].get("rec_per_min")  # absent where no run counts
    pace = measured["median"] / 60 if alike and measured else None
    return Plan(experiment, accepted, source, confidence, findable, pace)


def stored_baseline(
    results: Path, environment: Mapping[str, Any], folder: Path | None = None
) -> Result | None:
    """The newest baseline of this machine and database in `results`, or of the campaign that `folder` is a
    step of; None if there is none.
    """
    stored = [*results.glob(f"{BASELINE_NAME}/*/summary.json")]
    if folder is not None:
        stored += folder.parent.glob(f"*-{BASELINE_NAME}/summary.json")
    for file in sorted(stored, key=lambda file: file.parent.name, reverse=True):  # names begin with the time
        baseline = load_result(file.parent)
        if all(baseline.environment.get(key) == environment.get(key) for key in ("cpu", "database")):
            return baseline
    return None


def confidence_of(experiment: Experiment) -> float:
    """Of the intervals: 97.5 % when a second look is planned, since two looks err more often than one."""
    return 0.975 if experiment.max_runs > experiment.runs and not experiment.is_baseline else 0.95
