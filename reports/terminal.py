"""The same tables for the terminal: one line per number and run, narrow enough for eighty columns."""

from collections.abc import Sequence

from rich.console import Console
from rich.table import Column, Table

from reports.reading import Run
from reports.tables import Difference, differences, head, rows, shown

WIDTH_OF_A_FILE = 160


def wide_console() -> Console:
    """A console as wide as the terminal; where there is none (a file, a log), wide enough for a table."""
    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=WIDTH_OF_A_FILE)


def print_table(title: str, runs: Sequence[Run], names: Sequence[str], against: Sequence[Run]) -> None:
    """Prints means with intervals, one column per run and one line per number, and the differences to each baseline."""
    console = wide_console()
    lines = rows(runs, names, against[0] if against else None)
    titles = (f"{line.label}\n{len(line.run.ok)}/{len(line.run.planned)} cases" for line in lines)
    table = Table(Column("", no_wrap=True), *titles, title=title)
    for name in names:
        cells = []
        for line in lines:
            interval = line.cells[name]
            bounds = "" if interval.low is None else f"\n{shown(name, interval.low)} to {shown(name, interval.high)}"
            n = "" if interval.n == len(line.run.ok) else f" (n={interval.n})"
            cells.append(f"{shown(name, interval.mean)}{n}{bounds}")
        table.add_row(head(name), *cells)
    console.print(table)
    for one in against:
        label = next(line.label for line in lines if line.run.path == one.path)
        _print_differences(console, differences(runs, one, names), label, names)


def _print_differences(console: Console, found: Sequence[Difference], label: str, names: Sequence[str]) -> None:
    if not found:
        return
    titles = (f"{difference.label}\nminus {label}" for difference in found)
    table = Table(Column("", no_wrap=True), *titles, title="paired differences")
    for name in names:
        cells = []
        for difference in found:
            pair = difference.cells[name]
            low, high = (shown(name, bound, signed=True) for bound in (pair.low, pair.high))
            bounds = "" if pair.low is None else f"\n{low} to {high}"
            cells.append(f"{shown(name, pair.mean, signed=True)} (better in {pair.wins}/{pair.n}){bounds}")
        table.add_row(head(name), *cells)
    console.print(table)
