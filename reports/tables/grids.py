"""What a report's tables hold, cell by cell, before they are written as Markdown or LaTeX."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from piva.stats import Interval, PairedDifference
from reports.tables.cells import shown
from reports.tables.ranking import column_digits, digits_of, places
from reports.tables.rows import Difference, Row


@dataclass(frozen=True)
class Cell:
    """A mean, and what stands behind it."""

    text: str
    bounds: str = ""
    """`[low, high]`."""
    counts: str = ""
    """`n=20, 1 missing`, and of a difference wins, ties and losses."""
    brief: str = ""
    """The part of `counts` that a narrow table can't do without."""
    place: int | None = None
    """`ranking.BEST`, `SECOND` or None."""


@dataclass(frozen=True)
class Line:
    """A row: its label, the numbers of its footnotes, and its cells."""

    label: str
    cells: tuple[Cell, ...]
    notes: tuple[int, ...] = ()


@dataclass(frozen=True)
class Block:
    """Rows that belong together: all of a table's, or those of one part of the cases."""

    title: str
    lines: tuple[Line, ...]


@dataclass(frozen=True)
class Grid:
    """A table."""

    caption: str
    heads: tuple[str, ...]
    """Titles of the columns behind the rows' labels."""
    blocks: tuple[Block, ...]
    of: str = ""
    """What the blocks' titles are of, such as "type"; empty where there is one block."""


def footnotes(rows: Sequence[Row]) -> dict[str, int]:
    """What readers must know of rows -> its number, from 1; said once, however many rows it is true of."""
    marks = dict.fromkeys(mark for row in rows for mark in row.marks)
    return {mark: number for number, mark in enumerate(marks, start=1)}


def means(
    caption: str, heads: Sequence[str], names: Sequence[str], sections: Mapping[str, Sequence[Row]],
    notes: Mapping[str, int], of: str = "",
) -> Grid:  # fmt: skip
    """Means of all cases, or of each part: sections are title -> rows, ranked one by one."""
    digits = column_digits(names, [row for rows in sections.values() for row in rows])
    blocks = []
    for title, rows in sections.items():
        ranked = {name: places(name, rows, digits[name]) for name in names}
        lines = []
        for number, row in enumerate(rows):
            cells = [_mean(name, row, digits[name], ranked[name][number]) for name in names]
            marks = tuple(notes[mark] for mark in row.marks)
            lines.append(Line(row.label, (Cell(row.ended), *cells), marks))
        blocks.append(Block(title, tuple(lines)))
    return Grid(caption, ("cases", *heads), tuple(blocks), of)


def differences(
    caption: str, heads: Sequence[str], names: Sequence[str], sections: Mapping[str, Sequence[Difference]], of: str = ""
) -> Grid:
    """Paired differences over all cases, or over each part."""
    everything = [difference for found in sections.values() for difference in found]
    digits = {name: digits_of(name, [difference.cells[name] for difference in everything]) for name in names}
    blocks = []
    for title, found in sections.items():
        lines = [
            Line(difference.label, tuple(_difference(name, difference.cells[name], digits[name]) for name in names))
            for difference in found
        ]
        blocks.append(Block(title, tuple(lines)))
    return Grid(caption, tuple(heads), tuple(blocks), of)


def _mean(name: str, row: Row, digits: int, place: int | None) -> Cell:
    interval = row.cells[name]
    brief = "" if interval.n == row.ok else f"n={interval.n}"
    return Cell(shown(name, interval.mean, digits=digits), _bounds(name, interval, digits), _n(interval), brief, place)


def _difference(name: str, pair: PairedDifference, digits: int) -> Cell:
    counts = f"{_n(pair)}, {pair.wins} better {pair.ties} equal {pair.losses} worse" if pair.n else _n(pair)
    mean, bounds = shown(name, pair.mean, True, digits), _bounds(name, pair, digits, signed=True)
    return Cell(mean, bounds, counts, f"{pair.wins}/{pair.ties}/{pair.losses}")


def _bounds(name: str, interval: Interval, digits: int, signed: bool = False) -> str:
    if interval.low is None:
        return ""
    low, high = (shown(name, bound, signed, digits) for bound in (interval.low, interval.high))
    return f"[{low}, {high}]"


def _n(interval: Interval) -> str:
    return f"n={interval.n}" + (f", {interval.missing} missing" if interval.missing else "")
