"""Flags that the commands on a sweep share, and what they name."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from piva.config import Settings, identity, runtime
from piva.errors import ConfigError

if TYPE_CHECKING:
    from benchmarks.sweeps.board import Board


class SweepFlags(Settings):
    """Which sweep."""

    file: Annotated[Path, tyro.conf.Positional] = runtime()
    """Sweep file."""

    out: Path | None = runtime(None)
    """Folder of the sweep's runs; that of the file's command, else runs/NAME."""

    seed: int = identity(0)
    """Of points that are drawn: random ones, and those of a search."""

    max_runs: int | None = runtime(None, ge=1)
    """How many points a random sweep or a search has, and a grid at most; the file's run_cap otherwise."""


def open_board(flags: SweepFlags) -> "Board":
    """The sweep's points, and what is on the disk of each.

    Raises:
        ConfigError: something is wrong with the file.
    """
    from benchmarks.sweeps.arguments import out_folder
    from benchmarks.sweeps.board import Board
    from benchmarks.sweeps.schema import read_sweep

    sweep = read_sweep(flags.file)
    sweep = replace(sweep, run_cap=flags.max_runs or sweep.run_cap)
    return Board(sweep, out_folder(sweep, flags.out), flags.seed)


def check_count(board: "Board") -> None:
    """Raises ConfigError where nobody says how many points there are."""
    sweep = board.sweep
    if sweep.method != "grid" and sweep.run_cap is None:
        raise ConfigError(
            f"{sweep.path}: how many points? method {sweep.method} has no end of its own: "
            "run_cap: N in the file, or --max-runs N"
        )
