"""Simulated sessions with known truth: how often the lab errs, and how often it finds what is there.

Seeded and vectorised. The sessions run the order that `order.blocks` plans, through the statistics and
the verdicts that real ones run through; `test_conduct` covers the code between.
"""

import math

import numpy as np
import pytest
from lab_simulation import SimulatedWorkshop, experiment, run

from provenir_lab.lab import statistics
from provenir_lab.lab.experiment import Experiment
from provenir_lab.lab.order import blocks
from provenir_lab.lab.plan import confidence_of
from provenir_lab.lab.record import MEASURE
from provenir_lab.lab.verdict import judge

SESSIONS = 4000
NOISE = 0.03
THRESHOLD = 0.03
DEFAULT = Experiment(name="default", title="A design without a word about it")
TWO_LOOKS = 0.975
"""Confidence of the intervals where a second look is planned."""


def order_of(variants: int, pairs: int) -> np.ndarray:
    """Which variant (0: the baseline) runs at each place of the session."""
    names = ["baseline", *(f"v{i}" for i in range(1, variants))]
    return np.array([names.index(slot.variant) for slot in blocks(MEASURE, names, pairs, seed=1)])


def ratios(
    rng: np.random.Generator, truth: list[float], pairs: int, drift: str = "none", sessions: int = SESSIONS
) -> np.ndarray:
    """Log ratios of every candidate's pairs: (sessions, candidates, pairs). `truth`: log gains."""
    order = order_of(len(truth) + 1, pairs)
    places = len(order)
    logs = rng.normal(0, NOISE, (sessions, places))
    if drift == "smooth":
        logs += math.log(0.7) * np.linspace(0, 1, places)
    elif drift == "walk":
        logs += rng.normal(0, NOISE / 2, (sessions, places)).cumsum(axis=1)
    logs += np.array([0.0, *truth])[order]
    halves = logs.reshape(sessions, -1, len(truth) + 1)
    variants = order.reshape(-1, len(truth) + 1)
    at = np.argsort(variants, axis=1)
    by_variant = np.take_along_axis(halves, np.broadcast_to(at, (sessions, *at.shape)), axis=2)
    return (by_variant[:, :, 1:] - by_variant[:, :, :1]).transpose(0, 2, 1)


def verdicts(sample: np.ndarray, confidence: float) -> np.ndarray:
    """Verdict names over (sessions, pairs)."""
    t = math.log1p(THRESHOLD)
    _, low, high = statistics.signed_rank_intervals(sample, confidence)
    settled = np.where(high < -t, "SLOWER", np.where((low >= -t) & (high <= t), "EQUIVALENT", "INCONCLUSIVE"))
    return np.where(low > t, "FASTER", settled)


def two_looks(sample: np.ndarray, first: int) -> np.ndarray:
    """The final verdict when an inconclusive first look goes on to all pairs."""
    early = verdicts(sample[:, :first], TWO_LOOKS)
    return np.where(early == "INCONCLUSIVE", verdicts(sample, TWO_LOOKS), early)


def test_vectorised_verdicts_are_those_of_the_lab() -> None:
    sample = np.random.default_rng(1).normal(0.03, 0.03, (200, 10))
    expected = [
        judge(statistics.signed_rank_estimate(list(row), 0.975), THRESHOLD, pair_spread=0.04).name
        for row in sample
    ]
    assert list(verdicts(sample, 0.975)) == expected


@pytest.mark.parametrize("drift", ["none", "smooth", "walk"])
def test_without_an_effect_a_false_alarm_is_rare(drift: str) -> None:
    sample = ratios(np.random.default_rng(2), [0.0], 40, drift)[:, 0]
    both = two_looks(sample, 10)
    assert np.isin(both, ["FASTER", "SLOWER"]).mean() <= 0.05
    quick = verdicts(ratios(np.random.default_rng(3), [0.0], 6, drift)[:, 0], 0.95)
    assert np.isin(quick, ["FASTER", "SLOWER"]).mean() <= 0.05


@pytest.mark.parametrize("drift", ["none", "smooth", "walk"])
def test_at_the_threshold_itself_faster_is_said_at_most_one_time_in_twenty(drift: str) -> None:
    sample = ratios(np.random.default_rng(4), [math.log1p(THRESHOLD)], 40, drift)[:, 0]
    assert (two_looks(sample, 10) == "FASTER").mean() <= 0.05


@pytest.mark.parametrize("drift", ["none", "smooth", "walk"])
def test_a_gain_of_ten_percent_is_found(drift: str) -> None:
    """Ten pairs suffice where they are the only look. The default design has a second one, and stricter
    intervals: both looks together find it, already with the twenty pairs that most experiments here end at.
    """
    design = experiment(runs=DEFAULT.runs, max_runs=DEFAULT.max_runs)
    assert (design.runs, confidence_of(design)) == (10, TWO_LOOKS)
    sample = ratios(np.random.default_rng(11), [math.log(1.1)], design.max_runs, drift)[:, 0]
    assert (verdicts(sample[:, :10], 0.95) == "FASTER").mean() >= 0.95
    assert (two_looks(sample, design.runs) == "FASTER").mean() >= 0.99
    assert (two_looks(sample[:, :20], design.runs) == "FASTER").mean() >= 0.99


@pytest.mark.parametrize(
    ("drift", "low", "high"), [("none", 0.94, 0.97), ("smooth", 0.94, 1.0), ("walk", 0.94, 1.0)]
)
def test_the_interval_covers_the_truth(drift: str, low: float, high: float) -> None:
    truth = math.log(1.07)
    sample = ratios(np.random.default_rng(6), [truth], 10, drift, sessions=10_000)[:, 0]
    _, left, right = statistics.signed_rank_intervals(sample, 0.95)
    assert low <= ((left <= truth) & (truth <= right)).mean() <= high


@pytest.mark.parametrize("drift", ["none", "smooth"])
def test_the_winner_of_six_equal_settings_is_rarely_confirmed(drift: str) -> None:
    rng = np.random.default_rng(7)
    sweep = ratios(rng, [0.0] * 6, 10, drift)
    centres = statistics.signed_rank_intervals(sweep)[0]
    assert centres.max(axis=1).mean() > 0.01  # the best of six does look better than it is
    confirmation = ratios(rng, [0.0], 40, drift)[:, 0]
    assert np.isin(two_looks(confirmation, 10), ["FASTER", "SLOWER"]).mean() <= 0.05


def test_equal_settings_are_called_equivalent_more_often_with_more_pairs() -> None:
    ten = verdicts(ratios(np.random.default_rng(8), [0.0], 10)[:, 0], 0.95)
    forty = verdicts(ratios(np.random.default_rng(9), [0.0], 40)[:, 0], 0.95)
    assert 0.1 <= (ten == "EQUIVALENT").mean() <= 0.4
    assert (forty == "EQUIVALENT").mean() >= 0.95


def test_sessions_of_the_baseline_against_itself_raise_no_alarm(tmp_path, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    """A hundred whole sessions of equal settings: EQUIVALENT or INCONCLUSIVE in at least 95 of them."""
    monkeypatch.setattr("provenir_lab.lab.report.render", lambda folder: folder)
    monkeypatch.setattr("os.fsync", lambda file: None)
    rng = np.random.default_rng(10)
    found = []
    for i in range(100):
        workshop = SimulatedWorkshop(lambda settings, number: 1000 * math.exp(rng.normal(0, NOISE)))
        result = run(workshop, experiment(candidates=[1000], runs=10, max_runs=20), tmp_path / str(i))
        found.append(result.summary["comparisons"][-1]["verdict"])
    assert sum(name in ("EQUIVALENT", "INCONCLUSIVE") for name in found) >= 95
