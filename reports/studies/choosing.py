"""Which of several values of a setting does best, and which others are not clearly worse: by paired differences."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from piva.stats import Interval, PairedDifference, bootstrap_mean, paired_difference
from reports.reading import info
from reports.tables.cells import SEED


@dataclass(frozen=True)
class Choice:
    """The best of several values by the mean of a number over the cases that all of them have."""

    best: float
    mean: Interval
    """Of the number at the best value."""
    not_clearly_worse: tuple[float, ...]
    """The best and every other value whose paired difference from it (95 % interval) reaches 0."""
    smallest: float
    against_smallest: PairedDifference
    """The number at the best value minus that at the smallest."""


def choose(values: Mapping[float, Mapping[str, float]], name: str) -> Choice | None:
    """The best value of a setting for a number; of equal ones the smallest. None where no case has all.

    A shift or a ratio is judged by its distance from its best value.

    Args:
        values: value of the setting -> case id -> the number.
    """
    if not values:
        return None
    ids = sorted(set.intersection(*(set(of_case) for of_case in values.values())))
    if not ids:
        return None
    losses = {value: [loss(name, of_case[id_]) for id_ in ids] for value, of_case in sorted(values.items())}
    best = min(losses, key=lambda value: sum(losses[value]))
    ties = tuple(value for value in losses if value == best or not _is_clearly_worse(losses[value], losses[best]))
    of_best, of_smallest = ([values[value][id_] for id_ in ids] for value in (best, min(values)))
    better = info(name).higher_is_better is not False
    gain = paired_difference(of_best, of_smallest, SEED, higher_is_better=better)
    return Choice(best, bootstrap_mean(of_best, SEED), ties, min(values), gain)


def loss(name: str, value: float) -> float:
    """The value with its sign or its origin changed so that less is better."""
    facts = info(name)
    if facts.higher_is_better is None:
        return abs(value - (facts.best or 0.0))
    return -value if facts.higher_is_better else value


def _is_clearly_worse(one: list[float], best: list[float]) -> bool:
    low = paired_difference(one, best, SEED).low
    return low is not None and low > 0
