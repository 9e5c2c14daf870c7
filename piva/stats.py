"""Seeded bootstrap intervals: of a mean, and of paired differences between two runs on the same cases.

The percentile bootstrap (Efron): resample the cases with replacement, take the mean each time, cut off the tails. The
draws depend on the seed and the number of cases alone, so that a table is the same every time it is made. Of very many
cases the tails are not drawn but worked out: they are known more closely than 10,000 draws tell.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

RESAMPLES = 10_000
LEVEL = 0.95
MANY = 5_000
"""Values from which the quantiles of resampled means are worked out, where their skewness lets them. Ours."""
_DRAWS_AT_ONCE = 4_000_000
_DRAWS_KEPT = (12_000_000, 100_000_000)
"""Up to so many draws, a byte each, are kept for the next number over equally many: the last 12 of them, the last 2."""

Array = npt.NDArray[np.float64]


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
    worked_out: bool = False
    """Whether the ends are Cornish and Fisher's instead of quantiles of draws."""


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
    return bootstrap_means([present], [len(values) - len(present)], seed, resamples=resamples, level=level)[0]


def bootstrap_means(
    columns: Sequence[Array], missing: Sequence[int], seed: int = 0, *, resamples: int = RESAMPLES, level: float = LEVEL
) -> list[Interval]:
    """`bootstrap_mean` of several numbers, each the same as by itself; those over equally many cases share the draws.

    Args:
        columns: the values [n] that each number has; n may differ.
        missing: how many cases lack each number.

    Raises:
        ValueError: a value is NaN or infinite.
    """
    if any(not np.isfinite(column).all() for column in columns):
        raise ValueError("a value is NaN or infinite: a score that can't be computed is None")
    tail = (1 - level) / 2
    expanded = {place: _expanded(column, tail) for place, column in enumerate(columns) if len(column) >= MANY}
    ends: dict[int, tuple[float, float]] = {place: pair for place, pair in expanded.items() if pair is not None}
    for n in {len(column) for column in columns} - {0, 1}:
        places = [place for place, column in enumerate(columns) if len(column) == n and not expanded.get(place)]
        if places:
            means = _resampled_means(np.stack([columns[place] for place in places], axis=1), seed, resamples)
            bounds = np.quantile(means, [tail, 1 - tail], axis=0).T
            ends |= {place: (float(low), float(high)) for place, (low, high) in zip(places, bounds, strict=True)}
    found = []
    for place, (column, absent) in enumerate(zip(columns, missing, strict=True)):
        low, high = ends.get(place, (None, None))
        mean = float(column.mean()) if len(column) else None
        found.append(Interval(mean, low, high, len(column), absent, bool(expanded.get(place)) and low != high))
    return found


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


def _expanded(values: Array, tail: float) -> tuple[float, float] | None:
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


def _resampled_means(values: Array, seed: int, resamples: int) -> Array:
    """[resamples, k] means of n cases drawn with replacement, the same ones for each of k numbers; values [n, k].

    In blocks, so that memory stays bounded.
    """
    n = len(values)
    summands = _summed_exactly(values)
    few, many = (n * resamples <= limit for limit in _DRAWS_KEPT)
    counts_of = _last_small if few else _last_large if many else _counts
    blocks: Iterable[npt.NDArray[np.uint8]] = counts_of(n, seed, resamples)
    return np.concatenate([counts.astype(np.float64) @ summands for counts in blocks]) / n


def _counts(n: int, seed: int, resamples: int) -> Iterator[npt.NDArray[np.uint8]]:
    """How often each of n cases is drawn in each resample, [a block of resamples, n]; the blocks do not matter.

    A byte holds a count: of n > 255 cases one is drawn more than 255 times with probability below 1e-500.
    """
    draw = np.random.default_rng(seed)
    block = max(1, _DRAWS_AT_ONCE // n)
    for start in range(0, resamples, block):
        size = min(block, resamples - start)
        chosen = draw.integers(n, size=(size, n)) + n * np.arange(size)[:, None]
        yield np.bincount(chosen.ravel(), minlength=size * n).reshape(size, n).astype(np.uint8)


@lru_cache(maxsize=12)
def _last_small(n: int, seed: int, resamples: int) -> tuple[npt.NDArray[np.uint8], ...]:
    return tuple(_counts(n, seed, resamples))


@lru_cache(maxsize=2)
def _last_large(n: int, seed: int, resamples: int) -> tuple[npt.NDArray[np.uint8], ...]:
    return tuple(_counts(n, seed, resamples))


def _summed_exactly(values: Array) -> Array:
    """The values [n, k], each column rounded to a power of two so coarse that no sum of n of them is ever rounded.

    So the order of additions, which machine, threads and k decide, is in no result: same records, same bytes. What is
    lost is below n * 2^-53 of the column's largest value.
    """
    _, exponent = np.frexp(np.abs(values).max(axis=0))  # [k]
    step = np.ldexp(1.0, np.maximum(exponent + math.ceil(math.log2(len(values))) - 53, -1074))
    return np.asarray(np.round(values / step) * step)
