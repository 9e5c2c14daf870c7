"""One mean of speed: how it is set, what it changes, what it gains."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from statistics import median

from benchmarks.means.options import Options
from benchmarks.speed.options import Options as SpeedOptions
from benchmarks.speed.world import World

NOTHING = "nothing (float rounding)"
ESTIMATOR = "estimator: see reports/estimators.md"
MEMORY = "memory"

Pair = Callable[[int], tuple[float, float]]
"""Steps (or calls) -> seconds without the mean and with it, measured one after the other."""


@dataclass(frozen=True)
class Mean:
    """Something that makes edits faster."""

    name: str
    setting: str
    """As a user types it, and what it is measured against."""
    changes: str
    """What it changes besides the time."""
    pair: Pair
    per: str = "edit"
    """What the seconds are of; edits are per case."""
    once: Callable[[], float] | None = None
    """Seconds that it takes before it helps for the first time; called before anything else."""


@dataclass(frozen=True)
class Line:
    """A mean and its numbers."""

    name: str
    setting: str
    changes: str
    per: str
    seconds_without: Sequence[float]  # in each repeat
    seconds_with: Sequence[float]
    times_as_fast: float  # seconds without over seconds with: median of the repeats' own
    once: float | None  # seconds
    pays_after: float | None  # so many of what the seconds are of; None where nothing is to be paid, or it never pays


def line(mean: Mean, pairs: Sequence[tuple[float, float]], once: float | None = None) -> Line:
    """The line of `pairs` (without, with) of seconds, a pair a repeat."""
    without, with_it = [a for a, _ in pairs], [b for _, b in pairs]
    gained = median(without) - median(with_it)
    return Line(
        mean.name, mean.setting, mean.changes, mean.per, without, with_it,
        times_as_fast=median(a / b for a, b in pairs), once=once,
        pays_after=once / gained if once is not None and gained > 0 else None,
    )  # fmt: skip


@dataclass(frozen=True)
class Bench:
    """What is measured on, as the options say."""

    options: Options

    def world(self, size: int | None = None, **prior: object) -> World:
        """A world for batches of `size` cases; `prior` are settings of the prior that differ. It loads when used."""
        size = size or self.options.batch_size
        speed = SpeedOptions(
            cases=min(4, size), batch_sizes=(size,), threads=self.options.threads, root=self.options.root,
            prior=self.options.prior, tracker="csv",
        )  # fmt: skip
        return World(replace(speed, prior=speed.prior.model_copy(update=prior)))
