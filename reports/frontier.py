"""What each method trades for what: every run a point, every method a curve, and methods compared at a matched level.

A method's curve is what its runs reach, mixtures included: editing a share w of the cases with one setting and the rest
with another gives, on average, every point between the two. At a level of one number (edit success of at least 40 %,
say) the best mean of another that such a mixture of two runs reaches is therefore

    best x with y >= level = best over i, j of  w x_i + (1 - w) x_j,  w = (level - y_j) / (y_i - y_j),

over runs with y_j < level <= y_i, or x_i alone. Intervals are percentile bootstraps over cases: each resample takes
the same cases of every run, and finds both methods' best anew.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from piva.errors import ConfigError
from piva.stats import LEVEL as CONFIDENCE
from reports.reading import Run, info, same_cases

RESAMPLES = 2_000
SEED = 0
Array = npt.NDArray[np.float64]
NUMBERS_AT_ONCE = 2_000_000
"""Of the arrays over resamples and pairs of runs."""


@dataclass(frozen=True)
class Matched:
    """Two methods' best mean of one number where another is at a level; None where a method does not get there."""

    level: float
    a: float | None
    b: float | None
    difference: float | None
    """a - b."""
    low: float | None
    high: float | None
    reached: float
    """Share of the resamples in which both methods reach the level; the interval is over these."""


def common_cases(runs: Sequence[Run], names: Sequence[str]) -> list[str]:
    """Ids of the cases for which every run has all of `names`; a case that was another one in some run is left out.

    Raises:
        ConfigError: there is none.
    """
    ids = set.intersection(*(set(run.ok) for run in runs)) if runs else set()
    same = same_cases(runs, sorted(ids))
    found = [i for i in same if all(run.value(i, name) is not None for run in runs for name in names)]
    if not found:
        raise ConfigError(f"no case has {', '.join(names)} in every run")
    return found


def table(runs: Sequence[Run], ids: Sequence[str], name: str) -> Array:
    """[runs, cases]."""
    return np.array([[run.value(case_id, name) for case_id in ids] for run in runs], dtype=np.float64)


def resampled(values: Array, resamples: int = RESAMPLES, seed: int = SEED) -> Array:
    """Means [resamples, runs] over cases drawn with replacement, the same ones for every run and every number."""
    n = values.shape[1]
    chosen = np.random.default_rng(seed).integers(n, size=(resamples, n))
    counts = np.stack([np.bincount(row, minlength=n) for row in chosen])  # [resamples, cases]
    return counts @ values.T / n


def best_at(x: Array, y: Array, level: float, smaller_x: bool) -> Array:
    """Best mean of x among the mixtures of two runs whose mean of y is at least `level`; NaN where none is.

    Args:
        x, y: means [resamples, runs]; larger y is better.
        smaller_x: whether smaller x is better.

    Returns:
        [resamples].
    """
    at_once = max(1, NUMBERS_AT_ONCE // x.shape[1] ** 2)
    blocks = [slice(start, start + at_once) for start in range(0, len(x), at_once)]
    return np.concatenate([_best_at(x[block], y[block], level, smaller_x) for block in blocks])


def _best_at(x: Array, y: Array, level: float, smaller_x: bool) -> Array:
    """`best_at`, of pairs of runs for all resamples together."""
    sign = 1.0 if smaller_x else -1.0
    alone = np.where(y >= level, sign * x, np.inf).min(axis=1)
    above, below = y[:, :, None], y[:, None, :]  # i reaches the level, j does not
    spans = (above >= level) & (below < level)
    w = np.where(spans, (level - below) / np.where(spans, above - below, 1.0), 0.0)
    mixed = np.where(spans, sign * (w * x[:, :, None] + (1 - w) * x[:, None, :]), np.inf).min(axis=(1, 2))
    best = np.minimum(alone, mixed)
    return np.where(np.isfinite(best), sign * best, np.nan)


def matched(a: Sequence[Run], b: Sequence[Run], over: str, match: str, levels: Sequence[float]) -> list[Matched]:
    """The best mean of `over` that the runs `a`, and the runs `b`, reach where the mean of `match` is at least a level.

    A shift or a ratio is compared by its distance from the best value of each case.
    """
    runs, parts = [*a, *b], (slice(0, len(a)), slice(len(a), None))
    ids = common_cases(runs, [over, match])
    x, smaller_x = oriented(runs, ids, over)
    y, smaller_y = oriented(runs, ids, match)
    y, sign = (-y, -1.0) if smaller_y else (y, 1.0)
    plain, boot = (x.mean(axis=1)[None], y.mean(axis=1)[None]), (resampled(x), resampled(y))
    results = []
    for level in levels:
        best = [
            [best_at(of_x[:, part], of_y[:, part], sign * level, smaller_x) for part in parts]
            for of_x, of_y in (plain, boot)
        ]
        results.append(_summary(level, *best))
    return results


def shared_levels(a: Sequence[Run], b: Sequence[Run], over: str, match: str, count: int = 4) -> list[float]:
    """Levels of `match` that both methods reach and neither passes with every run: `count`, evenly spaced."""
    ids = common_cases([*a, *b], [over, match])
    found = [oriented(runs, ids, match) for runs in (a, b)]
    sign = -1.0 if found[0][1] else 1.0
    means = [sign * values.mean(axis=1) for values, _ in found]
    low, high = max(m.min() for m in means), min(m.max() for m in means)
    return [float(sign * level) for level in np.linspace(low, high, count + 1)[1:]] if high > low else []


def curve(x: Array, y: Array, smaller_x: bool, smaller_y: bool, points: int = 60) -> tuple[Array, Array]:
    """A method's curve [points]: x and y of the best mixtures, from the means [runs] of its runs."""
    sign = -1.0 if smaller_y else 1.0
    levels = np.linspace((sign * y).min(), (sign * y).max(), points)
    best = np.array([best_at(x[None], sign * y[None], level, smaller_x)[0] for level in levels])
    return best, sign * levels


def oriented(runs: Sequence[Run], ids: Sequence[str], name: str) -> tuple[Array, bool]:
    """Values [runs, cases] of a number, and whether smaller is better."""
    facts, values = info(name), table(runs, ids, name)
    if facts.higher_is_better is None:
        return np.abs(values - (facts.best or 0.0)), True
    return values, not facts.higher_is_better


def _summary(level: float, plain: Sequence[Array], boot: Sequence[Array]) -> Matched:
    a, b = (None if np.isnan(one[0]) else float(one[0]) for one in plain)
    gaps = boot[0] - boot[1]
    gaps = gaps[~np.isnan(gaps)]
    reached = len(gaps) / len(boot[0])
    if a is None or b is None or not len(gaps):
        return Matched(level, a, b, None, None, None, reached)
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(gaps, [tail, 1 - tail])
    return Matched(level, a, b, a - b, float(low), float(high), reached)
