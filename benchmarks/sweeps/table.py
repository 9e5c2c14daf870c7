"""The points of a sweep as a table: varying settings, and means with bootstrap intervals; and the best point."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from io import StringIO

from rich.markup import escape
from rich.table import Table

from benchmarks.sweeps.board import PointOnDisk, metric_of
from benchmarks.sweeps.schema import Goal, Sweep
from benchmarks.sweeps.status import varying, written
from piva.errors import ConfigError
from piva.stats import PairedDifference, paired_difference
from reports.reading import Run
from reports.tables.cells import SEED, cell, head, shown
from reports.tables.markdown import table
from reports.tables.origins import how_made
from reports.tables.rows import check_names, marks, present, usual_columns


def columns(sweep: Sweep, found: Sequence[PointOnDisk], asked: Sequence[str]) -> list[str]:
    """The numbers to show: those asked for, else the sweep's metric and the usual ones; if any point has them.

    Raises:
        ConfigError: no point has a number of a name that was asked for.
    """
    runs: list[Run] = [run for point in found for run in point.runs]
    check_names(asked, runs)
    usual = [*([metric_of(sweep.metric)] if sweep.metric else []), *usual_columns(runs)]
    return present(runs, asked or list(dict.fromkeys(usual)))


def terminal_table(sweep: Sweep, found: Sequence[PointOnDisk], names: Sequence[str]) -> Table:
    """A line for each point: mean, and below it the 95 % interval."""
    settings = varying(sweep)
    titles = [*(name.removeprefix("method.") for name in settings), "cases", *(head(name) for name in names)]
    result = Table("", *titles, title=sweep.name)
    for point in found:
        cells = []
        for name in names:
            interval = point.interval(name)
            bounds = "" if interval.low is None else f"\n{shown(name, interval.low)} to {shown(name, interval.high)}"
            n = "" if interval.n == len(point.ended_well) else f" (n={interval.n})"
            cells.append(f"{shown(name, interval.mean)}{n}{bounds}")
        own = [escape(written(point.point[name])) for name in settings]
        result.add_row(str(point.index), *own, ended(point), *cells)
    return result


def markdown(sweep: Sweep, found: Sequence[PointOnDisk], names: Sequence[str], command: str) -> str:
    """The same as a document, with what each row was made by."""
    settings = varying(sweep)
    rows, notes = [], []
    for point in found:
        doubts = dict.fromkeys(mark for run in point.runs for mark in marks(run, run.planned))
        notes += [f"- [{point.index}] {'; '.join(doubts)}"] if doubts else []
        own = [written(point.point[name]) for name in settings]
        numbers = [cell(name, point.interval(name)) for name in names]
        rows.append([*own, ended(point) + (f" [{point.index}]" if doubts else ""), *numbers])
    parts = [f"## {sweep.name}", "", *([sweep.description, ""] if sweep.description else [])]
    parts += table(
        [*(name.removeprefix("method.") for name in settings), "cases", *(head(name) for name in names)], rows
    )
    parts += [
        "",
        "Cells: mean [95 % bootstrap interval over cases] n. `×` is a factor of display; CSV holds raw values.",
        f"Made by `{command}` from `{sweep.path}` ({sweep.text_digest}).",
        *notes,
        "",
        "<details><summary>How each row was made</summary>",
        "",
    ]
    for point in found:
        facts = ["; ".join(how_made(run.record)) for run in point.runs if run.record.launches] or ["not begun"]
        parts += [f"- `{point.command}`: {fact}" for fact in facts]
    ids = {name: id_ for point in found for run in point.runs for name, id_ in run.record.metrics.items()}
    parts += ["", *(f"- {name}: `{ids[name]}`" for name in names if name in ids), "", "</details>", ""]
    return "\n".join(parts)


def to_csv(sweep: Sweep, found: Sequence[PointOnDisk], names: Sequence[str]) -> str:
    """Raw means and intervals, a line for each point."""
    settings, file = varying(sweep), StringIO()
    writer = csv.writer(file, lineterminator="\n")
    ends = ("", "_low", "_high", "_n")
    writer.writerow(["point", *settings, "state", "cases", "scored", *(name + end for name in names for end in ends)])
    for point in found:
        intervals = [point.interval(name) for name in names]
        numbers = [number for found in intervals for number in (found.mean, found.low, found.high, found.n)]
        own = [point.point[name] for name in settings]
        writer.writerow([point.index, *own, point.state, point.cases, len(point.ended_well), *numbers])
    return file.getvalue()


def ended(point: PointOnDisk) -> str:
    """How many cases are scored, and the state where it is not plainly done."""
    share = f"{len(point.ended_well)}/{point.cases}"
    return share if point.state == "done" else f"{share}, {point.state}"


@dataclass(frozen=True)
class Best:
    """The best of the points that are done, and how the others compare."""

    point: PointOnDisk
    differences: tuple[tuple[PointOnDisk, PairedDifference], ...]
    """The best minus every other point that is done, on the cases that both have; in the order of their means."""

    ties: tuple[PointOnDisk, ...]
    """Those of them that are not clearly worse: the interval of the difference reaches 0, or there is none."""


def best(goal: Goal, found: Sequence[PointOnDisk]) -> Best:
    """By the mean of the sweep's metric; of equal points the first. Points that are not done are no candidates.

    Raises:
        ConfigError: no point is done, or none has the metric.
    """
    name, sign = metric_of(goal), 1 if goal.goal == "minimize" else -1
    done = [(point, mean) for point in found if point.state == "done" and (mean := point.mean(name)) is not None]
    if not done:
        raise ConfigError(f"no point is done and has {name} yet: piva sweep run FILE")
    ranked = [point for point, _ in sorted(done, key=lambda pair: sign * pair[1])]
    first = ranked[0]
    differences = tuple((other, difference(first, other, goal)) for other in ranked[1:])
    ties = tuple(other for other, found in differences if not is_clear(found, goal))
    return Best(first, differences, ties)


def is_clear(difference: PairedDifference, goal: Goal) -> bool:
    """Whether the first of two points is better, and the 95 % interval of the difference says so."""
    if difference.low is None or difference.high is None:
        return False
    return difference.high < 0 if goal.goal == "minimize" else difference.low > 0


def difference(one: PointOnDisk, other: PointOnDisk, goal: Goal) -> PairedDifference:
    """The metric of one point minus another's, on the same runs (by number) and cases."""
    name = metric_of(goal)
    a, b = one.by_case(name), other.by_case(name)
    keys = list(dict.fromkeys([*a, *b]))
    better = goal.goal == "maximize"
    return paired_difference([a.get(k) for k in keys], [b.get(k) for k in keys], SEED, higher_is_better=better)
