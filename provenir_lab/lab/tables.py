"""The tables and sentences of a report, from `summary.json` and the runs. Pure; cells are finished texts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from provenir_lab.lab.experiment import TOGETHER, variant_name
from provenir_lab.lab.figures.data import duration, stage_name, stage_shares
from provenir_lab.lab.order import BASELINE
from provenir_lab.lab.record import CALIBRATION, CONFIRM, MEASURE, STAGES, WARM_UP, Folder, Result
from provenir_lab.lab.summary import odd_runs, scaling_summary, workers_of
from provenir_lab.lab.verdict import only_void

Summary = Mapping[str, Any]

VARIANT_HEADER = [
    "variant", "runs (valid of planned)", "median", "interval of the median", "mean", "standard deviation",
    "MAD", "min", "max", "confidence", "peak memory, MB", "CPU s", "rows verified",
    "a document: characters read / bytes parsed",
]  # fmt: skip
COMPARISON_HEADER = [
    "candidate", "part", "pairs (of planned)", "ratio", "interval", "confidence", "threshold", "verdict",
    "reason",
]  # fmt: skip
STAGE_HEADER = ["variant", *(stage_name(stage).lower() for stage in STAGES), "largest share"]
RUN_HEADER = [
    "run", "part", "variant", "block", "documents", "failed", "rows", "seconds", "records a minute",
    "CPU s", "memory, MB", "remark",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a table; `aside`: shown in grey, since it does not count."""

    cells: Sequence[str]
    aside: bool = False


def cards(summary: Summary) -> list[tuple[str, str]]:
    """The few figures at the top: (value, label)."""
    name = summary["accepted_variant"]
    variant = next(v for v in summary["variants"] if v["variant"] == name)
    rate = variant["rec_per_min"]
    found = [
        (f"{rate['median']:,.0f}", f"records a minute, median ({name})"),
        (
            f"{rate['median_low']:,.0f} – {rate['median_high']:,.0f}",
            f"{rate['median_confidence']:.0%} interval",
        ),
        (rate["confidence"], f"confidence: runs vary by {rate['variation']:.1%}"),
    ]
    if summary["forecast"]:
        millions = summary["forecast"]["documents"] / 1e6
        text = f"for {millions:g} million {summary['workload']['profile']} documents"
        found.append((duration(summary["forecast"]["hours"]), text))
    judged = next((c for c in reversed(summary["comparisons"]) if c["verdict"]), None)
    if judged and judged["ratio"]:
        found.insert(0, (f"× {judged['ratio']['centre']:.3f}", f"throughput of {judged['variant']}"))
    found.append((f"{variant['failed']:,}", f"of {variant['documents']:,} documents failed"))
    return found


def conclusion(summary: Summary) -> list[str]:
    """The verdict in words, and what to do next."""
    judged = next((c for c in reversed(summary["comparisons"]) if c["verdict"]), None)
    if judged is None:
        label = next(v for v in summary["variants"] if v["variant"] == BASELINE).get("rec_per_min", {})
        if label.get("confidence") == "Low":
            return ["The runs vary by 10 % or more: close other programs, take more documents, run again."]
        return ["Experiments can be judged against this baseline.", *filter(None, [noise_text(summary)])]
    name, of_code = judged["variant"], "tests" in judged["gates"]
    lines = [f"{name} is {judged['verdict']}: {judged['reason']}."]
    lines.append(_advice(summary, judged, of_code))
    if of_code:
        lines.append(_tests_text(judged["gates"]["tests"]))
    if judged["verdict"] == "INCONCLUSIVE":
        lines.append("To settle it, take more pairs (--runs), longer runs, or a quieter machine.")
    if summary["tied"]:
        lines.append(f"These did about as well in the sweep: {', '.join(summary['tied'])}.")
    if summary["indicative"]:
        lines.append("This was the quick form: indicative. The full form decides.")
    return lines


_SETTING_ADVICE = {
    "keep": "Keep it: add {options} when processing, or let a campaign accept it.",
    "revert": "Leave {name} out. If that is a surprise, look at the stages: which one grew?",
    "reject": "Do not use it, however fast. Put right what the gates found before anything else.",
    "baseline stays": "Leave the setting as it is.",
}
_TOGETHER_ADVICE = {
    **_SETTING_ADVICE,
    "keep": "Keep them: add {options} when processing.",
    "revert": "Keep the original settings, and revert phases one at a time to find the one that costs.",
    "baseline stays": "Keep the original settings.",
}
_CODE_ADVICE = {
    "keep": "Keep the new version.",
    "revert": "Go back to the old version. If that is a surprise, look at the stages: which one grew?",
    "reject": "Do not use the new version, however fast. Put right what the gates found first.",
    "baseline stays": "The new version is no reason to change: decide by other things than speed.",
}


_VOID_ADVICE = (
    "Nothing is known against the data, but a void run leaves no verdict: see in the table of runs why it"
    " is void, put that right, and measure again."
)


def _advice(summary: Summary, judged: Mapping[str, Any], of_code: bool) -> str:
    """What to do about the verdict."""
    name, decision = judged["variant"], judged["decision"]
    if decision == "reject" and only_void(judged["gates"]["problems"]):
        return _VOID_ADVICE
    base, candidate = (
        next(v["settings"] for v in summary["variants"] if v["variant"] == wanted)
        for wanted in (BASELINE, name)
    )
    options = [f"--set {variant_name(k, v)}" for k, v in candidate.items() if base.get(k) != v]
    settings = _TOGETHER_ADVICE if name == TOGETHER else _SETTING_ADVICE
    advice = _CODE_ADVICE if of_code else settings
    return advice[decision].format(name=name, options=" ".join(options))


def _tests_text(tests: Mapping[str, Any] | None) -> str:
    if tests is None:
        return "The test suites have not run (--no-tests): this comparison is not gated by them."
    parts = [
        f"{side}: {tests[side]['passed']:,} passed, {tests[side]['failed'] + tests[side]['errors']:,} failed,"
        f" {tests[side]['skipped']:,} skipped"
        for side in ("baseline", "candidate")
    ]
    return f"Test suites ({tests['command']}): {'; '.join(parts)}."


def comparison_text(summary: Summary) -> str:
    """How to read the table of comparisons."""
    text = (
        f"Ratio: throughput of the candidate / throughput of the baseline, centre of the pairs with its exact"
        f" interval. Threshold, fixed before the first run: {summary['threshold_percent']:g} %"
        f" ({summary['threshold_source']})."
    )
    if any(c["parts"] == [CONFIRM] for c in summary["comparisons"]):
        text += " The sweep nominates; only the confirmation, on fresh runs, has a verdict."
    if summary["tied"]:
        text += f" Tied with the nominated one: {', '.join(summary['tied'])}."
    return text


def comparisons(summary: Summary) -> list[Row]:
    """A row for each comparison."""
    rows = []
    for c in summary["comparisons"]:
        ratio = c["ratio"]
        reason = c["reason"] or "; ".join(c["gates"]["problems"]) or "estimate only"
        if c["ratio_without_outliers"]:
            other = c["ratio_without_outliers"]
            odd = c["outlier_pairs"]
            pairs, them = ("pairs", "them") if len(odd) > 1 else ("pair", "it")
            reason += (
                f" (with the odd {pairs} {', '.join(map(str, odd))}; without {them} {other['centre']:.3f},"
                f" {other['low']:.3f} to {other['high']:.3f})"
            )
        rows.append(
            Row(
                [
                    c["variant"],
                    "confirmation"
                    if c["parts"] == [CONFIRM]
                    else "sweep"
                    if c["verdict"] is None
                    else "comparison",
                    f"{c['pairs']} of {c['planned']}",
                    f"{ratio['centre']:.3f}" if ratio else "–",
                    f"{ratio['low']:.3f} to {ratio['high']:.3f}" if ratio else "–",
                    f"{ratio['confidence']:.1%}" if ratio else "–",
                    f"{summary['threshold_percent']:g} %",
                    c["verdict"] or "–",
                    reason,
                ]
            )
        )
    return rows


def variant_caption(summary: Summary) -> str:
    """What the table of variants holds."""
    both = any(c["parts"] == [CONFIRM] for c in summary["comparisons"])
    return "Records a minute by variant, warm-up left out" + ("; sweep and confirmation together" * both)


def variants(summary: Summary) -> list[Row]:
    """A row for each variant."""
    rows = []
    for v in summary["variants"]:
        runs = f"{v['valid']} of {v['planned']}"
        if "rec_per_min" not in v:
            rows.append(Row([v["variant"], runs, *["–"] * (len(VARIANT_HEADER) - 2)]))
            continue
        r = v["rec_per_min"]
        cells = [f"{r[key]:,.0f}" for key in ("mean", "stdev", "mad", "min", "max")]
        interval = f"{r['median_low']:,.0f} – {r['median_high']:,.0f} ({r['median_confidence']:.0%})"
        rows.append(
            Row(
                [
                    v["variant"],
                    runs,
                    f"{r['median']:,.0f}",
                    interval,
                    *cells,
                    r["confidence"],
                    f"{v['peak_memory_mb']:,.0f}",
                    f"{v['cpu_seconds']:.2f}",
                    f"{v['rows']:,}",
                    f"{v['characters_read']:,} / {v['bytes_parsed']:,}" if v.get("characters_read") else "–",
                ]
            )
        )
    return rows


SCALING_HEADER = ["workers", "speed-up", "interval", "efficiency"]


def scaling(result: Result) -> list[Row]:
    """A row for each number of workers."""
    if result.experiment["change"] != "workers":
        return []
    found = scaling_summary(workers_of(result.summary), result.runs)
    return [
        Row(
            [
                str(s["workers"]),
                f"{s['speed_up']:.2f}",
                f"{s['low']:.2f} to {s['high']:.2f}" if s["workers"] > 1 else "–",
                f"{s['efficiency']:.0%}",
            ]
        )
        for s in found
    ]


def stages(summary: Summary) -> list[Row]:
    """Seconds by stage, a row for each variant."""
    rows = []
    for v in summary["variants"]:
        if "stages" in v:
            total = sum(v["stages"].values()) or 1.0
            largest = max(STAGES, key=lambda stage: v["stages"][stage])
            share = f"{stage_name(largest)}, {v['stages'][largest] / total:.0%}"
            rows.append(Row([v["variant"], *(f"{v['stages'][stage]:.3f}" for stage in STAGES), share]))
    return rows


def slice_header(summary: Summary) -> list[str]:
    """The documents done at the end of each part of a run, as the baseline was cut."""
    base = next(v for v in summary["variants"] if v["variant"] == BASELINE)
    return ["variant", *(f"to {s['documents']:,.0f}" for s in base.get("slices", ()))]


def slices(summary: Summary) -> list[Row]:
    """Throughput by part of the run, for the variants that were cut like the baseline."""
    width = len(slice_header(summary)) - 1
    return [
        Row([v["variant"], *(f"{s['rec_per_min']:,.0f}" for s in v["slices"])])
        for v in summary["variants"]
        if 2 <= len(v.get("slices", ())) == width
    ]


def forecast_text(summary: Summary) -> str | None:
    """The forecast in words, with the profile that it rests on."""
    f = summary["forecast"]
    if f is None:
        return None
    low, high = sorted((f["hours_low"], f["hours_high"]))
    workload = summary["workload"]
    return (
        f"{f['documents']:,} documents would take {duration(f['hours'])}"
        f" ({duration(low)} to {duration(high)}, the {f['confidence']:.0%} interval of the median)"
        f" at {f['rec_per_min']:,.0f} records a minute on this machine. It rests on"
        f" {workload['profile']} documents of {workload['characters_mean']:,} characters in"
        " the mean, on tables as full as they were here; documents of another size take another time."
    )


def workload_text(summary: Summary) -> str:
    """The workload's passport in words."""
    w = summary["workload"]
    shares = w["duplicate_contacts"]
    text = (
        f"{w['count']:,} {w['profile']} documents"
        + (f" (seed {w['seed']})" if w["seed"] is not None else " of the database's own")
        + f": {w['characters_median']:,} characters in the median, {w['characters_mean']:,} in the mean,"
        f" {w['characters_largest']:,} at most"
    )
    text += "" if shares is None else f"; {shares:.0%} with a contact that another application has"
    return (
        text
        + ". Before every run the tables were emptied and proved empty; each run had a process of its own."
    )


def noise_text(summary: Summary) -> str | None:
    """What the machine's noise allows to find."""
    noise = summary["noise"]
    if noise is None:
        return None
    floor = (
        f"Noise floor: {noise['floor']:.1%} ({noise['floor_confidence']:.0%} interval of"
        f" {noise['pairs']} pairs of the same settings)."
        if noise["floor"] is not None
        else f"{noise['pairs']} pairs of the same settings are too few for a noise floor; it takes ten runs."
    )
    return (
        f"{floor} With ten pairs this machine can find gains from about"
        f" {noise['findable_with_10_pairs']:.1%}, with forty from {noise['findable_with_40_pairs']:.1%},"
        " four times out of five."
    )


def table_digests(result: Result) -> list[Row]:
    """Rows and digest of each table, as the first run of the baseline that counts left them."""
    counted = (run for run in result.runs if run.valid and run.part == MEASURE and run.variant == BASELINE)
    first = next(counted, None)
    tables = Folder(result.folder).digests().get(first.digest, {}) if first else {}
    return [Row([name, f"{rows:,}", digest[:16]]) for name, (rows, digest) in tables.items()]


def runs(result: Result) -> list[Row]:
    """Every run in time order; the remark says why it is void, or that it is odd."""
    odd = odd_runs(result.runs)
    return [
        Row(
            [
                str(run.order),
                run.part,
                run.variant,
                str(run.block),
                f"{run.documents:,}",
                f"{run.failed:,}",
                f"{run.rows:,}",
                f"{run.seconds:.3f}",
                f"{run.rec_per_min:,.0f}",
                f"{run.cpu_seconds:.2f}",
                f"{run.peak_memory_mb:,.0f}",
                f"void: {run.void}" if run.void else "odd: far from the others" * (run.order in odd),
            ],
            aside=run.part in (CALIBRATION, WARM_UP) or not run.valid,
        )
        for run in result.runs
    ]


def machine(environment: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The environment as (name, value)."""
    e = environment
    return [
        ("Processor", f"{e['cpu']}, {e['logical_cores']} logical cores"),
        ("Memory", f"{e['memory_gb']} GB"),
        ("System", f"{e['system']}, {e['machine']}"),
        ("Python", f"{e['implementation']} {e['python']}"),
        ("Database", f"{e['database']} {e['database_version']}"),
        ("provenir_lab", f"{e['provenir_lab']}, commit {e['git_commit'] or 'unknown'}"),
        ("Libraries", ", ".join(f"{name} {version}" for name, version in e["libraries"].items())),
    ]


def share_text(summary: Summary) -> str:
    """The shares of the stages in words, largest first."""
    shares = sorted(stage_shares(summary).items(), key=lambda pair: -pair[1])
    return ", ".join(f"{stage_name(stage).lower()} {share:.0%}" for stage, share in shares if share >= 0.005)
