"""Stored results, used again: two side by side, and a forecast from one."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from provenir_lab.display import html_table
from provenir_lab.errors import UsageError
from provenir_lab.lab import statistics
from provenir_lab.lab.figures.data import duration
from provenir_lab.lab.plan import BASELINE_NAME
from provenir_lab.lab.record import CONFIRM, MEASURE, Folder, Result, Run, load_result, newest_result
from provenir_lab.lab.statistics import Estimate
from provenir_lab.lab.verdict import Verdict, gate_problems, judge


@dataclass(frozen=True)
class Side:
    """One of two results: what it accepted, and how fast that was."""

    folder: Path
    name: str
    variant: str
    runs: int
    median_rec_per_min: float


@dataclass(frozen=True)
class ComparedResults:
    """Two stored results. Their runs are not paired, so what changed between the sessions is in the ratio."""

    first: Side
    second: Side
    ratio: Estimate
    verdict: Verdict | None
    """None: the documents differ, so neither throughput nor data can be held against each other."""
    warnings: tuple[str, ...]
    report: Path

    @property
    def headline(self) -> str:
        """The finding in one line."""
        rates = f"{self.second.median_rec_per_min:,.0f} against {self.first.median_rec_per_min:,.0f}"
        found = "no verdict" if self.verdict is None else f"{self.verdict.name}, {self.verdict.reason}"
        return f"{rates} records a minute: {'; '.join([found, *self.warnings])}"

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "headline": self.headline,
            "first": {**asdict(self.first), "folder": str(self.first.folder)},
            "second": {**asdict(self.second), "folder": str(self.second.folder)},
            "ratio": asdict(self.ratio),
            "verdict": asdict(self.verdict) if self.verdict else None,
            "warnings": list(self.warnings),
        }

    def _repr_html_(self) -> str:
        sides = (self.first, self.second)
        rows = [(s.name, s.variant, s.runs, round(s.median_rec_per_min)) for s in sides]
        return html_table(self.headline, rows, ("result", "variant", "runs", "records a minute"))


@dataclass(frozen=True)
class MigrationForecast:
    """How long a migration takes at a stored result's throughput."""

    forecast: statistics.Forecast
    profile: str
    characters_mean: int
    report: Path

    @property
    def headline(self) -> str:
        """The finding in one line."""
        f = self.forecast
        return (
            f"{f.documents:,} {self.profile} documents of {self.characters_mean:,} characters in the mean"
            f" take {duration(f.hours)} ({duration(f.hours_low)} to {duration(f.hours_high)}) at"
            f" {f.rec_per_min:,.0f} records a minute"
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        facts = {
            "profile": self.profile,
            "characters_mean": self.characters_mean,
            "result": str(self.report.parent),
        }
        return {"headline": self.headline, **asdict(self.forecast), **facts}

    def _repr_html_(self) -> str:
        f = self.forecast
        rows = [
            ("documents", f"{f.documents:,} ({self.profile})"),
            ("records a minute", f.rec_per_min),
            ("time", duration(f.hours)),
            ("interval", f"{duration(f.hours_low)} to {duration(f.hours_high)}"),
            ("measured in", self.report.parent),
        ]
        return html_table(self.headline, rows)


def compare(folder_a: str | Path, folder_b: str | Path) -> ComparedResults:
    """The throughput of result B against that of result A, each with what it accepted.

    The threshold is the larger of both experiments' and of the noise floors they know. The same data must
    have been written; over different documents there is no verdict. Raises UsageError for a folder that holds
    no result.
    """
    a, b = load_result(folder_a), load_result(folder_b)
    runs_a, runs_b = _accepted_runs(a), _accepted_runs(b)
    logs_a, logs_b = _logs(runs_a), _logs(runs_b)
    ratio = statistics.rank_sum_estimate(logs_a, logs_b)
    verdict, same_documents = None, a.summary["workload"] == b.summary["workload"]
    if same_documents:
        threshold = max(_threshold(a), _threshold(b))
        verdict = judge(
            ratio,
            threshold,
            gate_problems(runs_a, runs_b, {**_digests(a), **_digests(b)}),
            pair_spread=math.hypot(statistics.spread(logs_a), statistics.spread(logs_b)),
            of_what="runs of each",
            of_noise=threshold > max(_own_threshold(a), _own_threshold(b)),
        )
    return ComparedResults(
        _side(a, runs_a), _side(b, runs_b), ratio.exp(), verdict, _warnings(a, b, same_documents), b.report
    )


def forecast(
    folder: str | Path | None,
    documents: int,
    *,
    results: str | Path = "results",
    variant: str | None = None,
) -> MigrationForecast:
    """How long `documents` take at the throughput of a stored result; None: the newest baseline in `results`.

    `variant` is one of the result's; None: what it accepted. Raises UsageError if there is none.
    """
    if folder is None:
        folder = newest_result(results, BASELINE_NAME)
        if folder is None:
            raise UsageError(f"{results} holds no baseline to forecast from: run provenir-lab baseline")
    result = load_result(folder)
    rates = [run.rec_per_min for run in _runs(result, variant or result.summary["accepted_variant"])]
    found = statistics.forecast(documents, statistics.median_estimate(rates))
    workload = result.summary["workload"]
    return MigrationForecast(found, workload["profile"], workload["characters_mean"], result.report)


def _accepted_runs(result: Result) -> list[Run]:
    return _runs(result, result.summary["accepted_variant"])


def _runs(result: Result, variant: str) -> list[Run]:
    runs = [r for r in result.runs if r.variant == variant and r.part in (MEASURE, CONFIRM) and r.valid]
    if not runs:
        raise UsageError(f"{result.folder} holds no valid run of {variant}")
    return runs


def _logs(runs: Sequence[Run]) -> list[float]:
    return [math.log(run.rec_per_min) for run in runs]


def _digests(result: Result) -> dict[str, dict[str, tuple[int, str]]]:
    return Folder(result.folder).digests()


def _threshold(result: Result) -> float:
    noise = result.summary["noise"]
    floor = float(noise["floor"]) if noise and noise["floor"] else 0.0
    return max(_own_threshold(result), floor)


def _own_threshold(result: Result) -> float:
    return float(result.summary["threshold_percent"]) / 100


def _side(result: Result, runs: Sequence[Run]) -> Side:
    variant = result.summary["accepted_variant"]
    median = statistics.median_estimate([run.rec_per_min for run in runs]).centre
    return Side(result.folder, result.experiment["name"], variant, len(runs), median)


def _warnings(a: Result, b: Result, same_documents: bool) -> tuple[str, ...]:
    found = []
    for key, label in (("cpu", "processors"), ("database", "databases"), ("python", "Python versions")):
        if a.environment[key] != b.environment[key]:
            found.append(f"different {label}: {a.environment[key]} and {b.environment[key]}")
    if not same_documents:
        x, y = a.summary["workload"], b.summary["workload"]
        differ = ", ".join(f"{key} {x[key]} and {y.get(key)}" for key in x if x[key] != y.get(key))
        found.append(f"different documents ({differ}): measure both on the same ones")
    return tuple(found)
