"""The statistics of the lab, pure: numbers in, numbers out.

Sources:
    Hodges & Lehmann (1963), "Estimates of location based on rank tests", Ann. Math. Stat. 34: the centre.
    Hollander, Wolfe & Chicken (2014), "Nonparametric Statistical Methods", 3rd ed., section 3.3: the exact
        interval of the signed-rank test from ordered Walsh averages; section 4.3: that of the rank-sum test.
    David & Nagaraja (2003), "Order Statistics", 3rd ed., section 7.1: the exact interval of a median.
    Iglewicz & Hoaglin (1993), "How to Detect and Handle Outliers": the modified z-score with its limit 3.5.
    Lehmann (2006), "Nonparametrics", section 2.4: efficiency 3/pi of the signed-rank test against the t test.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import accumulate
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

MIN_PAIRS = {0.95: 6, 0.975: 7}
"""Fewest pairs for which an exact interval of that confidence exists."""
_RANK_EFFICIENCY = 3 / math.pi
_OUTLIER_LIMIT = 3.5


@dataclass(frozen=True, slots=True)
class Estimate:
    """Centre and interval of something; `confidence` is the one that the interval really has."""

    centre: float
    low: float
    high: float
    confidence: float

    def exp(self) -> Estimate:
        """The same on the scale of ratios, for an estimate made of logarithms."""
        return Estimate(math.exp(self.centre), math.exp(self.low), math.exp(self.high), self.confidence)


@cache
def _signed_rank_probabilities(n: int) -> Floats:
    """P(W = w) of the signed-rank statistic of n differences without effect, for w = 0 .. n(n+1)/2."""
    probabilities = np.zeros(n * (n + 1) // 2 + 1)
    probabilities[0] = 1.0
    for rank in range(1, n + 1):
        shifted = np.zeros_like(probabilities)
        shifted[rank:] = probabilities[:-rank]
        probabilities = (probabilities + shifted) / 2
    return probabilities


@cache
def signed_rank_order(n: int, confidence: float) -> tuple[int, float]:
    """Which ordered Walsh averages bound the interval: (k, achieved confidence), k counted from 1 at each
    end.

    With too few differences for `confidence` the widest interval (k = 1) is given with what it achieves.
    """
    tails = np.cumsum(_signed_rank_probabilities(n))
    k = int(np.searchsorted(tails, (1 - confidence) / 2 * (1 + 1e-12), side="right"))
    k = max(k, 1)
    return k, float(1 - 2 * tails[k - 1])


def walsh_averages(values: Floats) -> Floats:
    """Means of all pairs along the last axis, each value with itself too: (..., n) -> (..., n(n+1)/2),
    sorted.
    """
    first, second = np.triu_indices(values.shape[-1])
    return np.sort((values[..., first] + values[..., second]) / 2, axis=-1)


def signed_rank_intervals(values: Floats, confidence: float = 0.95) -> tuple[Floats, Floats, Floats]:
    """Hodges-Lehmann centre, low and high end along the last axis, for many samples at once."""
    walsh = walsh_averages(values)
    k, _ = signed_rank_order(values.shape[-1], confidence)
    return np.median(walsh, axis=-1), walsh[..., k - 1], walsh[..., -k]


def signed_rank_estimate(values: Sequence[float], confidence: float = 0.95) -> Estimate:
    """Hodges-Lehmann centre of `values` with the exact interval of the Wilcoxon signed-rank test."""
    centre, low, high = signed_rank_intervals(np.asarray(values, dtype=np.float64), confidence)
    return Estimate(float(centre), float(low), float(high), signed_rank_order(len(values), confidence)[1])


@cache
def _rank_sum_probabilities(m: int, n: int) -> Floats:
    """P(U = u) of the Mann-Whitney statistic of samples of m and n values without effect, for u = 0 .. m n.

    The counts are the coefficients of the Gaussian binomial coefficient.
    """
    counts = [1] + [0] * (m * n)
    for i in range(1, m + 1):
        for u in range(m * n, n + i - 1, -1):
            counts[u] -= counts[u - n - i]
        for u in range(i, m * n + 1):
            counts[u] += counts[u - i]
    return np.array(counts, dtype=np.float64) / math.comb(m + n, m)


def rank_sum_estimate(first: Sequence[float], second: Sequence[float], confidence: float = 0.95) -> Estimate:
    """How far `second` lies above `first`: Hodges-Lehmann centre with the exact interval of the rank-sum
    test.

    For samples that are not paired. Too few values give the widest interval with the confidence it has.
    """
    differences = np.sort(np.subtract.outer(np.asarray(second, float), np.asarray(first, float)).ravel())
    tails = np.cumsum(_rank_sum_probabilities(len(first), len(second)))
    k = max(1, int(np.searchsorted(tails, (1 - confidence) / 2 * (1 + 1e-12), side="right")))
    achieved = max(0.0, float(1 - 2 * tails[k - 1]))
    return Estimate(
        float(np.median(differences)), float(differences[k - 1]), float(differences[-k]), achieved
    )


def median(values: Sequence[float]) -> float:
    """The median of rates or of times, over their logarithms: of an even number the geometric mean of the two
    in the middle, so that the median rate and the median time are of the same run.
    """
    low, high = statistics.median_low(values), statistics.median_high(values)
    return low if low == high else math.sqrt(low * high)


def median_estimate(values: Sequence[float], confidence: float = 0.95) -> Estimate:
    """The `median` with the exact interval between two order statistics.

    With fewer than six values no 95 % interval exists: the range is given with the confidence it has.
    """
    ordered, n = sorted(values), len(values)
    tails = list(accumulate(math.comb(n, k) / 2**n for k in range((n + 1) // 2)))
    k = max(1, sum(tail <= (1 - confidence) / 2 for tail in tails))
    return Estimate(median(ordered), ordered[k - 1], ordered[-k], max(0.0, 1 - 2 * tails[k - 1]))


def median_absolute_deviation(values: Sequence[float]) -> float:
    """Median distance from the median, unscaled."""
    centre = statistics.median(values)
    return statistics.median(abs(value - centre) for value in values)


def outliers(values: Sequence[float]) -> list[int]:
    """Positions whose modified z-score exceeds 3.5. They are marked and reported, never dropped."""
    mad = median_absolute_deviation(values) if values else 0.0
    if mad == 0:
        return []
    centre = statistics.median(values)
    return [i for i, value in enumerate(values) if 0.6745 * abs(value - centre) / mad > _OUTLIER_LIMIT]


def spread(values: Sequence[float]) -> float:
    """Standard deviation; 0 for a single value."""
    return statistics.stdev(values) if len(values) > 1 else 0.0


def variation(values: Sequence[float]) -> float:
    """Coefficient of variation: standard deviation / mean; 0 for a single value."""
    return spread(values) / statistics.fmean(values)


def confidence_label(values: Sequence[float]) -> str:
    """High under 5 % coefficient of variation, Medium under 10 %, else Low (and for a single value)."""
    if len(values) < 2:
        return "Low"
    share = variation(values)
    return "High" if share < 0.05 else "Medium" if share < 0.10 else "Low"


def describe(values: Sequence[float]) -> dict[str, Any]:
    """Median with interval, mean, spread and range of one variant's rates, as plain data."""
    estimate = median_estimate(values)
    return {
        "n": len(values),
        "median": estimate.centre,
        "median_low": estimate.low,
        "median_high": estimate.high,
        "median_confidence": estimate.confidence,
        "mean": statistics.fmean(values),
        "stdev": spread(values),
        "mad": median_absolute_deviation(values),
        "min": min(values),
        "max": max(values),
        "variation": variation(values),
        "confidence": confidence_label(values),
    }


def log_ratios(pairs: Sequence[tuple[float, float]]) -> list[float]:
    """ln(candidate / baseline) of pairs (baseline, candidate) of rates."""
    return [math.log(candidate / baseline) for baseline, candidate in pairs]


def smallest_findable_effect(
    pair_spread: float, pairs: int, threshold: float, confidence: float = 0.95, power: float = 0.8
) -> float:
    """The smallest true gain (0.05 = 5 %) that is called FASTER with probability `power`.

    `pair_spread` is the standard deviation of the pairs' log ratios, `threshold` the practical one (0.03 =
    3 %). The quantiles are Student's with the rank test's efficiency: the power of the t test, slightly
    widened.
    """
    from scipy import stats

    achieved = signed_rank_order(pairs, confidence)[1]
    quantiles = stats.t.ppf([(1 + achieved) / 2, power], pairs - 1)
    error = pair_spread / math.sqrt(pairs * _RANK_EFFICIENCY)
    return math.expm1(math.log1p(threshold) + float(quantiles.sum()) * error)


def pairs_needed(
    centre: float, pair_spread: float, threshold: float, confidence: float = 0.95, power: float = 0.8
) -> int | None:
    """How many pairs would settle a comparison if `centre` (a log ratio) is the truth; None: over 10,000.

    Settled means: the interval leaves the threshold ln(1 + threshold) on one side.
    """
    margin = abs(abs(centre) - math.log1p(threshold))
    normal = statistics.NormalDist()
    quantiles = normal.inv_cdf((1 + confidence) / 2) + normal.inv_cdf(power)
    if margin == 0 or (needed := (quantiles * pair_spread / margin) ** 2 / _RANK_EFFICIENCY) > 10_000:
        return None
    return max(MIN_PAIRS[0.975 if confidence > 0.95 else 0.95], math.ceil(needed))


def noise_floor(pairs: Sequence[tuple[float, float]]) -> tuple[float, float] | None:
    """(floor, confidence) from pairs of runs of the same settings: the largest effect (0.02 = 2 %) that their
    interval still holds possible. None under five pairs: too few to say.
    """
    if len(pairs) < 5:
        return None
    estimate = signed_rank_estimate(log_ratios(pairs))
    return math.expm1(max(abs(estimate.low), abs(estimate.high))), estimate.confidence


@dataclass(frozen=True, slots=True)
class Forecast:
    """Time for `documents` at a measured rate, in hours, with the ends of its interval."""

    documents: int
    rec_per_min: float
    hours: float
    hours_low: float
    hours_high: float
    confidence: float


def forecast(documents: int, rec_per_min: Estimate) -> Forecast:
    """How long `documents` take at `rec_per_min`; a higher rate is a shorter time, so the ends change
    places.
    """
    return Forecast(
        documents,
        rec_per_min.centre,
        documents / rec_per_min.centre / 60,
        documents / rec_per_min.high / 60,
        documents / rec_per_min.low / 60,
        rec_per_min.confidence,
    )


def ceiling(share: float) -> float:
    """The best speed-up that removing a stage with this share of the time could give (Amdahl 1967)."""
    return math.inf if share >= 1 else 1 / (1 - share)
