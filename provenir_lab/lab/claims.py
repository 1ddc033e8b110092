"""What Phase I claimed against what was measured: each optimisation by the throughput without it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from provenir_lab.lab.explore import View
from provenir_lab.lab.record import CONFIRM, Result
from provenir_lab.lab.verdict import percent

HEADER = ("variant", "pairs", "throughput, baseline = 1", "interval", "change without it", "reading")
PAYS, PERHAPS, COSTS, SAME, OPEN, WRONG = (
    "pays: slower without it",
    "slower without it, not surely by enough to matter",
    "does not pay: faster without it",
    "no difference that matters",
    "not settled",
    "writes other data",
)


def claims(result: Result) -> View:
    """Every candidate of an experiment that takes something out, read against the hypothesis that it pays.

    A row is what its interval says at the experiment's threshold. Only the candidate that was confirmed on
    fresh runs has a verdict; the reading of the others rests on the sweep.
    """
    summary = result.summary
    latest = {c["variant"]: c for c in summary["comparisons"]}  # a confirmation stands behind its sweep
    rows = [_row(c, summary["threshold_percent"] / 100) for c in latest.values()]
    paying = sum(row[-1].startswith(PAYS) for row in rows)
    title = f"{summary['title']}: {paying} of {len(rows)} pay by more than {summary['threshold_percent']:g} %"
    return View(title + (" (indicative)" if summary["indicative"] else ""), HEADER, tuple(rows))


def _row(comparison: Mapping[str, Any], threshold: float) -> tuple[str, ...]:
    ratio, pairs = comparison["ratio"], f"{comparison['pairs']} of {comparison['planned']}"
    name = comparison["variant"]
    if ratio is None or not comparison["gates"]["passed"]:
        return (name, pairs, "–", "–", "–", WRONG if not comparison["gates"]["passed"] else OPEN)
    low, high = ratio["low"], ratio["high"]
    confirmed = "" if comparison["verdict"] is None else f" ({comparison['verdict']}"
    if confirmed:
        confirmed += ", confirmed)" if comparison["parts"] == [CONFIRM] else ")"
    return (
        name,
        pairs,
        f"{ratio['centre']:.3f}",
        f"{low:.3f} to {high:.3f} ({ratio['confidence']:.1%})",
        f"{percent(math.log(low))} to {percent(math.log(high))}",
        reading(low, high, threshold) + confirmed,
    )


def reading(low: float, high: float, threshold: float) -> str:
    """What an interval of throughput without an optimisation says of it; `threshold` 0.03 means 3 %."""
    bound = 1 + threshold
    if high < 1 / bound:
        return PAYS
    if low > bound:
        return COSTS
    if low >= 1 / bound and high <= bound:
        return SAME
    return PERHAPS if high < 1 else OPEN
