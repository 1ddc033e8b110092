"""From finished runs to `summary.json`: what every report, table and headline is made of. Pure."""

from __future__ import annotations

import statistics as plain_statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from provenir_lab.lab import MIGRATION_DOCUMENTS, statistics
from provenir_lab.lab.experiment import Experiment
from provenir_lab.lab.order import BASELINE, pairs_of, pairs_of_same
from provenir_lab.lab.record import CONFIRM, MEASURE, STAGES, Digests, Run
from provenir_lab.lab.statistics import Estimate
from provenir_lab.lab.suites import Suites
from provenir_lab.lab.verdict import Verdict, gate_problems, judge


@dataclass(frozen=True)
class Comparison:
    """A candidate against the baseline over the pairs of some parts. `verdict` None: only an estimate."""

    variant: str
    parts: tuple[str, ...]
    planned: int
    pairs: tuple[tuple[Run, Run], ...]
    log_ratio: Estimate | None
    spread: float
    problems: tuple[str, ...]
    verdict: Verdict | None = None


def compare(
    runs: Sequence[Run],
    digests: Digests,
    variant: str,
    parts: tuple[str, ...],
    planned: int,
    *,
    threshold: float | None = None,
    confidence: float = 0.95,
    of_noise: bool = False,
    keep_if_equivalent: bool = False,
    other_problems: Sequence[str] = (),
    gated: bool = True,
) -> Comparison:
    """The comparison of `variant` with the baseline; with a `threshold` it is judged. `of_noise`: it is the
    machine's noise floor.

    `other_problems` are those of gates beside the data; `gated`: whether these have been passed at all.
    """
    chosen = [run for run in runs if run.part in parts]
    pairs = pairs_of(chosen, variant, parts)
    ratios = _ratios(pairs)
    estimate = statistics.signed_rank_estimate(ratios, confidence) if ratios else None
    spread = statistics.spread(ratios)
    problems = gate_problems(
        [run for run in chosen if run.variant == BASELINE],
        [run for run in chosen if run.variant == variant],
        digests,
    )
    problems += other_problems
    verdict = None
    if threshold is not None:
        verdict = judge(
            estimate,
            threshold,
            problems,
            pair_spread=spread,
            confidence=confidence,
            of_noise=of_noise,
            keep_if_equivalent=keep_if_equivalent,
            gated=gated,
        )
    return Comparison(variant, parts, planned, tuple(pairs), estimate, spread, tuple(problems), verdict)


def nominate(comparisons: Sequence[Comparison]) -> str | None:
    """The candidate of a sweep that is tried again: the best estimate among those that pass the gates."""
    sound = [c for c in comparisons if c.log_ratio is not None and not c.problems]
    return max(sound, key=lambda c: c.log_ratio.centre if c.log_ratio else 0.0).variant if sound else None


def tied_with(runs: Sequence[Run], best: str, others: Sequence[str]) -> list[str]:
    """Those of `others` whose interval against `best`, over the halves of blocks they share, holds no
    change.
    """
    tied = []
    for other in others:
        ratios = _ratios(pairs_of(runs, other, (MEASURE,), best))
        if len(ratios) >= 2:
            estimate = statistics.signed_rank_estimate(ratios)
            if estimate.low <= 0 <= estimate.high:
                tied.append(other)
    return tied


def _ratios(pairs: Sequence[tuple[Run, Run]]) -> list[float]:
    return statistics.log_ratios([(first.rec_per_min, second.rec_per_min) for first, second in pairs])


def variant_summary(
    name: str, runs: Sequence[Run], planned: int, settings: Mapping[str, Any]
) -> dict[str, Any]:
    """Throughput, time, stages, memory and outcome of one variant's valid runs."""
    valid = [run for run in runs if run.valid]
    summary: dict[str, Any] = {
        "variant": name,
        "settings": dict(settings),
        "planned": planned,
        "valid": len(valid),
        "void": [{"run": run.order, "reason": run.void} for run in runs if run.void],
    }
    if not valid:
        return summary
    median = plain_statistics.median
    return summary | {
        "rec_per_min": statistics.describe([run.rec_per_min for run in valid]),
        "seconds": statistics.describe([run.seconds for run in valid]),
        "stages": {stage: median(run.stages.get(stage, 0.0) for run in valid) for stage in STAGES},
        "cpu_seconds": median(run.cpu_seconds for run in valid),
        "wall_seconds": median(run.wall_seconds for run in valid),
        "peak_memory_mb": max(run.peak_memory_mb for run in valid),
        "characters_read": round(median(run.characters_read / run.documents for run in valid)),
        "bytes_parsed": round(median(run.bytes_parsed / run.documents for run in valid)),
        "documents": valid[0].documents,
        "failed": valid[0].failed,
        "failures": dict(valid[0].failures),
        "rows": valid[0].rows,
        "outliers": odd_runs(valid),
        "slices": _median_slices(valid),
    }


def odd_runs(runs: Sequence[Run]) -> list[int]:
    """Orders of the runs far from the others of their variant, in the sweep or in the confirmation."""
    groups: dict[tuple[str, str], list[Run]] = {}
    for run in runs:
        if run.valid and run.part in (MEASURE, CONFIRM):
            groups.setdefault((run.part, run.variant), []).append(run)
    return sorted(
        group[i].order
        for group in groups.values()
        for i in statistics.outliers([run.rec_per_min for run in group])
    )


def _median_slices(runs: Sequence[Run]) -> list[dict[str, float]]:
    """Median throughput of each part of a run, over the runs that were cut alike."""
    cuts = [tuple(count for count, _ in run.slices) for run in runs]
    usual = plain_statistics.mode(cuts)
    alike = [run for run, cut in zip(runs, cuts, strict=True) if cut == usual]
    done, slices = 0, []
    for i, count in enumerate(usual):
        rates = [count / run.slices[i][1] * 60 for run in alike if run.slices[i][1] > 0]
        done += count
        if rates:
            slices.append({"documents": done, "rec_per_min": statistics.median(rates)})
    return slices


def comparison_summary(comparison: Comparison) -> dict[str, Any]:
    """Plain data of a comparison for `summary.json`; ratios as candidate / baseline."""
    ratio = comparison.log_ratio.exp() if comparison.log_ratio else None
    ratios = _ratios(comparison.pairs)
    odd = statistics.outliers(ratios)
    kept = [value for i, value in enumerate(ratios) if i not in odd]
    without = statistics.signed_rank_estimate(kept).exp() if odd and len(kept) > 1 else None
    return {
        "variant": comparison.variant,
        "parts": list(comparison.parts),
        "pairs": len(comparison.pairs),
        "planned": comparison.planned,
        "ratio": asdict(ratio) if ratio else None,
        "spread": comparison.spread,
        "ratio_without_outliers": asdict(without) if without else None,
        "outlier_pairs": [i + 1 for i in odd],
        "gates": {"passed": not comparison.problems, "problems": list(comparison.problems)},
        "verdict": comparison.verdict.name if comparison.verdict else None,
        "decision": comparison.verdict.decision if comparison.verdict else None,
        "reason": comparison.verdict.reason if comparison.verdict else None,
    }


def noise_summary(runs: Sequence[Run], experiment: Experiment) -> dict[str, Any] | None:
    """The A/A arm of a baseline, its neighbouring runs in pairs: noise floor and smallest findable gain."""
    pairs = pairs_of_same(runs, MEASURE) if experiment.is_baseline else []
    ratios = _ratios(pairs)
    if len(ratios) < 2:
        return None
    spread = plain_statistics.stdev(ratios)
    floor = statistics.noise_floor([(a.rec_per_min, b.rec_per_min) for a, b in pairs])
    return {
        "pairs": len(ratios),
        "spread": spread,
        "floor": floor[0] if floor else None,
        "floor_confidence": floor[1] if floor else None,
        "findable_with_10_pairs": statistics.smallest_findable_effect(spread, 10, experiment.threshold),
        "findable_with_40_pairs": statistics.smallest_findable_effect(spread, 40, experiment.threshold),
    }


def forecast_summary(rates: Sequence[float], documents: int = MIGRATION_DOCUMENTS) -> dict[str, Any]:
    """Time for a migration at the rates measured, with the interval of their median."""
    return asdict(statistics.forecast(documents, statistics.median_estimate(rates)))


def baseline_metrics(runs: Sequence[Run]) -> dict[str, Any]:
    """`baseline_metrics.json`, with the field names that users know."""
    rates = [run.rec_per_min for run in runs if run.valid]
    seconds = [run.seconds for run in runs if run.valid]
    return {
        "median_rec_per_min": statistics.median(rates),
        "mean_rec_per_min": plain_statistics.fmean(rates),
        "stdev_rec_per_min": statistics.spread(rates),
        "min_rec_per_min": min(rates),
        "max_rec_per_min": max(rates),
        "median_time_seconds": statistics.median(seconds),
        "stdev_time_seconds": statistics.spread(seconds),
        "num_runs": len(rates),
        "confidence": statistics.confidence_label(rates),
    }


def worker_gains(workers: Mapping[str, int], runs: Sequence[Run], against: int = 1) -> dict[int, Estimate]:
    """Throughput of each number of workers (by variant) / that of `against` workers, fewest first; from the
    pairs of the sweep alone: a confirmation has other conditions, and only some of the numbers.
    """
    single = next((name for name, count in workers.items() if count == against), None)
    found = {}
    for name, count in sorted(workers.items(), key=lambda item: item[1]):
        ratios = _ratios(pairs_of(runs, name, (MEASURE,), single)) if single else []
        if ratios:
            found[count] = statistics.signed_rank_estimate(ratios).exp()
    return found


def scaling_summary(workers: Mapping[str, int], runs: Sequence[Run]) -> list[dict[str, Any]]:
    """Speed-up with its interval and efficiency of each number of workers against ONE; nothing without a run
    with one.
    """
    rows = [
        {
            "workers": count,
            "speed_up": gain.centre,
            "low": gain.low,
            "high": gain.high,
            "efficiency": gain.centre / count,
        }
        for count, gain in worker_gains(workers, runs).items()
    ]
    return rows if len(rows) > 1 else []


def workers_of(summary: Mapping[str, Any]) -> dict[str, int]:
    """Variant -> its number of workers, as `summary.json` has it."""
    return {v["variant"]: v["settings"]["workers"] for v in summary["variants"]}


def summarise(
    experiment: Experiment,
    variants: Mapping[str, Mapping[str, Any]],
    runs: Sequence[Run],
    comparisons: Sequence[Comparison],
    *,
    workload: Mapping[str, Any],
    tied: Sequence[str] = (),
    threshold_source: str = "",
    tests: Suites | None = None,
    warnings: Sequence[str] = (),
) -> dict[str, Any]:
    """The whole of `summary.json`. `variants`: name -> settings; `comparisons`: the judged one last; `tests`:
    the test suites of two versions of the code.
    """
    estimated = [run for run in runs if run.part in (MEASURE, CONFIRM)]
    planned = {run.variant: 0 for run in estimated}
    for run in estimated:
        planned[run.variant] += 1
    if experiment.is_baseline:
        planned[BASELINE] = experiment.runs
    described = [
        variant_summary(name, [r for r in estimated if r.variant == name], planned.get(name, 0), settings)
        for name, settings in variants.items()
    ]
    decided = next((c for c in reversed(comparisons) if c.verdict is not None), None)
    best = decided.variant if decided and decided.verdict and decided.verdict.decision == "keep" else BASELINE
    rates = [run.rec_per_min for run in estimated if run.variant == best and run.valid]
    compared = [comparison_summary(c) for c in comparisons]
    if experiment.code is not None:
        compared[-1]["gates"]["tests"] = tests.to_dict() if tests else None
    summary: dict[str, Any] = {
        "kind": "baseline" if experiment.is_baseline else "experiment",
        "name": experiment.name,
        "title": experiment.title,
        "phase": experiment.phase,
        "indicative": experiment.is_quick,
        "workload": dict(workload),
        "threshold_percent": experiment.threshold_percent,
        "threshold_source": threshold_source,
        "variants": described,
        "comparisons": compared,
        "tied": list(tied),
        "accepted_variant": best,
        "noise": noise_summary(runs, experiment),
        "forecast": forecast_summary(rates) if rates else None,
        "scaling": [],
        "warnings": [*warnings, *_warnings(experiment, described)],
    }
    if experiment.change == "workers":
        summary["scaling"] = scaling_summary(workers_of(summary), runs)
    return summary | {"headline": _headline(summary, decided)}


def _warnings(experiment: Experiment, variants: Sequence[Mapping[str, Any]]) -> list[str]:
    found = []
    for variant in variants:
        if "seconds" in variant and variant["seconds"]["median"] < experiment.documents.min_seconds:
            found.append(
                f"{variant['variant']}: runs of {variant['seconds']['median']:.2f} s are shorter than"
                f" {experiment.documents.min_seconds:g} s and measure start-up and noise; take more documents"
            )
        if variant.get("failed"):
            found.append(f"{variant['variant']}: {variant['failed']} documents failed in every run")
        if variant["void"]:
            found.append(f"{variant['variant']}: {len(variant['void'])} void runs are left out")
    return found


def _headline(summary: Mapping[str, Any], decided: Comparison | None) -> str:
    base = next(v for v in summary["variants"] if v["variant"] == BASELINE)
    if "rec_per_min" not in base:
        return "no valid run of the baseline"
    rate = base["rec_per_min"]
    if decided is None or decided.verdict is None:
        return (
            f"{rate['median']:,.0f} records a minute: median of {rate['n']} runs"
            f" ({rate['min']:,.0f} to {rate['max']:,.0f}), confidence {rate['confidence']}"
        )
    name = decided.verdict.name + (" (indicative)" if summary["indicative"] else "")
    return f"{decided.variant}: {name}, {decided.verdict.decision}; {decided.verdict.reason}"
