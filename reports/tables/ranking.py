"""Which digits of a column are worth showing, and which of its rows are best and second."""

import math
import statistics
from collections.abc import Sequence

from piva.stats import Interval
from reports.reading import info
from reports.tables.rows import Row

BEST, SECOND = 1, 2
FINER = 2
"""Digits that an interval may ask for beyond a metric's own. Ours."""


def digits_of(name: str, intervals: Sequence[Interval]) -> int:
    """Digits behind the point for a column: two significant ones of the width of its (lower) median interval.

    So one part whose two cases happen to be alike gives no digits to a whole column. Where no interval has a width
    (one case, equal values), the metric's own.
    """
    facts = info(name)
    ends = [(one.low, one.high) for one in intervals if one.low is not None and one.high is not None]
    widths = [(high - low) * facts.display_scale for low, high in ends if high > low]
    if not widths:
        return facts.digits
    return min(max(1 - math.floor(math.log10(statistics.median_low(widths))), 0), facts.digits + FINER)


def column_digits(names: Sequence[str], rows: Sequence[Row]) -> dict[str, int]:
    """`digits_of` each column, from the rows that edit; identity rows have the same digits."""
    edits = [row for row in rows if not row.run.is_identity_row] or rows
    return {name: digits_of(name, [row.cells[name] for row in edits]) for name in names}


def places(name: str, rows: Sequence[Row], digits: int) -> list[int | None]:
    """BEST, SECOND or None for each row's mean of a number.

    Means that are equal at the digits shown share their place, and the next one is still the second. Identity rows
    edit nothing and are in no competition; nor is a number that no direction and no best value is known of, or a
    single row.
    """
    facts = info(name)
    if facts.higher_is_better is None and facts.best is None:
        return [None] * len(rows)
    means = [None if row.run.is_identity_row else row.cells[name].mean for row in rows]
    merits = [None if mean is None else _merit(name, mean, digits) for mean in means]
    known = [merit for merit in merits if merit is not None]
    if len(known) < 2:
        return [None] * len(rows)
    order = sorted(set(known), reverse=True)
    place_of = dict(zip(order, (BEST, SECOND), strict=False))
    return [None if merit is None else place_of.get(merit) for merit in merits]


def _merit(name: str, mean: float, digits: int) -> float:
    """The displayed mean, so that more is better."""
    facts = info(name)
    if facts.higher_is_better is None:
        return -round(abs(mean - (facts.best or 0.0)) * facts.display_scale, digits)
    displayed = round(mean * facts.display_scale, digits)
    return displayed if facts.higher_is_better else -displayed
