"""Which figures a result has."""

from __future__ import annotations

from typing import TYPE_CHECKING

from provenir_lab.lab.figures import data, draw
from provenir_lab.lab.figures.picture import Picture

if TYPE_CHECKING:
    from provenir_lab.lab.record import Result


def pictures_of(result: Result) -> list[Picture]:
    """All figures of a baseline or experiment, in reading order."""
    summary, runs = result.summary, result.runs
    pictures = []
    if summary["kind"] == "experiment":
        pictures.append(draw.forest(data.experiment_forest(summary)))
        pictures.append(draw.points(data.points(summary, runs)))
        if len(summary["variants"]) > 2:
            pictures.append(draw.sweep(data.sweep(summary, result.experiment["change"])))
    pictures.append(draw.run_order(data.run_order(summary, runs)))
    pictures.append(draw.stages(data.stages(summary)))
    within = data.slices(summary)
    if within is not None:
        pictures.append(draw.slices(within))
    if summary["scaling"]:
        pictures.append(draw.scaling(data.scaling(summary)))
    if summary["forecast"]:
        label = summary["accepted_variant"]
        pictures.append(
            draw.forecast(data.forecast([(label, summary["forecast"])], summary["workload"]["profile"]))
        )
    return pictures


def main_picture(result: Result) -> Picture:
    """The figure to look at first: a baseline's runs in order, or a comparison with its interval."""
    summary = result.summary
    if summary["kind"] == "experiment":
        return draw.forest(data.experiment_forest(summary))
    return draw.run_order(data.run_order(summary, result.runs))
