"""A campaign: a baseline, experiments in order, each from the settings accepted so far, and the whole at
the end.

Everything lies in `results/<campaign>/`, of the quick form in `results/<campaign>-quick/`: a folder for each
phase, `campaign.json` (what is finished), `decisions.jsonl`, `accepted.yaml` and `index.html`. Started again
after an interruption it goes on where it stopped.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from provenir_lab.display import html_table
from provenir_lab.errors import UsageError
from provenir_lab.lab.conduct import Clock, utc_now
from provenir_lab.lab.decisions import (
    ACCEPTED_FILE,
    REVERTED,
    Accepted,
    Decision,
    load_accepted,
    read_decisions,
    save_accepted,
    write_decisions,
)
from provenir_lab.lab.environment import DECIDES, require_same
from provenir_lab.lab.experiment import (
    Documents,
    Experiment,
    first_problem,
    load_experiment,
    read_yaml,
    together,
)
from provenir_lab.lab.phase import Runner, Steps, decide
from provenir_lab.lab.place import ensure_lab, open_place
from provenir_lab.lab.plan import expected_minutes
from provenir_lab.lab.record import Folder, Result, load_result
from provenir_lab.progress import Progress, Say, silent, unsaid
from provenir_lab.settings import Database, Settings, build_settings, suggestion

BASELINE_NOTEBOOK = "notebooks/01-baseline.ipynb"
BASELINE_STEP = "baseline"
END_TO_END = "end-to-end"


class Campaign(BaseModel):
    """A campaign file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$")
    title: str
    purpose: str = ""
    experiments: list[str] = Field(min_length=1)
    """Experiment files in order, from the campaign file's folder."""
    documents: Documents = Documents()
    """Of the baseline and of the comparison at the end."""
    settings: dict[str, Any] = {}
    """The original settings, where they differ from the defaults."""
    baseline_runs: int = Field(default=20, ge=10, le=1000)
    """Their neighbours are the A/A arm, which takes ten runs at least."""
    runs: int = Field(default=10, ge=6, le=1000)
    """Pairs of the comparison at the end."""
    accepted: str | None = None
    """File that takes the accepted settings of a campaign in its full form, from the campaign file's
    folder.
    """


@dataclass(frozen=True)
class CampaignResult:
    """A finished campaign, as its folder holds it."""

    folder: Path
    campaign: Mapping[str, Any]
    decisions: tuple[Decision, ...]
    baseline: Result
    end_to_end: Result | None
    """The original settings against all accepted ones; None if nothing was accepted."""
    reverts: tuple[Decision, ...] = ()
    """What was taken back later, in order."""
    accepted: Accepted = field(default_factory=lambda: Accepted({}))
    """What the phases have earned, without what was taken back."""

    @property
    def report(self) -> Path:
        return self.folder / "index.html"

    @property
    def before(self) -> Mapping[str, Any]:
        """Throughput of the original settings, from the comparison at the end if there was one."""
        found: Mapping[str, Any] = (self.end_to_end or self.baseline).summary["variants"][0]["rec_per_min"]
        return found

    @property
    def after(self) -> Mapping[str, Any] | None:
        """Throughput of the accepted settings; None: nothing was accepted, or all together is INVALID."""
        if self.end_to_end is None or self.end_to_end.summary["comparisons"][-1]["verdict"] == "INVALID":
            return None
        found: Mapping[str, Any] = self.end_to_end.summary["variants"][-1]["rec_per_min"]
        return found

    @property
    def headline(self) -> str:
        """The finding in one line."""
        kept = sum(decision.kept for decision in self.decisions)
        aside = " (indicative)" if self.campaign["quick"] else ""
        if self.reverts:
            aside += f"; taken back since: {', '.join(line.candidate for line in self.reverts)}"
        if self.end_to_end is None:
            return (
                f"{self.before['median']:,.0f} records a minute; none of {len(self.decisions)} phases was"
                f" kept{aside}"
            )
        comparison = self.end_to_end.summary["comparisons"][-1]
        gain = ""
        if self.after is not None:
            ratio = comparison["ratio"]["centre"]
            gain = f", {self.after['median']:,.0f} after, {ratio:.2f} times as fast"
        return (
            f"{self.before['median']:,.0f} records a minute before{gain}: {kept} of {len(self.decisions)}"
            f" phases kept, end to end {comparison['verdict']}{aside}"
        )

    def to_dict(self) -> dict[str, Any]:
        """For `--json`."""
        return {
            "headline": self.headline,
            "folder": str(self.folder),
            "report": str(self.report),
            "decisions": [asdict(decision) for decision in self.decisions],
        }

    def _repr_html_(self) -> str:
        rows = [
            (d.phase or d.experiment, d.title, d.candidate, d.verdict, d.decision) for d in self.decisions
        ]
        return html_table(self.headline, rows, ("phase", "title", "candidate", "verdict", "decision"))


def run_campaign(
    database: Database,
    campaign: str | Path,
    *,
    contract: str | Path | None = None,
    quick: bool = False,
    results: str | Path = "results",
    progress: Progress = silent,
    say: Say = unsaid,
) -> CampaignResult:
    """Runs the experiments of a campaign file through their notebooks, or goes on with an interrupted
    campaign. `say` is told, before each phase, its ceiling and the smallest gain that it can find.

    Raises UsageError for a mistake in the file or in one of its experiments' files, and for an interrupted
    campaign that was begun otherwise, before anything runs.
    """
    from provenir_lab.lab.notebooks import find_file, notebook_runner
    from provenir_lab.lab.session import DatabaseWorkshop

    file = find_file(campaign)
    plan = load_campaign(file)
    experiments = [load_experiment(file.parent / name) for name in plan.experiments]
    runner = notebook_runner(database, contract, results, progress)
    place = open_place(database, contract)
    ensure_lab(place)
    workshop = DatabaseWorkshop(place)
    for experiment in experiments:
        workshop.require(_possible(experiment.as_quick() if quick else experiment, plan))
    environment = workshop.environment()
    accepted = None if quick or plan.accepted is None else file.parent / plan.accepted
    return conduct_campaign(
        runner,
        plan,
        experiments,
        Path(results),
        quick=quick,
        accepted_file=accepted,
        environment=environment,
        say=say,
    )


def campaign_minutes(campaign: str | Path, *, quick: bool = False) -> tuple[float, float]:
    """How long a campaign is likely to take, from nothing to its index: when first looks settle all, and when
    every phase needs its second look and one is kept.

    Raises UsageError for a mistake in the file or in one of its experiments' files.
    """
    from provenir_lab.lab.notebooks import find_file

    file = find_file(campaign)
    plan = load_campaign(file)
    original = build_settings(plan.settings)
    phases = [load_experiment(file.parent / name) for name in plan.experiments]
    asked = [phase.as_quick() if quick else phase for phase in phases]
    last = together({"batch_size": 2 * original.batch_size}, plan.documents, plan.runs)
    steps = [_baseline(plan, quick), *asked, last.as_quick() if quick else last]
    found = [expected_minutes(step, original) for step in steps]
    return sum(low for low, _ in found), sum(high for _, high in found)


def load_campaign(path: str | Path) -> Campaign:
    """Reads a campaign file. Raises UsageError: the file, the key, and what to do."""
    values = read_yaml(path)
    if not isinstance(values, dict):
        raise UsageError(f"{path}: expected keys such as name, title and experiments")
    for key in values:
        if key not in Campaign.model_fields:
            raise UsageError(
                f"{path}: unknown key {key}: {suggestion(str(key), Campaign.model_fields, 'keys')}"
            )
    try:
        return Campaign.model_validate(values)
    except ValidationError as error:
        raise UsageError(f"{path}: {first_problem(error)}") from None


def conduct_campaign(
    runner: Runner,
    plan: Campaign,
    experiments: Sequence[Experiment],
    results: Path,
    *,
    quick: bool = False,
    accepted_file: Path | None = None,
    environment: Mapping[str, Any] | None = None,
    say: Say = unsaid,
    now: Clock = utc_now,
    token: Callable[[], str] = lambda: secrets.token_hex(3),
) -> CampaignResult:
    """The campaign with `runner` doing the experiments, in `environment`. Raises what the runner raises;
    finished steps are kept. What other campaigns have in `accepted_file` stays there.
    """
    if accepted_file is not None:
        load_accepted(accepted_file)  # a damaged file is found before anything runs
    home = campaign_home(results, plan, quick)
    state = _opened(home, plan, experiments, quick, environment or {}, now, token)
    steps = Steps(runner, home, state, now, environment or {}, say)
    original = build_settings(plan.settings)
    baseline = steps.run(BASELINE_STEP, _baseline(plan, quick), original)
    decisions = read_decisions(home.path)
    accepted = Accepted({})
    for decision in decisions:
        accepted = accepted.with_decision(decision, home.path.name)
    for experiment in experiments[len(decisions) :]:
        asked = experiment.as_quick() if quick else experiment
        decision = decide(steps, asked, accepted.settings(original), baseline)
        decisions.append(decision)
        accepted = accepted.with_decision(decision, home.path.name)
        write_decisions(home.path, decisions)
        _save(accepted, home, accepted_file)
    _save(accepted, home, accepted_file)  # an interruption may have come between a decision and this
    if accepted.entries:
        steps.run(END_TO_END, _end_to_end(plan, accepted, quick), original)
    steps.state["finished"] = now().isoformat(timespec="seconds")
    steps.save()
    from provenir_lab.lab.index import render_index

    render_index(home.path)
    return load_campaign_result(home.path)


def campaign_home(results: str | Path, plan: Campaign, quick: bool = False) -> Folder:
    """The folder of a campaign; the quick form has its own, so that it replaces nothing of the full one."""
    return Folder(Path(results) / (f"{plan.name}-quick" if quick else plan.name))


def load_campaign_result(folder: str | Path) -> CampaignResult:
    """A stored campaign. Raises UsageError if the folder holds no finished one."""
    home = Folder(Path(folder))
    campaign = home.read_json("campaign.json")
    if campaign["finished"] is None:
        raise UsageError(f"{folder}: this campaign is not finished; run it again to go on with it")
    folders = campaign["folders"]
    last = folders.get(END_TO_END)
    lines = read_decisions(home.path)
    return CampaignResult(
        home.path,
        campaign,
        tuple(line for line in lines if line.verdict != REVERTED),
        load_result(home.path / folders[BASELINE_STEP]),
        load_result(home.path / last) if last else None,
        tuple(line for line in lines if line.verdict == REVERTED),
        load_accepted(home.path / ACCEPTED_FILE),
    )


def _save(accepted: Accepted, home: Folder, shared: Path | None) -> None:
    save_accepted(home.path / ACCEPTED_FILE, accepted)
    if shared is not None:
        others = load_accepted(shared).not_of(home.path.name).entries
        save_accepted(shared, Accepted({**others, **accepted.entries}))


def _opened(
    home: Folder,
    plan: Campaign,
    experiments: Sequence[Experiment],
    quick: bool,
    environment: Mapping[str, Any],
    now: Clock,
    token: Callable[[], str],
) -> dict[str, Any]:
    """`campaign.json` of an interrupted campaign, else of a new one. Raises UsageError if the interrupted one
    asked for something else, or elsewhere.
    """
    asked = {
        "plan": plan.model_dump(mode="json"),
        "experiments": [experiment.model_dump(mode="json") for experiment in experiments],
        "quick": quick,
    }
    if (home.path / "campaign.json").is_file():
        state: dict[str, Any] = home.read_json("campaign.json")
        if state["finished"] is None:
            if any(state[key] != value for key, value in asked.items()):
                raise UsageError(
                    f"{home.path} holds an interrupted campaign, and its file or an experiment's file has"
                    " changed since: put them back to go on with it, or move that folder away to begin anew"
                )
            require_same(state.get("environment", {}), environment, f"the campaign in {home.path}")
            return state
    started = now().isoformat(timespec="seconds")
    decides = {key: environment[key] for key in DECIDES if key in environment}
    state = {"id": token(), "started": started, "finished": None, "folders": {}, "environment": decides}
    state |= asked
    write_decisions(home.path, [])
    home.write_json("campaign.json", state)
    return state


def _possible(experiment: Experiment, plan: Campaign) -> list[Settings]:
    """The variants from the original settings; none where nothing differs: the phase is then skipped."""
    try:
        return list(experiment.variants(build_settings(plan.settings)).values())
    except UsageError:
        return []


def _baseline(plan: Campaign, quick: bool) -> Experiment:
    experiment = Experiment(
        name=BASELINE_STEP,
        title="Baseline",
        notebook=BASELINE_NOTEBOOK,
        documents=plan.documents,
        runs=plan.baseline_runs,
    )
    return experiment.as_quick().model_copy(update={"runs": 10}) if quick else experiment


def _end_to_end(plan: Campaign, accepted: Accepted, quick: bool) -> Experiment:
    experiment = together(accepted.values(), plan.documents, plan.runs, END_TO_END)
    return experiment.as_quick() if quick else experiment
