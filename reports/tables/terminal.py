"""The same tables for the terminal: one line per number and run, narrow enough for eighty columns."""

from collections.abc import Sequence

from rich.console import Console
from rich.table import Column, Table

from reports.tables.cells import head, shown
from reports.tables.ranking import column_digits, digits_of
from reports.tables.rows import Difference
from reports.tables.sheet import Sheet

WIDTH_OF_A_FILE = 160


def wide_console() -> Console:
    """A console as wide as the terminal; where there is none (a file, a log), wide enough for a table."""
    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=WIDTH_OF_A_FILE)


def print_table(tables: Sheet) -> None:
    """Prints means with intervals, one column per run and one line per number, and the differences to each baseline."""
    console = wide_console()
    lines, names = tables.rows, tables.names
    digits = column_digits(names, lines)
    titles = (f"{line.label}\n{line.ok}/{line.planned} cases" for line in lines)
    table = Table(Column("", no_wrap=True), *titles, title=tables.title)
    for name in names:
        cells = []
        for line in lines:
            interval = line.cells[name]
            low, high = (shown(name, bound, digits=digits[name]) for bound in (interval.low, interval.high))
            bounds = "" if interval.low is None else f"\n{low} to {high}"
            n = "" if interval.n == line.ok else f" (n={interval.n})"
            cells.append(f"{shown(name, interval.mean, digits=digits[name])}{n}{bounds}")
        table.add_row(head(name), *cells)
    console.print(table)
    for label, found in tables.differences.items():
        _print_differences(console, found, label, names)


def _print_differences(console: Console, found: Sequence[Difference], label: str, names: Sequence[str]) -> None:
    titles = (f"{difference.label}\nminus {label}" for difference in found)
    table = Table(Column("", no_wrap=True), *titles, title="paired differences")
    for name in names:
        cells, digits = [], digits_of(name, [difference.cells[name] for difference in found])
        for difference in found:
            pair = difference.cells[name]
            low, high = (shown(name, bound, True, digits) for bound in (pair.low, pair.high))
            bounds = "" if pair.low is None else f"\n{low} to {high}"
            cells.append(f"{shown(name, pair.mean, True, digits)} (better in {pair.wins}/{pair.n}){bounds}")
        table.add_row(head(name), *cells)
    console.print(table)
