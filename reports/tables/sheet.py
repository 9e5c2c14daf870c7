"""A benchmark's tables: what they say, worked out once for Markdown, LaTeX, CSV, parquet and the terminal."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from reports.parts import By, Part, parts
from reports.reading import Run, labels
from reports.tables import grids
from reports.tables.cells import head
from reports.tables.grids import Grid
from reports.tables.published import Published, quoted, table_of
from reports.tables.rows import Difference, Row, differences, rows

CELLS = (
    "Cells: mean [95 % bootstrap interval over cases] n. `×` is a factor of display; CSV and parquet hold raw values. "
    "Digits are chosen by a column's median interval."
)
RANKS = (
    "Bold is the best of a column and underlined the second, among rows that edit; means that are equal at the digits "
    "shown share a place."
)
WORKED_OUT = (
    "Of 5,000 values or more the ends of an interval are worked out, not drawn: Cornish and Fisher's expansion of the "
    "same bootstrap."
)


@dataclass(frozen=True)
class Section:
    """One part of the cases."""

    part: Part
    rows: list[Row]
    differences: list[Difference]
    """To the first baseline; none without one."""


@dataclass(frozen=True)
class Sheet:
    """One benchmark's tables."""

    title: str
    names: list[str]
    command: str
    """That makes them again."""
    rows: list[Row]
    differences: dict[str, list[Difference]]
    """Label of a baseline -> every other run minus it."""
    sections: dict[By, list[Section]]
    published: list[Published] = field(default_factory=list)
    """Numbers of others, of the same setting."""

    @property
    def notes(self) -> dict[str, int]:
        """Footnotes of the rows, by number."""
        return grids.footnotes(self.rows)

    def footer(self) -> list[str]:
        """Sentences below the tables."""
        grid = self.grids()[0]
        ranked = any(cell.place for block in grid.blocks for line in block.lines for cell in line.cells)
        every = [*self.rows, *(row for found in self.sections.values() for section in found for row in section.rows)]
        cells = [cell for row in every for cell in row.cells.values()]
        cells += [cell for found in self.differences.values() for one in found for cell in one.cells.values()]
        worked_out = any(cell.worked_out for cell in cells)
        return [CELLS, *([RANKS] if ranked else []), *([WORKED_OUT] if worked_out else [])]

    def grids(self) -> list[Grid]:
        """Every table: all cases, each breakdown, differences to each baseline, and what others published."""
        names, heads, notes = self.names, [head(name) for name in self.names], self.notes
        found = [grids.means(self.title, heads, names, {"": self.rows}, notes)]
        for label, those in self.differences.items():
            found.append(grids.differences(_minus(label), heads, names, {"": those}))
        first = next(iter(self.differences), None)
        for by, sections in self.sections.items():
            one = {section.part.title: section.rows for section in sections}
            found.append(grids.means(f"By {by}.", heads, names, one, notes, of=by))
            if first is not None:
                pairs = {section.part.title: section.differences for section in sections}
                found.append(grids.differences(f"By {by}. {_minus(first)}", heads, names, pairs, of=by))
        return [*found, *([table_of(self.published)] if self.published else [])]


def sheet(
    title: str, runs: Sequence[Run], names: Sequence[str], against: Sequence[Run], command: str, by: Sequence[By] = ()
) -> Sheet:
    """Works everything out.

    Args:
        names: numbers that the tables show.
        against: baselines; rows are marked by what sets them apart from the first, and parts are compared with it.
        by: breakdowns; one that the cases don't have (images have no scene) is left out.
    """
    first = against[0] if against else None
    named = dict(zip((run.path for run in runs), labels(runs), strict=True))
    sections = {
        kind: [
            Section(
                part, rows(runs, names, first, part), [] if first is None else differences(runs, first, names, part)
            )
            for part in parts(runs, kind)
        ]
        for kind in by
    }
    compared = {named[one.path]: differences(runs, one, names) for one in against}
    return Sheet(
        title,
        list(names),
        command,
        rows(runs, names, first),
        {label: found for label, found in compared.items() if found},
        {kind: found for kind, found in sections.items() if found},
        quoted(runs),
    )


def _minus(label: str) -> str:
    return f"Paired differences: each run minus `{label}`, on the same cases."
