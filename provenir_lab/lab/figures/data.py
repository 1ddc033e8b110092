"""What each figure shows, as plain data. Pure: from results, without drawing.

Every figure has a `title` that states the finding and a `description` for those who cannot see it.
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from operator import mul
from typing import Any

from provenir_lab.lab.order import BASELINE
from provenir_lab.lab.record import CALIBRATION, CONFIRM, MEASURE, STAGES, WARM_UP, Run
from provenir_lab.lab.statistics import median
from provenir_lab.lab.summary import odd_runs, scaling_summary, workers_of

Summary = Mapping[str, Any]


@dataclass(frozen=True)
class Point:
    """One run: its order in time and its throughput; `kind` is `measured`, `warm-up` or `void`."""

    order: int
    rec_per_min: float
    variant: str
    kind: str
    odd: bool = False
    """Far from the others of its variant; it counts all the same."""


@dataclass(frozen=True)
class RunOrder:
    """Figure 1: every run in time order."""

    title: str
    description: str
    points: tuple[Point, ...]
    median: float
    """Of the baseline's measured runs, records a minute."""


def run_order(summary: Summary, runs: Sequence[Run]) -> RunOrder:
    """Figure 1. Warm-up and void runs are shown apart; runs for finding the number of documents are left
    out.
    """
    odd = set(odd_runs(runs))
    points = tuple(
        Point(run.order, run.rec_per_min, run.variant, _kind(run), run.order in odd)
        for run in runs
        if run.part != CALIBRATION
    )
    base = _variant(summary, BASELINE)["rec_per_min"]
    drift = _drift([p.rec_per_min for p in points if p.variant == BASELINE and p.kind == "measured"])
    void = sum(p.kind == "void" for p in points)
    title = f"The baseline varies by {base['variation']:.1%} from run to run" + (
        "" if abs(drift) < 0.05 else f" and drifts by {drift:+.0%} over the session"
    )
    description = (
        f"{len(points)} runs in time order, {void} of them void, {len(odd)} odd. Baseline: median"
        f" {base['median']:,.0f} records a minute, from {base['min']:,.0f} to {base['max']:,.0f}."
    )
    return RunOrder(title, description, points, base["median"])


@dataclass(frozen=True)
class Strip:
    """The points of one variant with their median."""

    label: str
    values: tuple[float, ...]
    median: float


@dataclass(frozen=True)
class Points:
    """Figure 2: every run's throughput by variant."""

    title: str
    description: str
    strips: tuple[Strip, ...]


def points(summary: Summary, runs: Sequence[Run]) -> Points:
    """Figure 2. The runs of a sweep and those of its confirmation stand apart: their conditions differ."""
    strips = {}
    for part, note in ((MEASURE, ""), (CONFIRM, ", confirmation")):
        for variant in (v["variant"] for v in summary["variants"]):
            values = tuple(r.rec_per_min for r in runs if (r.part, r.variant) == (part, variant) and r.valid)
            if values:
                strips[part, variant] = Strip(f"{variant}{note}", values, median(values))
    judged = _judged(summary)
    part, named = (judged["parts"][-1], judged["variant"]) if judged else (MEASURE, BASELINE)
    title = f"{named} has no valid run beside the baseline's"
    first, base = strips.get((part, named)), strips.get((part, BASELINE))
    if first is not None and base is not None:
        title = f"{named}: median {first.median:,.0f} records a minute" + (
            "" if named == BASELINE else f", {BASELINE}: {base.median:,.0f}"
        )
        title += " (confirmation)" * (part == CONFIRM)
    described = (f"{s.label}: {len(s.values)} runs, median {s.median:,.0f}" for s in strips.values())
    return Points(title, f"{'; '.join(described)}.", tuple(strips.values()))


@dataclass(frozen=True)
class Interval:
    """A labelled estimate with its interval; `note` is shown beside it."""

    label: str
    centre: float
    low: float
    high: float
    note: str = ""


@dataclass(frozen=True)
class Forest:
    """Figure 3: ratios of throughput with intervals, and the band within which a change does not matter."""

    title: str
    description: str
    rows: tuple[Interval, ...]
    thresholds: tuple[float, ...]
    """Of each row: 0.03 means 3 %."""


def forest(title: str, comparisons: Sequence[tuple[str, Mapping[str, Any], float]]) -> Forest:
    """Figure 3 from (label, comparison of `summary.json`, its threshold)."""
    rows = tuple(
        Interval(
            label,
            c["ratio"]["centre"],
            c["ratio"]["low"],
            c["ratio"]["high"],
            c["verdict"] or "estimate only",
        )
        for label, c, _ in comparisons
        if c["ratio"]
    )
    thresholds = tuple(threshold for _, c, threshold in comparisons if c["ratio"])
    description = "; ".join(
        f"{r.label}: {r.centre:.3f} times the baseline's throughput, {r.low:.3f} to {r.high:.3f}, {r.note}"
        for r in rows
    )
    return Forest(title, description + ".", rows, thresholds)


def experiment_forest(summary: Summary) -> Forest:
    """Figure 3 of one experiment: its candidates; the confirmation, if there was one, apart."""
    threshold = summary["threshold_percent"] / 100
    labelled = [
        (c["variant"] + (" (confirmed)" if c["parts"] == [CONFIRM] else ""), c, threshold)
        for c in summary["comparisons"]
    ]
    judged = _judged(summary)
    title = "No comparison was judged"
    if judged is not None:
        gain = f" at {judged['ratio']['centre']:.3f} times the throughput" if judged["ratio"] else ""
        title = f"{judged['variant']} is {judged['verdict']}{gain}"
    return forest(title, labelled)


@dataclass(frozen=True)
class Waterfall:
    """Figure 4: what each kept phase multiplies throughput by, and the measured end-to-end ratio beside
    it.
    """

    title: str
    description: str
    steps: tuple[tuple[str, float], ...]
    product: float
    measured: Interval | None

    @property
    def span(self) -> tuple[float, float]:
        """The lowest and the highest that the axis has to show."""
        levels = list(accumulate((ratio for _, ratio in self.steps), mul, initial=1.0))
        ends = [self.measured.low, self.measured.high] if self.measured else []
        return min(levels + ends), max(levels + ends)


def waterfall(steps: Sequence[tuple[str, float]], measured: Interval | None) -> Waterfall:
    """Figure 4 from (phase, ratio) of the kept phases in order."""
    product = 1.0
    for _, ratio in steps:
        product *= ratio
    if not steps:
        title = "No phase was kept"
    elif measured is None:
        title = f"The kept phases multiply to {product:.2f} times the throughput"
    else:
        title = f"Kept phases multiply to {product:.2f}; measured end to end: {measured.centre:.2f} times"
    description = "; ".join(f"{label}: {ratio:.3f}" for label, ratio in steps) or "no phase kept"
    return Waterfall(title, description + ".", tuple(steps), product, measured)


@dataclass(frozen=True)
class Sweep:
    """Figure 5: throughput by the value of the setting that varies, the baseline's own = 1."""

    title: str
    description: str
    setting: str
    values: tuple[Interval, ...]
    """In order of the setting; ratios with their intervals."""
    tied: tuple[str, ...]
    """Labels of the nominated value and of those that do as well; empty: none was nominated."""
    numeric: bool


def sweep(summary: Summary, setting: str) -> Sweep:
    """Figure 5: from the sweep's own pairs, which also nominate: all values had the same conditions."""
    settings = {v["variant"]: v["settings"][setting] for v in summary["variants"]}
    shown = [(settings[BASELINE], Interval(str(settings[BASELINE]), 1.0, 1.0, 1.0, "baseline"))]
    for c in summary["comparisons"]:
        if c["parts"] == [MEASURE] and c["verdict"] is None and c["ratio"]:
            value, ratio = settings[c["variant"]], c["ratio"]
            note = "" if c["gates"]["passed"] else "gates not passed"
            shown.append((value, Interval(str(value), ratio["centre"], ratio["low"], ratio["high"], note)))
    numeric = all(isinstance(value, (int, float)) and not isinstance(value, bool) for value, _ in shown)
    if numeric:
        shown.sort(key=lambda pair: pair[0])
    values = tuple(interval for _, interval in shown)
    last = summary["comparisons"][-1]
    title = f"No value of {setting} passed the gates"
    tied: tuple[str, ...] = ()
    if last["parts"] == [CONFIRM]:
        best = str(settings[last["variant"]])
        tied = (best, *(str(settings[name]) for name in summary["tied"]))
        gain = next(interval.centre for interval in values if interval.label == best)
        title = f"{setting} {best} was nominated: {gain:.3f} times the baseline's throughput" + (
            f"; tied: {', '.join(tied[1:])}" if tied[1:] else ""
        )
    described = (
        f"{v.label}: {v.centre:.3f} ({v.low:.3f} to {v.high:.3f}){f', {v.note}' if v.note else ''}"
        for v in values
    )
    return Sweep(title, f"{'; '.join(described)}.", setting, values, tied, numeric)


@dataclass(frozen=True)
class Stages:
    """Figure 6: milliseconds a document in each stage, by variant."""

    title: str
    description: str
    bars: tuple[tuple[str, tuple[float, ...]], ...]
    """Variant -> milliseconds, in the order of `STAGES`."""


def stages(summary: Summary) -> Stages:
    """Figure 6. Seconds of the stages are summed over workers, so they are work, not elapsed time."""
    bars = tuple(
        (v["variant"], tuple(v["stages"][stage] * 1000 / v["documents"] for stage in STAGES))
        for v in summary["variants"]
        if v.get("documents")
    )
    shares = stage_shares(summary)
    largest = max(shares, key=lambda stage: shares[stage])
    title = f"{stage_name(largest)} takes the most time: {shares[largest]:.0%} of the baseline"
    description = "; ".join(
        f"{name}: "
        + ", ".join(f"{stage_name(s)} {value:.3f} ms" for s, value in zip(STAGES, parts, strict=True))
        for name, parts in bars
    )
    return Stages(title, description + ".", bars)


def stage_shares(summary: Summary) -> dict[str, float]:
    """Share of each stage in the baseline's work; waiting counts as time of its own."""
    times = _variant(summary, BASELINE)["stages"]
    total = sum(times.values()) or 1.0
    return {stage: times[stage] / total for stage in STAGES}


def stage_name(stage: str) -> str:
    """`duplicate_check` -> `Duplicate check`."""
    return stage.replace("_", " ").capitalize()


@dataclass(frozen=True)
class Slices:
    """Figure 7: throughput against documents done within a run."""

    title: str
    description: str
    lines: tuple[tuple[str, tuple[tuple[float, float], ...]], ...]
    """Variant -> (documents done, records a minute)."""


def slices(summary: Summary) -> Slices | None:
    """Figure 7; None if runs are too short to be cut."""
    lines = tuple(
        (v["variant"], tuple((s["documents"], s["rec_per_min"]) for s in v["slices"]))
        for v in summary["variants"]
        if len(v.get("slices", ())) >= 2
    )
    if not lines:
        return None
    rates = [rate for _, rate in lines[0][1]]
    third = max(1, len(rates) // 3)
    change = statistics.fmean(rates[-third:]) / statistics.fmean(rates[:third]) - 1
    title = (
        "Throughput holds as the tables fill"
        if abs(change) < 0.05
        else f"Throughput changes by {change:+.0%} from the first third of a run to the last"
    )
    description = "; ".join(
        f"{name}: " + ", ".join(f"{rate:,.0f}" for _, rate in line) for name, line in lines
    )
    return Slices(title, f"Records a minute by part of the run. {description}.", lines)


@dataclass(frozen=True)
class Scaling:
    """Figure 8: speed-up against ONE worker."""

    title: str
    description: str
    points: tuple[tuple[int, float, float], ...]
    """(workers, speed-up, efficiency)."""


def scaling(summary: Summary, runs: Sequence[Run]) -> Scaling | None:
    """Figure 8; None without a run with one worker. Its title is about the number that was judged."""
    workers = workers_of(summary)
    found = tuple((s["workers"], s["speed_up"], s["efficiency"]) for s in scaling_summary(workers, runs))
    if not found:
        return None
    judged = _judged(summary)
    named = next((p for p in found if judged and p[0] == workers[judged["variant"]]), found[-1])
    title = f"{_workers(named[0])} {named[1]:.2f} times as fast as one: efficiency {named[2]:.0%}"
    if summary["comparisons"][-1]["parts"] == [CONFIRM]:
        title += " (in the sweep)"
    described = (f"{w} worker{'s' * (w > 1)}: speed-up {g:.2f}, efficiency {e:.0%}" for w, g, e in found)
    return Scaling(title, f"{'; '.join(described)}.", found)


def _workers(count: int) -> str:
    return "1 worker is" if count == 1 else f"{count} workers are"


@dataclass(frozen=True)
class ForecastFigure:
    """Figure 9: hours for a migration, with the interval."""

    title: str
    description: str
    rows: tuple[Interval, ...]
    """Hours."""


def forecast(rows: Sequence[tuple[str, Mapping[str, Any]]], profile: str) -> ForecastFigure:
    """Figure 9 from (label, forecast of `summary.json`); `profile` is the documents' it rests on."""
    shown = tuple(Interval(label, f["hours"], f["hours_low"], f["hours_high"]) for label, f in rows)
    documents = rows[0][1]["documents"]
    last = shown[-1]
    title = f"{documents / 1e6:g} million {profile} documents take {duration(last.centre)} at this throughput"
    description = "; ".join(
        f"{r.label}: {duration(r.centre)}, from {duration(r.low)} to {duration(r.high)}" for r in shown
    )
    return ForecastFigure(title, description + ".", shown)


def duration(hours: float) -> str:
    """Up to two hours in minutes, up to two days in hours, then in days."""
    if hours < 2:
        return f"{hours * 60:.0f} minutes"
    return f"{hours:.1f} hours" if hours < 48 else f"{hours / 24:.1f} days"


def _kind(run: Run) -> str:
    if run.void:
        return "void"
    return "warm-up" if run.part == WARM_UP else "measured"


def _judged(summary: Summary) -> Mapping[str, Any] | None:
    """The comparison that has a verdict."""
    return next((c for c in reversed(summary["comparisons"]) if c["verdict"]), None)


def _variant(summary: Summary, name: str) -> Mapping[str, Any]:
    found: Mapping[str, Any] = next(v for v in summary["variants"] if v["variant"] == name)
    return found


def _drift(rates: Sequence[float]) -> float:
    """Relative change over the session, of a straight line through the rates."""
    if len(rates) < 3:
        return 0.0
    slope = statistics.linear_regression(range(len(rates)), rates).slope
    return slope * (len(rates) - 1) / statistics.fmean(rates)
