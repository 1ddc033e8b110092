"""The index page of a campaign: what was gained, phase by phase, every phase linked."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from provenir_lab.lab import MIGRATION_DOCUMENTS, tables
from provenir_lab.lab.campaign import BASELINE_STEP, END_TO_END, CampaignResult, load_campaign_result
from provenir_lab.lab.decisions import Decision
from provenir_lab.lab.figures import data, draw
from provenir_lab.lab.figures.picture import Picture, standalone
from provenir_lab.lab.record import Folder
from provenir_lab.lab.report import page
from provenir_lab.lab.statistics import Estimate, forecast
from provenir_lab.lab.tables import Row
from provenir_lab.lab.verdict import percent
from provenir_lab.spreadsheet import records_csv

VERDICT_HEADER = ["phase", "verdict", "candidate", "ratio", "interval", "decision", "reason"]
MEASURED_HEADER = [
    "phase",
    "pairs (valid of planned)",
    "before, rec/min",
    "after, rec/min",
    "spread of the pairs",
    "threshold",
    "ceiling",
    "peak memory, MB",
    "rows verified",
]


_OTHER_STEPS = {BASELINE_STEP: "Baseline", END_TO_END: "Everything accepted, against the original settings"}


def render_index(folder: str | Path) -> Path:
    """Writes `index.html`, figures and `tables/decisions.csv` from what the campaign's folder holds;
    returns the page's path. Raises UsageError if the folder holds no finished campaign.
    """
    result = load_campaign_result(folder)
    kept = Folder(result.folder)
    pictures = pictures_of(result)
    for picture in pictures:
        kept.write(f"figures/{picture.name}.svg", standalone(picture.svg))
    lines = [_csv_record(line) for line in (*result.decisions, *result.reverts)]
    kept.write("tables/decisions.csv", records_csv(lines))
    return kept.write("index.html", page("index.html.j2", _values(result, pictures)))


def _csv_record(decision: Decision) -> dict[str, Any]:
    """A decision with its expected gain in two columns, which a spreadsheet reads as numbers."""
    low, high = decision.expected_gain_percent or (None, None)
    return {**asdict(decision), "expected_gain_percent": {"low": low, "high": high}}


def pictures_of(result: CampaignResult) -> list[Picture]:
    """Forest of the phases, waterfall of those kept, and the forecasts before and after."""
    judged = [d for d in result.decisions if d.ratio]
    pictures = []
    if judged:
        rows = [
            (_label(d), {"ratio": d.ratio, "verdict": d.verdict}, (d.threshold_percent or 0) / 100)
            for d in judged
        ]
        faster = sum(d.verdict == "FASTER" for d in judged)
        alike = sum(d.kept for d in judged) - faster
        title = f"{faster} of {len(judged)} measured phases: FASTER" + (
            f"; {alike} more kept as no slower" if alike else ""
        )
        pictures.append(draw.forest(data.forest(title, rows)))
    pictures.append(draw.waterfall(_waterfall(result)))
    workload = (result.end_to_end or result.baseline).summary["workload"]
    pictures.append(draw.forecast(data.forecast(_forecasts(result), workload["profile"])))
    pictures.append(draw.stages(data.stages((result.end_to_end or result.baseline).summary)))
    return pictures


def _waterfall(result: CampaignResult) -> data.Waterfall:
    steps = [(_label(d), d.ratio["centre"]) for d in result.decisions if d.kept and d.ratio]
    measured = None
    if result.end_to_end is not None and result.after is not None:
        ratio = result.end_to_end.summary["comparisons"][-1]["ratio"]
        measured = data.Interval("end to end", ratio["centre"], ratio["low"], ratio["high"])
    return data.waterfall(steps, measured)


def _forecasts(result: CampaignResult) -> list[tuple[str, Mapping[str, Any]]]:
    """Before and after; the later one last."""
    rows: list[tuple[str, Mapping[str, Any]]] = []
    rates = [("before", result.before)] + ([("after", result.after)] if result.after else [])
    for label, rate in rates:
        estimate = Estimate(
            rate["median"], rate["median_low"], rate["median_high"], rate["median_confidence"]
        )
        rows.append((label, asdict(forecast(MIGRATION_DOCUMENTS, estimate))))
    return rows


def _values(result: CampaignResult, pictures: list[Picture]) -> dict[str, Any]:
    campaign = result.campaign
    folders = campaign["folders"]
    titles = {d.experiment: _label(d) for d in result.decisions} | _OTHER_STEPS
    notes = [
        (f"{folder}/report.html", titles.get(step, step), f"{folder}/notebook.html")
        for step, folder in folders.items()
    ]
    links = [
        (href, label, notebook if (result.folder / notebook).is_file() else None)
        for href, label, notebook in notes
    ]
    return {
        "title": campaign["plan"]["title"],
        "kicker": " · ".join(["campaign", campaign["plan"]["name"], campaign["started"][:10]]),
        "headline": result.headline,
        "purpose": campaign["plan"]["purpose"],
        "cards": _cards(result),
        "pictures": pictures,
        "verdicts": [_verdict_row(d) for d in (*result.decisions, *result.reverts)],
        "verdict_header": VERDICT_HEADER,
        "measured": [_measured_row(d) for d in result.decisions],
        "measured_header": MEASURED_HEADER,
        "accepted": [
            (
                name,
                str(e["value"]),
                titles.get(str(e.get("experiment")), ""),
                str(e["result"]).rpartition("/")[2],
            )
            for name, e in result.accepted.entries.items()
            if "result" in e
        ],
        "end_to_end": end_to_end_text(result),
        "links": links,
        "workload": tables.workload_text((result.end_to_end or result.baseline).summary),
        "noise": tables.noise_text(result.baseline.summary),
        "shares": tables.share_text((result.end_to_end or result.baseline).summary),
        "machine": tables.machine(result.baseline.environment),
        "environment": result.baseline.environment,
        "quick": campaign["quick"],
    }


def _cards(result: CampaignResult) -> list[tuple[str, str]]:
    forecasts = _forecasts(result)
    cards = [(f"{result.before['median']:,.0f}", "records a minute before")]
    if result.after is not None:
        saved = forecasts[0][1]["hours"] - forecasts[-1][1]["hours"]
        millions = forecasts[0][1]["documents"] / 1e6
        cards.append((f"{result.after['median']:,.0f}", "records a minute after"))
        cards.append((data.duration(saved), f"saved for {millions:g} million documents"))
    kept = sum(d.kept for d in result.decisions)
    cards.append((f"{kept} of {len(result.decisions)}", "phases kept"))
    return cards


def _verdict_row(decision: Decision) -> dict[str, Any]:
    d, ratio = decision, decision.ratio
    return {
        "href": f"{d.evidence}/report.html" if d.evidence else None,
        "verdict": d.verdict,
        "cells": [
            _label(d),
            d.verdict + (" (indicative)" if d.indicative and d.ratio else ""),
            d.candidate,
            "–" if ratio is None else f"{ratio['centre']:.3f}",
            "–"
            if ratio is None
            else f"{ratio['low']:.3f} to {ratio['high']:.3f} ({ratio['confidence']:.1%})",
            d.decision,
            d.reason,
        ],
    }


def _measured_row(decision: Decision) -> Row:
    def shown(value: float | None, form: str) -> str:
        return "–" if value is None else form.format(value)

    d = decision
    cells = [
        _label(d),
        d.pairs,
        shown(d.before_rec_per_min, "{:,.0f}"),
        shown(d.after_rec_per_min, "{:,.0f}"),
        shown(d.spread, "{:.1%}"),
        shown(d.threshold_percent, "{:g} %"),
        shown(d.ceiling, "× {:.2f}"),
        shown(d.peak_memory_mb, "{:,.0f}"),
        shown(d.rows_verified, "{:,}"),
    ]
    return Row(cells, aside=d.evidence is None)


def _label(decision: Decision) -> str:
    return f"{decision.phase} {decision.title}".strip()


def end_to_end_text(result: CampaignResult) -> str:
    """What all that was accepted is worth together, in words."""
    product = _waterfall(result).product
    if result.end_to_end is None:
        return "Nothing was accepted, so there is nothing to compare with the original settings."
    comparison = result.end_to_end.summary["comparisons"][-1]
    ratio = comparison["ratio"]
    if result.after is None:
        return (
            "The comparison of everything accepted with the original settings is"
            f" {comparison['verdict']}, so no gain is claimed: {comparison['reason']}."
        )
    return (
        "The original settings and all accepted ones, measured in one session of blocks:"
        f" {comparison['verdict']}, {ratio['centre']:.3f} times the throughput"
        f" ({percent(math.log(ratio['low']))} to {percent(math.log(ratio['high']))})."
        f" The phases' own ratios multiply to {product:.3f}."
    )
