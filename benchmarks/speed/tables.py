"""The report as tables: on a terminal, in Markdown; and all of its numbers as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

from rich.console import Console
from rich.table import Column, Table

from benchmarks.speed.contenders import OURS
from benchmarks.speed.report import Line, Report, StepLine
from benchmarks.speed.split import ONCE, SECTIONS
from reports.documents import BEGIN, write_between_markers
from reports.markdown import table


class Grid(NamedTuple):
    """A table of strings."""

    title: str
    head: list[str]
    rows: list[list[str]]


def print_tables(report: Report) -> None:
    """Prints to the terminal, or wide enough for every column where there is none."""
    print_grids(_grids(report), _notes(report))


def markdown(report: Report) -> str:
    """The same tables, and the command that made them."""
    return markdown_of(_grids(report), _notes(report))


def write_json(path: Path, report: Report) -> None:
    """Options, provenance, every line at every batch size."""
    path.write_text(json.dumps(asdict(report), indent=1, default=str) + "\n")


def print_grids(grids: Sequence[Grid], notes: str) -> None:
    """Tables on a terminal, or on whatever stands in for one, and what is to be said of them."""
    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=190)
    for grid in grids:
        shown = Table(Column(grid.head[0], no_wrap=True), *grid.head[1:], title=grid.title)
        for row in grid.rows:
            shown.add_row(*row)
        console.print(shown)
    console.print(notes)


def markdown_of(grids: Sequence[Grid], notes: str) -> str:
    """The same in Markdown."""
    parts = ["\n".join([f"**{grid.title}**", "", *table(grid.head, grid.rows)]) for grid in grids]
    return "\n\n".join([*parts, notes]) + "\n"


def write_markdown(path: Path, text: str) -> None:
    """Write a file, or what stands between the results markers of one that has them."""
    if path.is_file() and BEGIN in path.read_text():
        write_between_markers(path, text)
    else:
        path.write_text(text)


def made_by(made: Mapping[str, Any]) -> str:
    """The line of a provenance that goes below a table."""
    return (
        f"{made['device']}, {made['cpu']}, {made['threads']} threads, torch {made['packages']['torch']}, "
        f"commit {made['git_commit']}{' with changes' if made['git_dirty'] else ''}: {made['command']}"
    )


def _grids(report: Report) -> list[Grid]:
    shown = [line for line in report.lines if line.variant != OURS or line.size == 1 or line.is_best]
    head = ["", "visit", "batch", "rows/step", "+ backward", "psi rows", "s/edit", "x literal", "/ floor", "peak MB"]
    edits = Grid("seconds per edit", head, [_edit_row(line) for line in shown])
    steps = Grid(
        "where the time goes, % of an edit",
        ["", "visit", "batch", "ms/step", "/ floor", "/ floor of batch", *SECTIONS],
        [_step_row(line) for line in report.steps],
    )
    return [edits, _by_size(report), steps]


def _edit_row(line: Line) -> list[str]:
    peak = "" if line.peak is None else f"{line.peak.edit / 1e6:.0f} ({line.peak.loaded / 1e6:.0f})"
    rows = [f"{line.rows_forward:g}", f"{line.rows_backward:g}", str(line.psi_rows)]
    ratios = [f"{line.times_literal:.2f}", f"{line.over_floor:.2f}"]
    name = f"{line.contender}: {line.variant}" + (" (best)" if line.variant == OURS and line.is_best else "")
    return [name, line.visit, str(line.size), *rows, f"{line.seconds:.3f}", *ratios, peak]


def _by_size(report: Report) -> Grid:
    ours = [line for line in report.lines if line.variant == OURS]
    sizes = sorted({line.size for line in ours})
    rows: dict[tuple[str, str], dict[int, str]] = {}
    for line in ours:
        rows.setdefault((line.contender, line.visit), {})[line.size] = f"{line.seconds:.3f}"
    cells = [[contender, visit, *(found[size] for size in sizes)] for (contender, visit), found in rows.items()]
    return Grid("seconds per edit, by batch size", ["ours", "visit", *map(str, sizes)], cells)


def _step_row(line: StepLine) -> list[str]:
    shares = [f"{100 * line.shares[name]:.1f}" for name in SECTIONS]
    ratios = [f"{line.over_floor:.2f}", f"{line.over_floor_here:.2f}"]
    return [line.contender, line.visit, str(line.size), f"{1000 * line.step_seconds:.2f}", *ratios, *shares]


def _notes(report: Report) -> str:
    options = report.options
    lines = [
        f"{options['steps']} steps, medians of {options['repeats']} repeats; costs are per case.",
        "x literal: times as fast as the literal twin. / floor: over the UNet rows alone, in their best batch.",
        "rows/step: UNet rows without gradient, + those with a backward pass. psi rows: trained before the first step.",
        f"{', '.join(ONCE)}: done once an edit, not in ms/step. peak MB (after loading): a process of its own.",
        made_by(report.provenance),
    ]
    return "\n".join(lines)
