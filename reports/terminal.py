"""The same tables for the terminal: one line per number and run, narrow enough for eighty columns."""

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from reports.reading import Run
from reports.tables import differences, head, rows, shown


def print_table(title: str, runs: Sequence[Run], names: Sequence[str], against: Run | None) -> None:
    """Prints means with intervals, one column per run and one line per number, and the differences to the baseline."""
    console = Console(highlight=False)
    lines = rows(runs, names)
    table = Table(
        "", *(f"{line.label}\n{len(line.run.ok)}/{len(line.run.planned)} cases" for line in lines), title=title
    )
    for name in names:
        cells = []
        for line in lines:
            interval = line.cells[name]
            bounds = "" if interval.low is None else f"\n{shown(name, interval.low)} to {shown(name, interval.high)}"
            n = "" if interval.n == len(line.run.ok) else f" (n={interval.n})"
            cells.append(f"{shown(name, interval.mean)}{n}{bounds}")
        table.add_row(head(name), *cells)
    console.print(table)
    found = [] if against is None else differences(runs, against, names)
    if against is None or not found:
        return
    label = next(line.label for line in lines if line.run.path == against.path)
    table = Table("", *(f"{difference.label}\nminus {label}" for difference in found), title="paired differences")
    for name in names:
        cells = []
        for difference in found:
            pair = difference.cells[name]
            low, high = (shown(name, bound, signed=True) for bound in (pair.low, pair.high))
            bounds = "" if pair.low is None else f"\n{low} to {high}"
            cells.append(f"{shown(name, pair.mean, signed=True)} (better in {pair.wins}/{pair.n}){bounds}")
        table.add_row(head(name), *cells)
    console.print(table)
