"""The living parts of the guides, each a function of the results that are kept. They give Markdown."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from html import unescape
from pathlib import Path
from typing import Any

from provenir_lab.lab import MIGRATION_DOCUMENTS, tables
from provenir_lab.lab.campaign import Campaign, CampaignResult, load_campaign, load_campaign_result
from provenir_lab.lab.claims import claims
from provenir_lab.lab.compare import forecast
from provenir_lab.lab.decisions import Decision
from provenir_lab.lab.experiment import TOGETHER, Experiment, load_experiment
from provenir_lab.lab.index import end_to_end_text
from provenir_lab.lab.old_benchmark import stored_old_benchmark
from provenir_lab.lab.order import BASELINE
from provenir_lab.lab.record import Result, load_result, newest_result

ROOT = Path(__file__).resolve().parents[1]
IMAGES = ROOT / "docs" / "images" / "measured"
CAMPAIGN_FILE = "experiments/campaign-phase2.yaml"
CAMPAIGN: Campaign = load_campaign(ROOT / CAMPAIGN_FILE)
FILES = {
    load_experiment(path).name: path
    for path in sorted((ROOT / "experiments").glob("*.yaml"))
    if not path.name.startswith(("campaign", "accepted"))
}
"""Experiment -> its file."""
EXPERIMENTS = frozenset({*FILES, CAMPAIGN.name})
"""What is kept: the project's own experiments and its campaign."""


class Reference:
    """The results that are kept, and which of their figures the guides show."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.shown: dict[str, str] = {}
        """Name in docs/images/measured -> the figure, SVG."""

    @cached_property
    def campaign(self) -> CampaignResult | None:
        """The campaign; None: none is kept."""
        home = self.folder / CAMPAIGN.name
        return load_campaign_result(home) if (home / "campaign.json").is_file() else None

    def result(self, name: str) -> Result | None:
        """An experiment's own result, or that of the campaign's phase; None: neither is kept."""
        own = newest_result(self.folder, name)
        if own is None and self.campaign is not None and name in self.campaign.campaign["folders"]:
            own = self.campaign.folder / self.campaign.campaign["folders"][name]
        return load_result(own) if own else None

    def figure(self, name: str, page: Path, figure: str) -> str:
        """A figure out of a stored page, with its own title and description for those who cannot see it."""
        found = re.search(rf'<svg role="img" aria-labelledby="{figure}-title .*?</svg>', _text(page), re.S)
        if found is None:
            return ""
        texts = re.findall(r"<(?:title|desc) [^>]*>(.*?)</(?:title|desc)>", found[0])
        alone = found[0].replace("width:100%;height:auto", "background:#fff", 1)
        self.shown[f"{name}-{figure}.svg"] = f"{alone}\n"
        described = re.sub(r"[\[\]\n]", " ", unescape(". ".join(texts[:2])))
        return f"![{described}](images/measured/{name}-{figure}.svg)"

    def place(self, folder: Path) -> str:
        """A kept folder as the guides name it."""
        return f"results/reference/{folder.relative_to(self.folder).as_posix()}"


def _text(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(str(cell).replace('|', '/') for cell in line)} |" for line in lines)


def missing(file: str, command: str = "run") -> str:
    """What stands where nothing is measured."""
    keep = ".venv/bin/python docs/living.py --from results"
    return f"Not measured yet. `provenir-lab {command} {file}` measures it, `{keep}` then writes it here."


def missing_experiment(name: str) -> str:
    """The same for an experiment."""
    return missing(FILES[name].relative_to(ROOT).as_posix())


def measured_on(reference: Reference, result: Result) -> str:
    """What a figure rests on, in a line."""
    e = result.environment
    return (
        f"*{tables.workload_text(result.summary)} {e['cpu']}, {e['logical_cores']} logical cores,"
        f" {e['database']} {e['database_version']}, Python {e['python']}; {result.runs[0].started[:10]},"
        f" commit {e['git_commit'] or 'unknown'}. Report: `{reference.place(result.report)}`*"
    )


# ---- the campaign


def headline(reference: Reference) -> str:
    """For the README; nothing while nothing is measured."""
    found = reference.campaign
    if found is None:
        return ""
    e = found.baseline.environment
    passport = tables.workload_text((found.end_to_end or found.baseline).summary).partition(":")[0]
    return (
        f"**Measured: {found.headline}.** {passport}, {e['cpu']} with {e['logical_cores']} logical cores,"
        f" {e['database']} {e['database_version']}. The campaign's page is"
        f" [{reference.place(found.report)}]({reference.place(found.report)}), every phase and run behind it;"
        " what it means is in the [optimisation plan](docs/optimisation-plan.md)."
    )


def baseline(reference: Reference) -> str:
    """The campaign's baseline: throughput, noise, and where the time goes."""
    found = reference.campaign
    result = found.baseline if found else reference.result("baseline")
    if result is None:
        return missing(CAMPAIGN_FILE, "campaign")
    return "\n\n".join(
        [
            f"**{result.headline}.** {tables.noise_text(result.summary) or ''}".strip(),
            f"Time by stage: {tables.share_text(result.summary)}.",
            measured_on(reference, result),
        ]
    )


def phases(reference: Reference) -> str:
    """Every experiment of the project: what it asks and how it is run. From the files alone."""
    rows = []
    for path in FILES.values():
        asked = load_experiment(path)
        if not asked.is_baseline:
            values = f"`{asked.change}`: {', '.join(str(value) for value in asked.candidates)}"
            command = f"`provenir-lab run experiments/{path.name}`"
            rows.append((asked.phase, asked.title, asked.hypothesis, values, _kind(asked), command))
    rows.sort(key=lambda row: row[0])
    return table(("phase", "title", "hypothesis", "varies", "documents", "command"), rows)


def _kind(asked: Experiment) -> str:
    shared = asked.documents.duplicate_contacts
    return asked.documents.profile + (f", {shared:.0%} with a shared contact" if shared else "")


def plan(reference: Reference) -> str:
    """The campaign's phases: expected, possible, measured, decided."""
    found = reference.campaign
    decisions = {d.experiment: d for d in found.decisions} if found else {}
    rows = []
    for file in CAMPAIGN.experiments:
        asked = load_experiment(ROOT / "experiments" / file)
        ceiling, ratio, interval, verdict, decision = _measured(decisions.get(asked.name))
        measured = ratio if interval == "–" else f"{ratio}, {interval}"
        rows.append((f"{asked.phase} {asked.title}", _gain(asked), ceiling, measured, verdict, decision))
    header = ("phase", "expected", "ceiling", "measured, with its interval", "verdict", "decision")
    parts = [table(header, rows)]
    if found is None:
        return "\n\n".join([*parts, missing(CAMPAIGN_FILE, "campaign")])
    parts += [f"- **{d.phase} {d.title}**: {d.reason}." for d in found.decisions]
    reasons = "\n".join(parts[1:])
    return "\n\n".join([parts[0], reasons, reference.figure("campaign", found.report, "forest")])


def _gain(asked: Experiment) -> str:
    low, high = asked.expected_gain_percent or (0, 0)
    return f"{low:+g} to {high:+g} %".replace("+0 ", "0 ")


def _measured(decision: Decision | None) -> tuple[str, ...]:
    if decision is None:
        return ("–", "not measured yet", "–", "–", "–")
    ratio, quick = decision.ratio, " (indicative)" if decision.indicative and decision.ratio else ""
    return (
        f"× {decision.ceiling:.2f}" if decision.ceiling else "–",
        f"× {ratio['centre']:.3f}" if ratio else "–",
        f"{ratio['low']:.3f} to {ratio['high']:.3f} ({ratio['confidence']:.1%})" if ratio else "–",
        decision.verdict + quick,
        decision.decision,
    )


def together(reference: Reference) -> str:
    """What the kept phases are worth in one."""
    found = reference.campaign
    if found is None:
        return missing(CAMPAIGN_FILE, "campaign")
    if found.end_to_end is None:
        return end_to_end_text(found)
    figure = reference.figure("campaign", found.report, "waterfall")
    return "\n\n".join([end_to_end_text(found), figure, measured_on(reference, found.end_to_end)])


def migration(reference: Reference) -> str:
    """How long a migration takes at what was measured, on compact and on realistic documents."""
    found = reference.campaign
    sources: list[tuple[str, Result, str]] = []
    if found:  # both from one session where there is one: its ratio is that of the end-to-end comparison
        whole = found.end_to_end
        sources.append(("the campaign's original settings", whole or found.baseline, BASELINE))
        if whole:
            sources.append(("the settings it accepted", whole, TOGETHER))
    realistic = reference.result("selective-parsing")
    if realistic:
        sources.append(("the original settings on realistic documents", realistic, BASELINE))
    if not sources:
        return missing(CAMPAIGN_FILE, "campaign")
    return "\n".join(
        f"- {name}: {forecast(result.folder, MIGRATION_DOCUMENTS, variant=variant).headline}"
        for name, result, variant in sources
    )


def metrics(reference: Reference) -> str:
    """The table of metrics of every phase, filled in as far as it was measured."""
    found = reference.campaign
    header = (
        "phase", "setting", "pairs, valid of planned", "before, rec/min", "after, rec/min", "spread", "ratio",
        "interval", "threshold", "verdict", "peak memory, MB", "rows verified",
    )  # fmt: skip
    if found is None:
        return "\n\n".join([table(header, [["…"] * len(header)]), missing(CAMPAIGN_FILE, "campaign")])

    def shown(value: float | None, form: str) -> str:
        return "–" if value is None else form.format(value)

    rows = []
    for d in found.decisions:
        _, ratio, interval, verdict, _ = _measured(d)
        before, after = (shown(rate, "{:,.0f}") for rate in (d.before_rec_per_min, d.after_rec_per_min))
        spread, threshold = shown(d.spread, "{:.1%}"), shown(d.threshold_percent, "{:g} %")
        memory, verified = shown(d.peak_memory_mb, "{:,.0f}"), shown(d.rows_verified, "{:,}")
        label = f"{d.phase} {d.title}"
        cells = (label, f"`{d.candidate}`", d.pairs, before, after, spread, ratio, interval, threshold)
        rows.append((*cells, verdict, memory, verified))
    return table(header, rows)


# ---- single experiments


def claimed(name: str) -> Callable[[Reference], str]:
    """The part that sets what an experiment's hypothesis claims beside what was measured."""

    def part(reference: Reference) -> str:
        asked = load_experiment(FILES[name])
        claim = f"Claim: *{asked.hypothesis}* Expected change without it: {_gain(asked)}."
        result = reference.result(name)
        if result is None:
            return "\n\n".join([claim, missing_experiment(name)])
        view = claims(result)
        figure = reference.figure(name, result.report, "forest")
        shares = f"The baseline's time by stage: {tables.share_text(result.summary)}."
        found = f"**{view.title}.** Threshold: {result.summary['threshold_percent']:g} %. {shares}"
        return "\n\n".join(
            [claim, found, table(view.header, view.rows), figure, measured_on(reference, result)]
        )

    return part


def old_start_up(reference: Reference) -> str:
    """How much of the old benchmark's time was start-up."""
    return _old(reference, "start_up")


def old_formulas(reference: Reference) -> str:
    """The efficiency, and what was taken for it."""
    return _old(reference, "formulas")


def _old(reference: Reference, view: str) -> str:
    result = reference.result("parallel-scaling")
    found = stored_old_benchmark(result) if result else None
    if found is None:
        return missing_experiment("parallel-scaling")
    shown = getattr(found, view)
    return "\n\n".join([f"**{shown.title}.**", table(shown.header, shown.rows)])


def scaling(reference: Reference) -> str:
    """Speed-up against workers, and the verdict."""
    result = reference.result("parallel-scaling")
    if result is None:
        return missing_experiment("parallel-scaling")
    figure = reference.figure("parallel-scaling", result.report, "scaling")
    return "\n\n".join([f"**{result.headline}.**", figure, measured_on(reference, result)])


# ---- benchmarks

DATABASES_COMMAND = "python3 dev.py bench --databases --json results/reference/databases.json"
LONG_COMMAND = (
    ".venv/bin/python -m benchmarks.long_run --documents 20000 --profile realistic --rounds 3"
    " --json results/reference/long/realistic-20000.json"
)
KILLS_COMMAND = (
    "python3 dev.py faults --seed 20261126 --rounds 50 --documents 2000"
    " --json results/reference/random-kills.json"
)
_UNITS = {"x": "× {}", "%": "{} %"}
"""Units that stand beside a value; others stand in the first column."""
_MARKS = {"at_least": "at least", "at_most": "at most"}


def databases(reference: Reference) -> str:
    """Every database against merely parsing the documents, a second worker's speed-up, and what limits."""
    file = reference.folder / "databases.json"
    if not file.is_file():
        return f"Not measured yet. `{DATABASES_COMMAND}` measures it."
    found = json.loads(_text(file))
    places: dict[str, list[dict[str, Any]]] = {}
    for figure in found["figures"]:
        place, _, name = figure["name"].partition(": ")
        places.setdefault(place, []).append(figure | {"name": name})
    shares = [_shares(found[f"{place}, workers"]["stages"]) for place in places]
    rows = [*_figure_rows(list(places.values())), ("time by stage, two workers", *shares)]
    command = "python3 dev.py bench --databases"
    return "\n\n".join([table(("", *places), rows), _benchmarked_on(found, command)])


def long_runs(reference: Reference) -> str:
    """From documents to tables in one go, looked at from the first tenth to the last."""
    runs = [json.loads(_text(file)) for file in sorted((reference.folder / "long").glob("*.json"))]
    if not runs:
        return f"Not measured yet. `{LONG_COMMAND}` measures it."
    titles = [f"{run['arguments']['documents']:,} {run['arguments']['profile']} documents" for run in runs]
    rows = _figure_rows([run["figures"] for run in runs])
    rounds = ("rounds, of which these are the medians", *(run["arguments"]["rounds"] for run in runs))
    workers = ("worker processes", *(run["arguments"]["workers"] for run in runs))
    command = "python -m benchmarks.long_run"
    return "\n\n".join([table(("", *titles), [workers, rounds, *rows]), _benchmarked_on(runs[0], command)])


def random_kills(reference: Reference) -> str:
    """Runs killed at random moments and run again: what was lost, doubled or told."""
    file = reference.folder / "random-kills.json"
    if not file.is_file():
        return f"Not measured yet. `{KILLS_COMMAND}` measures it."
    found = json.loads(_text(file))
    titles = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}
    columns = {titles[kind]: one for kind, one in found["databases"].items()} | {"together": found["total"]}
    rows = [
        (label, *(f"{one[name]:,}" for one in columns.values()))
        for label, name in (
            ("rounds", "rounds"),
            ("processes killed before their run was done", "kills_before_the_run_was_done"),
            ("documents lost", "lost"),
            ("documents doubled", "doubled"),
            ("values of documents, or passwords, in outputs", "canary_hits"),
            ("rounds that failed", "rounds_that_failed"),
        )
    ]
    asked = found["arguments"]
    command = (
        f"tests/random_kills.py --seed {asked['seed']} --rounds {asked['rounds']}"
        f" --documents {asked['documents']}"
    )
    return "\n\n".join([table(("", *columns), rows), _benchmarked_on(found, command)])


def _figure_rows(columns: Sequence[Sequence[Mapping[str, Any]]]) -> list[tuple[str, ...]]:
    """One row for each figure of the first column: its name, then its value in every column."""
    rows = []
    for first in columns[0]:
        label = first["name"] if first["unit"] in _UNITS else f"{first['name']} ({first['unit']})"
        same = ([f for f in column if f["name"] == first["name"]] for column in columns)
        rows.append((label, *(_value(found[0]) if found else "–" for found in same)))
    return rows


def _value(figure: Mapping[str, Any]) -> str:
    value = figure["value"]
    shown = f"{value:,.0f}" if abs(value) >= 100 else f"{value:.2f}"
    goals = [f"{words} {figure[key]:g}" for key, words in _MARKS.items() if figure[key] is not None]
    return " ".join([_UNITS.get(figure["unit"], "{}").format(shown), *(f"(goal: {mark})" for mark in goals)])


def _shares(stages: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {share:.0%}" for name, share in stages.items() if share >= 0.005)


def _benchmarked_on(found: Mapping[str, Any], command: str) -> str:
    e = found["environment"]
    return (
        f"*`{command}`: {e['cpu']}, {e['logical_cores']} logical cores that server and workers share, Python"
        f" {e['python']}; {found['written'][:10]}, commit {e['git_commit'] or 'unknown'}.*"
    )


PARTS: dict[str, Callable[[Reference], str]] = {
    "headline": headline,
    "baseline": baseline,
    "phases": phases,
    "plan": plan,
    "together": together,
    "migration": migration,
    "metrics": metrics,
    "ablation": claimed("phase1-ablation"),
    "logging": claimed("phase1-logging"),
    "selective-parsing": claimed("selective-parsing"),
    "old-start-up": old_start_up,
    "old-formulas": old_formulas,
    "scaling": scaling,
    "databases": databases,
    "long-runs": long_runs,
    "random-kills": random_kills,
}
