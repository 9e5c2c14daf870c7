"""Seeded bootstrap intervals: of a mean, and of paired differences between two runs on the same cases.

The percentile bootstrap (Efron): resample the cases with replacement, take the mean each time, cut off the tails. The
draws depend on the seed and the number of cases alone, so that a table is the same every time it is made. Of very many
cases the tails are not drawn but worked out: they are known more closely than 10,000 draws tell.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

RESAMPLES = 10_000
LEVEL = 0.95
MANY = 5_000
"""Values from which the quantiles of resampled means are worked out, where their skewness lets them. Ours."""
_DRAWS_AT_ONCE = 4_000_000


@dataclass(frozen=True)
class Interval:
    """A mean over n cases and its bootstrap interval; `missing` cases had no value and are in neither.

    mean is None for n = 0; low and high are None for n < 2.
    """

    mean: float | None
    low: float | None
    high: float | None
    n: int
    missing: int = 0


@dataclass(frozen=True)
class PairedDifference(Interval):
    """Mean of a - b over the cases that have both; `missing` counts the cases that lack one.

    wins, ties, losses: cases where a is better, equal, worse.
    """

    wins: int = 0
    ties: int = 0
    losses: int = 0


def bootstrap_mean(
    values: Sequence[float | None], seed: int = 0, *, resamples: int = RESAMPLES, level: float = LEVEL
) -> Interval:
    """Mean and percentile interval of the values that are not None.

    Raises:
        ValueError: a value is NaN or infinite; such a score should have been None with a reason.
    """
    present = np.array([value for value in values if value is not None], dtype=np.float64)
    if not np.isfinite(present).all():
        raise ValueError("a value is NaN or infinite: a score that can't be computed is None")
    n, missing = len(present), len(values) - len(present)
    if n == 0:
        return Interval(None, None, None, 0, missing)
    mean = float(present.mean())
    if n == 1:
        return Interval(mean, None, None, 1, missing)
    tail = (1 - level) / 2
    ends = _expanded(present, tail) if n >= MANY else None
    low, high = ends or np.quantile(_resampled_means(present, seed, resamples), [tail, 1 - tail])
    return Interval(mean, float(low), float(high), n, missing)


def paired_difference(
    a: Sequence[float | None],
    b: Sequence[float | None],
    seed: int = 0,
    *,
    higher_is_better: bool = True,
    resamples: int = RESAMPLES,
    level: float = LEVEL,
) -> PairedDifference:
    """Mean of a - b on the same cases, its interval, and in how many cases a is better.

    Args:
        a, b: values of two runs, in the same order of cases.
        higher_is_better: which sign of a - b is a win.

    Raises:
        ValueError: the runs have different numbers of cases, or a value is not finite.
    """
    pairs = zip(a, b, strict=True)
    differences = [None if x is None or y is None else float(x) - float(y) for x, y in pairs]
    interval = bootstrap_mean(differences, seed, resamples=resamples, level=level)
    signs = np.sign([d for d in differences if d is not None]) * (1 if higher_is_better else -1)
    wins, ties, losses = (int((signs == sign).sum()) for sign in (1, 0, -1))
    return PairedDifference(
        interval.mean, interval.low, interval.high, interval.n, interval.missing, wins=wins, ties=ties, losses=losses
    )


def _expanded(values: npt.NDArray[np.float64], tail: float) -> tuple[float, float] | None:
    """Both quantiles of the mean of n values drawn with replacement, by Cornish and Fisher's expansion.

    The mean has standard deviation s / sqrt(n) and skewness g / sqrt(n), of values with s and g:

        q(z) = mean + s / sqrt(n) * (z + g / (6 sqrt(n)) * (z^2 - 1))

    What is left out is of order g^2 / n and kurtosis / n: below a hundredth of s / sqrt(n), where 10,000 draws are off
    by three. None where a few values weigh so much that it is more.
    """
    n, mean, deviation = len(values), values.mean(), values.std()
    if deviation == 0:
        return float(mean), float(mean)
    away = (values - mean) / deviation
    squared = away * away
    third, fourth = float((squared * away).mean()), float((squared * squared).mean())
    if max(third**2, fourth - 3) > n / 50:
        return None
    z = NormalDist().inv_cdf(1 - tail)
    shift = third / 6 / math.sqrt(n) * (z**2 - 1)
    low, high = (float(mean + deviation / math.sqrt(n) * (end + shift)) for end in (-z, z))
    return low, high


def _resampled_means(values: npt.NDArray[np.float64], seed: int, resamples: int) -> npt.NDArray[np.float64]:
    """[resamples] means of n values drawn with replacement; in blocks, so that memory stays bounded."""
    draw, n = np.random.default_rng(seed), len(values)
    block = max(1, _DRAWS_AT_ONCE // n)
    sizes = [min(block, resamples - start) for start in range(0, resamples, block)]
    return np.concatenate([values[draw.integers(n, size=(size, n))].mean(axis=1) for size in sizes])
