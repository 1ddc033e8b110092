"""The five verdicts in their order, and the gates."""

import math
import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_order import as_run

from provenir_lab.lab.record import MEASURE, Slot
from provenir_lab.lab.statistics import Estimate
from provenir_lab.lab.verdict import gate_problems, judge

T = math.log1p(0.03)
BASE = as_run(Slot(MEASURE, 1, 1, "baseline"), 1)
NEW = as_run(Slot(MEASURE, 1, 2, "new"), 2)


def estimate(low: float, high: float) -> Estimate:
    return Estimate((low + high) / 2, low, high, 0.95)


@pytest.mark.parametrize(
    ("low", "high", "name", "decision"),
    [
        (0.05, 0.09, "FASTER", "keep"),
        (T + 1e-9, 0.09, "FASTER", "keep"),
        (-0.09, -0.05, "SLOWER", "revert"),
        (-0.01, 0.02, "EQUIVALENT", "baseline stays"),
        (-T, T, "EQUIVALENT", "baseline stays"),
        (0.01, 0.02, "EQUIVALENT", "baseline stays"),
        (-0.02, -0.01, "EQUIVALENT", "baseline stays"),
        (0.01, 0.09, "INCONCLUSIVE", "baseline stays"),
        (-0.05, 0.05, "INCONCLUSIVE", "baseline stays"),
        (T, 0.09, "INCONCLUSIVE", "baseline stays"),
    ],
)
def test_verdict_of_an_interval(low: float, high: float, name: str, decision: str) -> None:
    found = judge(estimate(low, high), 0.03, pair_spread=0.04)
    assert (found.name, found.decision) == (name, decision)


def test_invalid_comes_first_however_fast() -> None:
    found = judge(estimate(0.5, 0.6), 0.03, ["other data than the baseline's"])
    assert (found.name, found.decision, found.reason) == (
        "INVALID",
        "reject",
        "other data than the baseline's",
    )
    assert judge(None, 0.03).name == "INVALID"


def test_slightly_slower_is_said_and_never_kept() -> None:
    found = judge(estimate(-0.02, -0.01), 0.03, keep_if_equivalent=True)
    assert found.decision == "baseline stays"
    assert "slightly slower" in found.reason


def test_equivalent_is_kept_only_when_asked() -> None:
    assert judge(estimate(-0.01, 0.02), 0.03, keep_if_equivalent=True).decision == "keep"


def test_equivalent_says_within_what_and_why_so_wide() -> None:
    alike = judge(estimate(-0.01, 0.02), 0.2, of_noise=True).reason
    assert alike.startswith("equivalent within -16.7 % to +20.0 %, the noise of this machine: +0.5 %")
    assert "noise" not in judge(estimate(-0.01, 0.02), 0.03).reason


@pytest.mark.parametrize(
    ("low", "high", "words"),
    [
        (-0.09, -0.01, "slower, but perhaps by less than the threshold of -2.9 %: -4.9 %"),
        (0.01, 0.09, "faster, but perhaps by less than the threshold of +3.0 %: +5.1 %"),
        (-0.09, 0.05, "not settled at a threshold of +3.0 %: "),
    ],
)
def test_inconclusive_says_on_which_side_it_is(low: float, high: float, words: str) -> None:
    assert judge(estimate(low, high), 0.03, pair_spread=0.04).reason.startswith(words)


def test_two_looks_need_more_pairs_than_one() -> None:
    one, two = (
        judge(estimate(0.01, 0.09), 0.03, pair_spread=0.06, confidence=c).reason for c in (0.95, 0.975)
    )
    counts = [int(re.findall(r"about (\d+) pairs", reason)[0]) for reason in (one, two)]
    assert counts[0] < counts[1]


def test_inconclusive_says_how_many_pairs_would_settle_it() -> None:
    assert "about " in judge(estimate(0.01, 0.09), 0.03, pair_spread=0.04).reason


@given(st.floats(-0.5, 0.5), st.floats(0, 0.5), st.floats(0.001, 0.2))
def test_every_interval_has_one_verdict_and_a_better_one_is_never_judged_worse(
    low: float, width: float, threshold: float
) -> None:
    rank = {"SLOWER": 0, "EQUIVALENT": 1, "INCONCLUSIVE": 1, "FASTER": 2}
    here = judge(estimate(low, low + width), threshold, pair_spread=0.04)
    better = judge(estimate(low + 0.01, low + width + 0.01), threshold, pair_spread=0.04)
    assert rank[better.name] >= rank[here.name]


def test_gates_pass_for_equal_data() -> None:
    assert gate_problems([BASE], [NEW], {}) == []


def test_other_data_is_named_by_table() -> None:
    digests = {
        "d": {"app_base": (300, "a"), "app_contact_base": (310, "b"), "scores": (9, "c")},
        "e": {"app_base": (300, "a"), "app_contact_base": (12, "x"), "scores": (9, "z")},
    }
    problems = gate_problems([BASE], [replace(NEW, digest="e")], digests)
    assert problems == [
        "other data than the baseline's:"
        " app_contact_base: 12 rows instead of 310, scores: 9 rows with other contents"
    ]


def test_a_baseline_that_writes_different_data_is_found() -> None:
    problems = gate_problems([BASE, replace(BASE, digest="e")], [NEW], {})
    assert problems[0].startswith("the baseline itself wrote different data")


def test_more_failures_and_void_runs_are_problems() -> None:
    assert gate_problems([BASE], [replace(NEW, failed=2)], {}) == ["2 documents failed, 0 under the baseline"]
    assert gate_problems([BASE], [NEW, replace(NEW, void="crashed")], {}) == ["run 2 (new) is void: crashed"]
    void = [replace(NEW, void="crashed", order=order) for order in (2, 5)]
    assert gate_problems([BASE], void, {}) == ["runs 2, 5 (new) are void: crashed"]
