"""`piva runs`: what is on the disk, a line for each run."""

import json
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from piva.commands.arguments import parse
from piva.config import Settings, runtime
from piva.errors import COMPLETE

if TYPE_CHECKING:
    from reports.listing import ListedRun

ABOUT = """\
List the runs below a folder, the last one launched at the end: cases that ended well, failed, or are left to do.

A damaged run is listed with what is wrong with it. KEY is what other commands take for a RUN.

examples:
  piva runs
  piva runs --benchmark pie-toybox --method piva dds --sort size
  piva runs --state unfinished failed
  piva runs --json | jq -r '.[] | select(.left > 0) | .path'
"""
KEY_DIGITS = 8


class RunsConfig(Settings):
    """What `piva runs` does."""

    out: Annotated[Path, tyro.conf.arg(aliases=["--runs"])] = runtime(Path("runs"))
    """Folder that holds all runs."""

    benchmark: tuple[str, ...] = runtime(())
    """Only runs of these benchmarks."""

    method: tuple[str, ...] = runtime(())
    """Only runs of these methods."""

    state: tuple[Literal["running", "complete", "failed", "unfinished", "shards", "damaged"], ...] = runtime(())
    """Only runs in these states. failed: all cases are recorded, some failed; unfinished: some are left to do; shards:
    there are only shards, not merged yet."""

    sort: Literal["launch", "name", "left", "errors", "size"] = runtime("launch")
    """Order of the lines: last launch, folder's name, cases left, cases that failed, bytes on the disk."""

    reverse: bool = runtime(False)
    """The other way round."""

    as_json: Annotated[bool, tyro.conf.arg(name="json")] = runtime(False)
    """A JSON list, for programs: all facts, sizes in bytes."""


def main(arguments: Sequence[str]) -> int:
    """Prints the runs; exit code: complete, whatever state they are in."""
    config = parse(RunsConfig, "runs", arguments, ABOUT)
    from reports.listing import list_runs

    found = [line for line in list_runs(config.out) if _wanted(line, config)]
    found.sort(key=lambda line: _place(line, config.sort), reverse=config.reverse)
    if config.as_json:
        print(json.dumps([line.to_json() for line in found], indent=2))
    elif found:
        _print(found)
    else:
        print(f"no such run below {config.out}/" if config.out.is_dir() else f"there is no folder {config.out}/")
    return COMPLETE


def _wanted(line: "ListedRun", config: RunsConfig) -> bool:
    asked = ((config.benchmark, line.benchmark), (config.method, line.method), (config.state, line.state))
    return all(not allowed or value in allowed for allowed, value in asked)


def _place(line: "ListedRun", sort: str) -> tuple[object, ...]:
    first = {
        "launch": line.started or "", "name": "", "left": line.left, "errors": line.failed, "size": line.bytes,
    }[sort]  # fmt: skip
    return (first, str(line.path))


def _print(found: "Sequence[ListedRun]") -> None:
    from rich.markup import escape
    from rich.table import Column, Table

    from reports.tables.terminal import wide_console

    right = [Column(name, justify="right") for name in ("steps", "seed", "ok", "error", "left")]
    table = Table("benchmark", "run", "key", *right, "last launch", Column("size", justify="right"), "", box=None)
    whole = [line for line in found if line.why is None]
    for line in whole:
        settings = " ".join([line.method, *line.settings])
        split = f"{line.benchmark} {line.split}" if line.split else line.benchmark
        counts = [str(count) if count is not None else "" for count in (line.steps, line.seed)]
        counts += [str(line.ok), str(line.failed or ""), str(line.left or "")]
        cells = [split, settings, line.key[:KEY_DIGITS], *counts, _launched(line), _size(line.bytes), _remark(line)]
        table.add_row(*map(escape, cells))
    if whole:
        wide_console().print(table)
    for line in found:
        if line.why is not None:
            print(f"damaged: {line.path}: {line.why}")
    print(f"{len(found)} runs, {_size(sum(line.bytes for line in found))}")


def _launched(line: "ListedRun") -> str:
    """When the last launch began, in local time."""
    if line.started is None:
        return ""
    return datetime.fromisoformat(line.started).astimezone().strftime("%Y-%m-%d %H:%M")


def _remark(line: "ListedRun") -> str:
    parts = ["running"] if line.state == "running" else []
    if line.state == "unfinished":
        parts.append("stopped" if line.ended else "no end recorded")
    parts += [f"{line.skipped} skipped"] if line.skipped else []
    if line.shards:
        parts.append(f"{line.shards} shards to merge: piva merge {line.key[:KEY_DIGITS] or line.path}")
    return ", ".join(parts)


def _size(size: float) -> str:
    """Three digits and a unit."""
    units = ["B", "kB", "MB", "GB", "TB"]
    while size >= 999.5 and len(units) > 1:
        size, _ = size / 1000, units.pop(0)
    return f"{size:.0f} {units[0]}" if size >= 100 or units[0] == "B" else f"{size:.3g} {units[0]}"
