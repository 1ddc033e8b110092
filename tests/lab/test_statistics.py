"""Published examples to the digit, an independent oracle, and edge cases of the lab's statistics."""

import math
import statistics as plain

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from provenir_lab.lab import statistics

# Hollander, Wolfe & Chicken (2014), table 3.1: Hamilton depression scale factor IV, before and after.
BEFORE = [1.83, 0.50, 1.62, 2.48, 1.68, 1.88, 1.55, 3.06, 1.30]
AFTER = [0.878, 0.647, 0.598, 2.05, 1.06, 1.29, 1.06, 3.14, 1.29]


def test_published_signed_rank_interval() -> None:
    found = statistics.signed_rank_estimate([b - a for a, b in zip(BEFORE, AFTER, strict=True)])
    assert round(found.centre, 3) == -0.460
    assert (round(found.low, 3), round(found.high, 3)) == (-0.786, -0.010)
    assert round(found.confidence, 3) == 0.961


# Hollander, Wolfe & Chicken, table A.4: P(T+ >= x) for n differences.
@pytest.mark.parametrize(
    ("n", "upper", "probability"),
    [(3, 6, 0.125), (5, 15, 0.031), (6, 19, 0.047), (9, 40, 0.020), (10, 47, 0.024)],
)
def test_published_signed_rank_tail(n: int, upper: int, probability: float) -> None:
    tail = statistics._signed_rank_probabilities(n)[upper:].sum()
    assert round(float(tail), 3) == probability


def test_fewest_pairs_of_an_exact_interval() -> None:
    for confidence, fewest in statistics.MIN_PAIRS.items():
        assert statistics.signed_rank_order(fewest, confidence)[1] >= confidence
        assert statistics.signed_rank_order(fewest - 1, confidence)[1] < confidence


values = st.lists(st.integers(-1000, 1000), min_size=6, max_size=12, unique=True).filter(
    lambda xs: len({abs(a + b) for i, a in enumerate(xs) for b in xs[i:]}) == len(xs) * (len(xs) + 1) // 2
)


@settings(deadline=None)  # the first example imports scipy
@given(values)
def test_interval_holds_exactly_the_centres_that_the_test_does_not_reject(xs: list[int]) -> None:
    """The interval inverts scipy's signed-rank test: just inside either end it accepts, just outside it
    rejects.
    """
    from scipy import stats

    found = statistics.signed_rank_estimate(xs)
    for end, inside in ((found.low, 0.1), (found.high, -0.1)):
        accepted = stats.wilcoxon([x - end - inside for x in xs], mode="exact").pvalue
        rejected = stats.wilcoxon([x - end + inside for x in xs], mode="exact").pvalue
        assert accepted > 0.05 >= rejected


@given(values, st.integers(-50, 50))
def test_estimate_follows_a_shift_and_a_change_of_sign(xs: list[int], shift: int) -> None:
    found = statistics.signed_rank_estimate(xs)
    moved = statistics.signed_rank_estimate([x + shift for x in xs])
    turned = statistics.signed_rank_estimate([-x for x in xs])
    assert moved.centre == pytest.approx(found.centre + shift)
    assert (turned.low, turned.high) == (-found.high, -found.low)
    assert found.low <= found.centre <= found.high


def test_interval_of_a_median_between_order_statistics() -> None:
    found = statistics.median_estimate(list(range(1, 11)))
    assert (found.centre, found.low, found.high) == (math.sqrt(5 * 6), 2, 9)
    assert found.confidence == pytest.approx(0.9785, abs=5e-5)  # David & Nagaraja, section 7.1
    assert statistics.median_estimate([7.0]) == statistics.Estimate(7.0, 7.0, 7.0, 0.0)
    assert statistics.median_estimate([1.0, 5.0]).confidence == 0.5


@given(st.lists(st.floats(1, 1e6), min_size=1, max_size=15))
def test_interval_of_a_median_holds_the_median(xs: list[float]) -> None:
    found = statistics.median_estimate(xs)
    assert found.low <= plain.median(xs) <= found.high


@pytest.mark.parametrize(
    ("rates", "label"),
    [([100, 101, 99], "High"), ([100, 108, 92], "Medium"), ([100, 130, 70], "Low"), ([100], "Low")],
)
def test_confidence_label(rates: list[float], label: str) -> None:
    assert statistics.confidence_label(rates) == label


def test_outliers_are_found_and_none_where_nothing_varies() -> None:
    assert statistics.outliers([10.0, 10.1, 9.9, 10.05, 14.0]) == [4]
    assert statistics.outliers([1.0, 1.0, 1.0, 2.0]) == []


def test_describe() -> None:
    found = statistics.describe([90.0, 100.0, 110.0])
    assert (found["median"], found["mean"], found["stdev"], found["mad"]) == (100, 100, 10, 10)
    assert (found["min"], found["max"], found["n"]) == (90, 110, 3)


def test_log_ratios_are_candidate_over_baseline() -> None:
    assert statistics.log_ratios([(100.0, 110.0)]) == [pytest.approx(math.log(1.1))]


def test_smallest_findable_effect_is_found_as_often_as_it_says() -> None:
    """Gains of the size that it names end above the threshold in about 80 of 100 simulated sessions."""
    rng = np.random.default_rng(5)
    for pairs, confidence in ((6, 0.95), (10, 0.95), (10, 0.975), (40, 0.975)):
        effect = statistics.smallest_findable_effect(0.04, pairs, 0.03, confidence)
        ratios = rng.normal(math.log1p(effect), 0.04, (4000, pairs))
        low = statistics.signed_rank_intervals(ratios, confidence)[1]
        assert 0.72 <= np.mean(low > math.log1p(0.03)) <= 0.90


def test_more_pairs_find_smaller_effects_and_noise_hides_them() -> None:
    effect = statistics.smallest_findable_effect
    assert effect(0.04, 40, 0.03) < effect(0.04, 10, 0.03) < effect(0.08, 10, 0.03)


def test_pairs_needed() -> None:
    few, many = (statistics.pairs_needed(c, 0.04, 0.03) for c in (0.10, 0.05))
    assert few is not None and many is not None
    assert 6 <= few < many
    assert statistics.pairs_needed(math.log1p(0.03), 0.04, 0.03) is None


def test_noise_floor() -> None:
    assert statistics.noise_floor([(100.0, 101.0)] * 4) is None
    floor = statistics.noise_floor(
        [(100.0, 102.0), (100.0, 99.0), (100.0, 101.0), (100.0, 98.0), (100.0, 100.5)]
    )
    assert floor is not None
    assert floor[0] == pytest.approx(1 / 0.98 - 1)  # the widest interval of five pairs: their extremes
    assert floor[1] == pytest.approx(0.9375)


def test_forecast_turns_the_interval_round() -> None:
    found = statistics.forecast(11_000_000, statistics.Estimate(60_000, 50_000, 80_000, 0.95))
    assert found.hours == pytest.approx(11_000_000 / 60_000 / 60)
    assert found.hours_low == pytest.approx(11_000_000 / 80_000 / 60)
    assert found.hours_low < found.hours < found.hours_high


def test_ceiling() -> None:
    assert statistics.ceiling(0.5) == 2
    assert statistics.ceiling(0.0) == 1
    assert statistics.ceiling(1.0) == math.inf


# Hollander, Wolfe & Chicken, table 4.1: permeability of the chorioamnion, at term and earlier.
AT_TERM = [0.80, 0.83, 1.89, 1.04, 1.45, 1.38, 1.91, 1.64, 0.73, 1.46]
EARLIER = [1.15, 0.88, 0.90, 0.74, 1.21]


def test_published_rank_sum_interval() -> None:
    found = statistics.rank_sum_estimate(EARLIER, AT_TERM)
    assert round(found.centre, 3) == 0.305
    assert (round(found.low, 2), round(found.high, 2)) == (-0.15, 0.76)


@settings(deadline=None)
@given(
    st.lists(st.integers(0, 10**6), min_size=4, max_size=8, unique=True),
    st.lists(st.integers(0, 10**6), min_size=4, max_size=8, unique=True),
)
def test_rank_sum_interval_inverts_the_exact_test(first: list[int], second: list[int]) -> None:
    from scipy import stats

    differences = [b - a for a in first for b in second]
    if len(set(differences)) < len(differences):
        return
    found = statistics.rank_sum_estimate(first, second)
    for end, inside in ((found.low, 0.1), (found.high, -0.1)):
        accepted = stats.mannwhitneyu(first, [b - end - inside for b in second], method="exact").pvalue
        rejected = stats.mannwhitneyu(first, [b - end + inside for b in second], method="exact").pvalue
        assert accepted > 0.05 >= rejected
