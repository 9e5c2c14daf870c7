"""What a study is: a question, sweeps, and a page; and its sweep files, with further flags where some are given."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from benchmarks.sweeps.points import grid_points
from benchmarks.sweeps.schema import Sweep, read_sweep
from piva.disk import write_atomically
from piva.errors import ConfigError

if TYPE_CHECKING:
    from reports.studies.drawing import Figures
    from reports.studies.found import Setting

FILES = Path(__file__).resolve().parents[2] / "sweeps" / "studies"
"""Of all studies; a part of the repository, not of the package."""
RECORDS = FILES.parents[1] / "reports" / "records" / "studies"
"""What the repository's pages of studies are made of: archived runs, in a folder for each study."""


Below = Callable[[Sequence["Setting"]], Mapping[str, Mapping[str, Any]] | None]
"""(settings of the parts before, with their runs) -> method -> its values; None where those parts are not done."""


@dataclass(frozen=True)
class Part:
    """One sweep of a study."""

    file: str
    """Name in sweeps/studies, without its ending."""
    hours: float
    """Of editing, with Toybox on two cores that do nothing else (ours: rows counted, seconds a row recorded)."""
    below: Below | None = None
    """Where its points say less than is to be run: what the parts before it found, which lies below what they say."""


@dataclass(frozen=True)
class Study:
    """A question, the sweeps that ask it, and the page that answers it."""

    name: str
    title: str
    """Of the page."""
    question: str
    parts: tuple[Part, ...]
    """In the order worth running."""
    page: Callable[[Sequence[Setting], Figures], list[str]]
    """(settings of all parts with their runs, where figures go) -> lines of Markdown. Some runs may be missing."""

    @property
    def hours(self) -> float:
        """Of all parts."""
        return sum(part.hours for part in self.parts)

    def sweeps(self) -> list[Sweep]:
        """The sweeps of its parts.

        Raises:
            ConfigError: the files are not there, as in an installed package.
        """
        if not FILES.is_dir():
            raise ConfigError(f"{FILES} is not there: studies run from a checkout of piva's repository")
        return [read_sweep(FILES / f"{part.file}.yaml") for part in self.parts]


def runs_of(sweep: Sweep) -> int:
    """How many runs a study's sweep has: its points, times the seeds that its command names."""
    words = list(sweep.command)
    if "--seeds" not in words:
        return len(grid_points(sweep))
    after = words[words.index("--seeds") + 1 :]
    seeds = next(place for place, word in enumerate(after) if not word.isdigit())
    return len(grid_points(sweep)) * seeds


def with_flags(sweep: Sweep, flags: Sequence[str], folder: Path) -> Sweep:
    """The sweep with `flags` behind every run's arguments, as a file in `folder`; the same sweep without flags.

    Where a flag is given twice, `piva run` takes the last.
    """
    return _rewritten(sweep, {"command": [*sweep.command, *flags]}, folder) if flags else sweep


def over(sweep: Sweep, values: Mapping[str, Mapping[str, Any]], folder: Path) -> Sweep:
    """The sweep with each point of `method` over the values for that method, as a file in `folder`."""
    points = [{**values.get(point["name"], {}), **point} for point in sweep.parameters["method"].values]
    return _rewritten(sweep, {"parameters": {**sweep.raw["parameters"], "method": {"values": points}}}, folder)


def _rewritten(sweep: Sweep, changes: Mapping[str, Any], folder: Path) -> Sweep:
    file = folder / sweep.path.name
    write_atomically(file, yaml.safe_dump({**sweep.raw, **changes}, sort_keys=False).encode())
    return read_sweep(file)
