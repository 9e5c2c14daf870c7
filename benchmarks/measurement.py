"""What the programs that measure share: the command line, tables, where the numbers came from."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

import tyro
from pydantic import BaseModel

from piva.disk import write_atomically
from piva.errors import BAD_CONFIGURATION, COMPLETE, PREFLIGHT_FAILED, ConfigError, PreflightError


class Grid(NamedTuple):
    """A table of strings."""

    title: str
    head: list[str]
    rows: list[list[str]]


def run(program: str, options_type: type, about: str | None, arguments: Sequence[str] | None) -> int:
    """python -m PROGRAM: measures, prints, writes; returns the exit code.

    PROGRAM.measure has `measure(options)`, whose result is a dataclass; PROGRAM.tables has `grids` and `notes` of it.
    The options have `json` and `markdown`, the files to write; if they have `figure`, files to draw, PROGRAM.figure has
    `draw(report, file)`.
    """
    options: Any = tyro.cli(options_type, prog=f"python -m {program}", args=arguments, description=about)
    try:
        report = import_module(f"{program}.measure").measure(options)
    except (ConfigError, PreflightError) as problem:
        print(f"{program}: {problem}", file=sys.stderr)
        return BAD_CONFIGURATION if isinstance(problem, ConfigError) else PREFLIGHT_FAILED
    tables = import_module(f"{program}.tables")
    grids, notes = tables.grids(report), tables.notes(report)
    print_grids(grids, notes)
    if options.markdown:
        write_markdown(options.markdown, markdown_of(grids, notes))
    if options.json:
        write_json(options.json, report)
    for file in getattr(options, "figure", ()):
        import_module(f"{program}.figure").draw(report, file)
    return COMPLETE


def write_json(path: Path, report: Any) -> None:
    """Write a report, a dataclass; whole or not at all."""
    write_atomically(path, (json.dumps(asdict(report), indent=1, default=str) + "\n").encode())


def print_grids(grids: Sequence[Grid], notes: str) -> None:
    """Tables on a terminal, or wide enough for every column where there is none, and what is to be said of them."""
    from rich.console import Console
    from rich.table import Column, Table

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
    from reports.tables.markdown import table

    parts = ["\n".join([f"**{grid.title}**", "", *table(grid.head, grid.rows)]) for grid in grids]
    return "\n\n".join([*parts, notes]) + "\n"


def write_markdown(path: Path, text: str) -> None:
    """Write a file, or what stands between the results markers of one that has them."""
    from reports.tables.documents import BEGIN, write_between_markers

    if path.is_file() and BEGIN in path.read_text():
        write_between_markers(path, text)
    else:
        path.write_text(text)


def facts_of(options: Any) -> dict[str, Any]:
    """The options as JSON takes them, but for where to write."""
    facts = {name: value for name, value in asdict(options).items() if name not in ("json", "markdown", "figure")}
    return {name: v.model_dump(mode="json") if isinstance(v, BaseModel) else v for name, v in facts.items()}


def origin(program: str, device: object) -> dict[str, Any]:
    """Where the numbers of this process come from."""
    from piva.provenance import collect

    made = collect(str(device)).model_dump(mode="json")
    return made | {"command": f"python -m {program} " + made["command"].partition(" ")[2]}


def made_by(made: Mapping[str, Any]) -> str:
    """The line of a provenance that goes below a table."""
    return (
        f"{made['device']}, {made['cpu']}, {made['threads']} threads, torch {made['packages']['torch']}, "
        f"commit {made['git_commit']}{' with changes' if made['git_dirty'] else ''}: {made['command']}"
    )


def say(what: str) -> None:
    """What is being measured now."""
    print(what, file=sys.stderr, flush=True)
