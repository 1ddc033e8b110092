"""Gates, and the five verdicts in their order. Pure."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from provenir_lab.lab.record import Digests, Run
from provenir_lab.lab.statistics import Estimate, pairs_needed

VerdictName = Literal["INVALID", "FASTER", "SLOWER", "EQUIVALENT", "INCONCLUSIVE"]
TableDigests = Mapping[str, tuple[int, str]]
Decision = Literal["keep", "revert", "baseline stays", "reject"]

LEAST_CONFIDENCE = 0.95
"""Of an interval with a verdict. Fewer than six pairs do not reach it."""
NOT_GATED = "not gated: the test suites have not run, so it is not to be kept yet"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a comparison says and what follows from it; `reason` is a sentence for people."""

    name: VerdictName
    decision: Decision
    reason: str


def judge(
    log_ratio: Estimate | None,
    threshold: float,
    problems: Sequence[str] = (),
    *,
    pair_spread: float = 0.0,
    confidence: float = 0.95,
    of_what: str = "pairs",
    of_noise: bool = False,
    keep_if_equivalent: bool = False,
    gated: bool = True,
) -> Verdict:
    """The verdict over a candidate: `log_ratio` of candidate throughput / baseline throughput.

    `threshold` 0.03 means 3 %; `problems` are those of the gates. `log_ratio` None: no pair is left to judge.
    `confidence` was asked of the interval, and `of_what` names what it takes more of; `of_noise`: the
    threshold is the machine's noise floor. Not `gated`: a gate that belongs to the comparison was left out,
    so nothing is kept.
    """
    verdict = _judged(
        log_ratio, threshold, problems, pair_spread, confidence, of_what, of_noise, keep_if_equivalent
    )
    if gated or verdict.decision != "keep":
        return verdict
    return replace(verdict, decision="baseline stays", reason=f"{verdict.reason}; {NOT_GATED}")


def _judged(
    log_ratio: Estimate | None,
    threshold: float,
    problems: Sequence[str],
    pair_spread: float,
    confidence: float,
    of_what: str,
    of_noise: bool,
    keep_if_equivalent: bool,
) -> Verdict:
    if problems or log_ratio is None:
        return Verdict("INVALID", "reject", "; ".join(problems) or "no valid pair of runs")
    if log_ratio.confidence < LEAST_CONFIDENCE:
        few = f"their interval reaches {log_ratio.confidence:.1%} confidence, and a verdict takes 95%"
        return Verdict("INCONCLUSIVE", "baseline stays", f"too few {of_what}: {few}")
    t = math.log1p(threshold)
    low, high = log_ratio.low, log_ratio.high
    least, most = percent(-t), percent(t)
    note = ", the noise of this machine" if of_noise else ""
    gain = f"{percent(log_ratio.centre)} (interval {percent(low)} to {percent(high)})"
    if low > t:
        return Verdict("FASTER", "keep", f"faster by {gain}, wholly above the threshold of {most}{note}")
    if high < -t:
        return Verdict("SLOWER", "revert", f"slower: {gain}, wholly below the threshold of {least}{note}")
    if low >= -t and high <= t:
        alike = f"equivalent within {least} to {most}{note}: {gain}"
        if high < 0:
            return Verdict("EQUIVALENT", "baseline stays", f"slightly slower, {alike}")
        if keep_if_equivalent:
            return Verdict("EQUIVALENT", "keep", f"{alike}; kept, as the experiment asked")
        return Verdict("EQUIVALENT", "baseline stays", f"{alike}; the simpler setting stays")
    needed = pairs_needed(log_ratio.centre, pair_spread, threshold, confidence)
    more = f"no number of {of_what} up to 10,000" if needed is None else f"about {needed} {of_what}"
    found = f"not settled at a threshold of {most}{note}"
    if high < 0:
        found = f"slower, but perhaps by less than the threshold of {least}{note}"
    elif low > 0:
        found = f"faster, but perhaps by less than the threshold of {most}{note}"
    return Verdict("INCONCLUSIVE", "baseline stays", f"{found}: {gain}; {more} would settle it")


def percent(log_ratio: float) -> str:
    """A log ratio as a signed change: 0.0953 -> `+10.0 %`."""
    return f"{math.expm1(log_ratio) * 100:+.1f} %"


def gate_problems(baseline: Sequence[Run], candidate: Sequence[Run], digests: Digests) -> list[str]:
    """Everything for which a comparison is INVALID, however fast: void runs, other data, more failures."""
    void: dict[tuple[str, str], list[str]] = {}
    for run in (*baseline, *candidate):
        if run.void:
            void.setdefault((run.variant, run.void), []).append(str(run.order))
    problems = [
        f"{'run' if len(runs) == 1 else 'runs'} {', '.join(runs)} ({variant})"
        f" {'is' if len(runs) == 1 else 'are'} void: {reason}"
        for (variant, reason), runs in void.items()
    ]
    usual = [run for run in baseline if run.valid]
    tried = [run for run in candidate if run.valid]
    if not usual or not tried:
        return problems
    expected = usual[0].digest
    strays = next((run for run in usual if run.digest != expected), None)
    if strays is not None:
        problems.append(
            f"the baseline itself wrote different data from run to run"
            f" ({difference(digests.get(expected, {}), digests.get(strays.digest, {}))})"
        )
    wrong = next((run for run in tried if run.digest != expected), None)
    if wrong is not None:
        found = difference(digests.get(expected, {}), digests.get(wrong.digest, {}))
        problems.append(f"other data than the baseline's: {found}")
    failed, allowed = max(run.failed for run in tried), min(run.failed for run in usual)
    if failed > allowed:
        problems.append(f"{failed} documents failed, {allowed} under the baseline")
    return problems


def only_void(problems: Sequence[str]) -> bool:
    """Whether `gate_problems` found void runs and nothing else: nothing is known against the data."""
    return all(re.match(r"run \d+ \(.*\) is void: ", problem) for problem in problems)


def difference(expected: TableDigests, found: TableDigests) -> str:
    """Which tables differ, with their row counts."""
    parts = []
    for table in sorted({*expected, *found}):
        before, after = expected.get(table, (0, "")), found.get(table, (0, ""))
        if before[0] != after[0]:
            parts.append(f"{table}: {after[0]:,} rows instead of {before[0]:,}")
        elif before != after:
            parts.append(f"{table}: {after[0]:,} rows with other contents")
    return ", ".join(parts) or "tables not on record"
