"""What of a sweep is done, as a table and a sentence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.markup import escape
from rich.table import Table

from benchmarks.sweeps.board import PointOnDisk, State, metric_of
from benchmarks.sweeps.schema import Sweep
from reports.tables.cells import head, shown

COLOURS: dict[State, str] = {"done": "green", "running": "cyan", "failed": "red", "pruned": "yellow", "missing": ""}


def varying(sweep: Sweep) -> list[str]:
    """Names of the parameters that have more than one value."""
    return [name for name, parameter in sweep.parameters.items() if len(parameter.values) != 1]


def written(value: object) -> str:
    """A parameter's value in a table."""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def counts(found: Sequence[PointOnDisk], expected: int) -> dict[State, int]:
    """State -> how many points; those that a search has not drawn yet are missing."""
    numbers = {state: sum(point.state == state for point in found) for state in COLOURS}
    return numbers | {"missing": numbers["missing"] + max(0, expected - len(found))}


def sentence(numbers: Mapping[State, int]) -> str:
    """Such as "12 points: 9 done, 1 failed, 2 missing"."""
    parts = [f"{count} {state}" for state, count in numbers.items() if count]
    return f"{sum(numbers.values())} points: " + (", ".join(parts) or "none drawn yet")


def status_table(sweep: Sweep, found: Sequence[PointOnDisk]) -> Table:
    """A line for each point: its parameters, its state, how many cases are scored, and the metric so far."""
    names = varying(sweep)
    metric = metric_of(sweep.metric) if sweep.metric else None
    table = Table("", *(name.removeprefix("method.") for name in names), "state", "cases", title=sweep.name)
    if metric:
        table.add_column(f"{head(metric)}\nmean so far")
    if any(point.why for point in found):
        table.add_column("")
    for point in found:
        cells = [str(point.index), *(escape(written(point.point[name])) for name in names)]
        colour = COLOURS[point.state]
        cells += [f"[{colour}]{point.state}[/]" if colour else point.state, f"{len(point.ended_well)}/{point.cases}"]
        cells += [shown(metric, point.mean(metric))] if metric else []
        table.add_row(*cells, *([escape(point.why)] if point.why else []))
    return table
