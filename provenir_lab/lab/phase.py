"""The steps of a campaign: each phase run or skipped, and what was decided over it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from provenir_lab.errors import UsageError
from provenir_lab.files import make_folder
from provenir_lab.lab import statistics
from provenir_lab.lab.conduct import Clock
from provenir_lab.lab.decisions import Decision
from provenir_lab.lab.experiment import Documents, Experiment
from provenir_lab.lab.figures.data import stage_shares
from provenir_lab.lab.plan import make_plan
from provenir_lab.lab.record import Folder, Result, is_finished, load_result
from provenir_lab.progress import Say, unsaid
from provenir_lab.settings import Settings

Runner = Callable[[Experiment, Settings, Path], Result]
"""Runs an experiment from these settings into this folder, or goes on with it."""


@dataclass
class Steps:
    """Runs the steps of a campaign, each in a folder that is on record before the step begins."""

    runner: Runner
    home: Folder
    state: dict[str, Any]
    now: Clock
    environment: Mapping[str, Any]
    say: Say = unsaid

    def save(self) -> None:
        """Puts the state on disk."""
        self.home.write_json("campaign.json", self.state)

    def folder(self, step: str) -> str:
        """Name of the step's folder."""
        return str(self.state["folders"][step])

    def run(self, step: str, experiment: Experiment, settings: Settings) -> Result:
        """The step's result: from disk if it is finished, else run or gone on with."""
        if step not in self.state["folders"]:
            name = f"{self.now():%Y%m%dT%H%M%SZ}-{self.state['id']}-{step}"
            make_folder(self.home.path / name, exist_ok=False)
            self.state["folders"][step] = name
            self.save()
        path = self.home.path / self.folder(step)
        if is_finished(path):
            return load_result(path)
        if not experiment.is_baseline:
            plan = make_plan(experiment, settings, self.home.path.parent, self.environment, path)
            self.say(plan.outlook)
        return self.runner(experiment, settings, path)


def decide(steps: Steps, experiment: Experiment, settings: Settings, baseline: Result) -> Decision:
    """Runs one phase, unless the baseline shows that it cannot pay, and says what came of it."""
    share = sum(stage_shares(baseline.summary)[stage] for stage in experiment.stages)
    ceiling = statistics.ceiling(share) if experiment.stages else None
    if ceiling is not None:
        steps.say(
            f"{experiment.title}: at best {ceiling:.2f} times the throughput, for"
            f" {' and '.join(experiment.stages)} takes {share:.0%} of the baseline's time"
        )
    try:
        experiment.check(settings)
    except UsageError as error:
        return _skipped(steps, experiment, ceiling, str(error))
    if experiment.skip_below_percent is not None and share * 100 < experiment.skip_below_percent:
        reason = (
            f"{' and '.join(experiment.stages)} takes {share:.0%} of the baseline's time, under"
            f" {experiment.skip_below_percent:g} %: at best {ceiling:.2f} times the throughput"
        )
        return _skipped(steps, experiment, ceiling, reason)
    asked = _with_known_count(experiment, settings, baseline)
    return _judged(steps, experiment, ceiling, steps.run(experiment.name, asked, settings))


def _with_known_count(experiment: Experiment, settings: Settings, baseline: Result) -> Experiment:
    """The experiment with the baseline's number of documents, if it asks for the same kind and run length."""
    documents, found = experiment.documents, Documents.model_validate(baseline.experiment["documents"])
    alike = documents.model_copy(update={"count": found.count}) == found
    if documents.count != "auto" or not alike or experiment.change == "workers":
        return experiment
    assert isinstance(found.count, int)
    count = max(found.count, experiment.minimum_documents(settings))
    return experiment.model_copy(update={"documents": documents.model_copy(update={"count": count})})


def _judged(steps: Steps, experiment: Experiment, ceiling: float | None, result: Result) -> Decision:
    summary = result.summary
    judged = next(c for c in reversed(summary["comparisons"]) if c["verdict"])
    variants = {v["variant"]: v for v in summary["variants"]}
    candidate = variants[judged["variant"]]
    after = candidate.get("rec_per_min")
    return _decision(
        steps,
        experiment,
        ceiling=ceiling,
        threshold_percent=summary["threshold_percent"],
        value=candidate["settings"][experiment.change],
        verdict=judged["verdict"],
        decision=judged["decision"],
        reason=judged["reason"],
        ratio=judged["ratio"],
        pairs=f"{judged['pairs']} of {judged['planned']}",
        spread=judged["spread"],
        peak_memory_mb=candidate.get("peak_memory_mb"),
        rows_verified=candidate.get("rows") if judged["gates"]["passed"] else None,
        before_rec_per_min=variants["baseline"]["rec_per_min"]["median"],
        after_rec_per_min=after["median"] if after else None,
        evidence=steps.folder(experiment.name),
    )


def _skipped(steps: Steps, experiment: Experiment, ceiling: float | None, reason: str) -> Decision:
    steps.say(f"{experiment.title}: skipped: {reason}")
    return _decision(
        steps,
        experiment,
        ceiling=ceiling,
        threshold_percent=None,
        value=None,
        verdict="SKIPPED",
        decision="skipped",
        reason=reason,
        ratio=None,
        pairs="–",
        spread=None,
        peak_memory_mb=None,
        rows_verified=None,
        before_rec_per_min=None,
        after_rec_per_min=None,
        evidence=None,
    )


def _decision(steps: Steps, experiment: Experiment, **found: Any) -> Decision:
    return Decision(
        time=steps.now().isoformat(timespec="seconds"),
        phase=experiment.phase,
        experiment=experiment.name,
        title=experiment.title,
        hypothesis=experiment.hypothesis,
        expected_gain_percent=experiment.expected_gain_percent,
        setting=experiment.change,
        indicative=experiment.is_quick,
        **found,
    )
