"""Which figures a result has."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from provenir_lab.lab.figures import data, draw
from provenir_lab.lab.figures.picture import Picture

if TYPE_CHECKING:
    from provenir_lab.lab.record import Result


def pictures_of(result: Result) -> list[Picture]:
    """All figures of a baseline or experiment, in reading order."""
    return [drawn() for drawn in _drawings(result).values()]


def picture_of(result: Result, name: str) -> Picture | None:
    """The figure `name`; None if this result has no such figure."""
    drawn = _drawings(result).get(name)
    return drawn() if drawn else None


def main_picture(result: Result) -> Picture:
    """The figure to look at first: a baseline's runs in order, or a comparison with its interval."""
    return next(iter(_drawings(result).values()))()


def _drawings(result: Result) -> dict[str, Callable[[], Picture]]:
    """What draws each figure that the result has: drawing takes time, so only what is shown is drawn."""
    summary, runs = result.summary, result.runs
    found: dict[str, Callable[[], Picture]] = {}
    if summary["kind"] == "experiment":
        found["forest"] = lambda: draw.forest(data.experiment_forest(summary))
        found["points"] = lambda: draw.points(data.points(summary, runs))
        if len(summary["variants"]) > 2:
            found["sweep"] = lambda: draw.sweep(data.sweep(summary, result.experiment["change"]))
    found["run-order"] = lambda: draw.run_order(data.run_order(summary, runs))
    found["stages"] = lambda: draw.stages(data.stages(summary))
    within = data.slices(summary)
    if within is not None:
        found["slices"] = lambda: draw.slices(within)
    speed_up = data.scaling(summary, runs) if result.experiment["change"] == "workers" else None
    if speed_up is not None:
        found["scaling"] = lambda: draw.scaling(speed_up)
    if summary["forecast"]:
        parts = [(summary["accepted_variant"], summary["forecast"])]
        found["forecast"] = lambda: draw.forecast(data.forecast(parts, summary["workload"]["profile"]))
    return found
