"""What a sweep itself writes beside its runs: its points, who has them, and how attempts at them ended.

    <out>/sweep-<digest>/
        points/0007.jsonl   first line: the point; then a line for each attempt that ended; locked while a worker has it
        draw.lock           locked while a point is drawn
        journal.log         Optuna's memory of a search; may be deleted, it is made anew from points and records

The digest is of what the points depend on, so a file that is changed is another sweep; runs that both have are shared,
since a run is known by its key. Locks are flock's: the system drops them when a process dies, however it dies, and on
NFS they hold between machines.
"""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Literal

from benchmarks.sweeps.points import Point
from benchmarks.sweeps.schema import Sweep
from piva.disk import disk
from piva.errors import ConfigError
from piva.keys import digest
from piva.records import is_locked

MATTERS = ("method", "parameters", "program", "command", "metric", "early_terminate")
"""Keys of a sweep file that say which points there are, and how they fare."""

PATIENCE = 0.05
"""Seconds."""

Ending = Literal["done", "failed", "pruned"]


@dataclass(frozen=True)
class Attempt:
    """How an attempt at a point ended."""

    ending: Ending
    when: str
    """UTC, to the microsecond."""
    why: str = ""
    """What went wrong, or at which rung the run was stopped."""


@dataclass(frozen=True)
class Entry:
    """A point as its file has it."""

    point: Point
    suggested: dict[str, Any]
    """What Optuna suggested for it, where it did: `point` is made of these."""
    attempts: tuple[Attempt, ...]


class Ledger:
    """The files of one sweep below `out`.

    Args:
        seed: of points that are drawn; a grid has none.
    """

    def __init__(self, out: Path, sweep: Sweep, seed: int) -> None:
        content = {key: sweep.raw[key] for key in MATTERS if key in sweep.raw}
        drawn = {} if sweep.method == "grid" else {"seed": seed}
        self.folder = out / f"sweep-{digest({'sweep': content, **drawn})[:8]}"

    @property
    def journal(self) -> Path:
        """Optuna's file."""
        return self.folder / "journal.log"

    def entries(self) -> dict[int, Entry]:
        """Number -> every point that has a file, in order. A torn line does not count."""
        found = {int(file.stem): _read(file) for file in sorted(self._points.glob("*.jsonl"))}
        return {index: entry for index, entry in found.items() if entry is not None}

    def entry(self, index: int) -> Entry | None:
        """The point of this number, where it has a file."""
        file = self._file(index)
        return _read(file) if file.exists() else None

    def write(self, index: int, point: Point, suggested: dict[str, Any]) -> None:
        """Writes down a point that was drawn; only while `drawing`."""
        with disk(self.folder):
            self._points.mkdir(parents=True, exist_ok=True)
            with self._file(index).open("wb") as file:
                _append(file, {"point": dict(point), "suggested": suggested})

    def claim(self, index: int, point: Point) -> Claim | None:
        """The point, for this process alone until the claim is closed or the process ends; None: another has it."""
        with disk(self.folder):
            self._points.mkdir(parents=True, exist_ok=True)
            file = self._file(index).open("a+b")
        for wait in (PATIENCE, 0.0):  # whoever looks whether it is claimed holds it for a moment
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return Claim(self._file(index), file, point)
            except BlockingIOError:
                time.sleep(wait)
        file.close()
        return None

    def is_claimed(self, index: int) -> bool:
        """Whether a process has the point."""
        return is_locked(self._file(index))

    @contextmanager
    def drawing(self) -> Iterator[None]:
        """One process at a time looks at what there is and draws a point; others wait."""
        with disk(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
            file = (self.folder / "draw.lock").open("ab")
        with file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    @property
    def _points(self) -> Path:
        return self.folder / "points"

    def _file(self, index: int) -> Path:
        return self._points / f"{index:04d}.jsonl"


class Claim:
    """A point that this process has."""

    def __init__(self, path: Path, file: BinaryIO, point: Point) -> None:
        self._path, self._file = path, file
        cut_torn_line(path)
        if _read(path) is None:
            self._append({"point": dict(point), "suggested": {}})

    def __enter__(self) -> Claim:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Lets the point go."""
        self._file.close()

    def note(self, ending: Ending, why: str = "") -> None:
        """Writes down how the attempt ended."""
        self._append({"ending": ending, "when": moment(), "why": why})

    def _append(self, line: dict[str, Any]) -> None:
        with disk(self._path):
            _append(self._file, line)


def cut_torn_line(path: Path) -> None:
    """Removes what stands behind a file's last line break: what a process was writing when it was killed."""
    with path.open("r+b") as file:
        file.seek(max(0, file.seek(0, os.SEEK_END) - 1))
        if file.read(1) not in (b"", b"\n"):
            file.truncate(path.read_bytes().rfind(b"\n") + 1)


def moment() -> str:
    """Now, in UTC; later moments sort behind earlier ones."""
    return datetime.now(timezone.utc).isoformat(timespec="microseconds")


def _append(file: BinaryIO, line: dict[str, Any]) -> None:
    file.write(json.dumps(line).encode() + b"\n")
    file.flush()
    os.fsync(file.fileno())


def _read(path: Path) -> Entry | None:
    """What a point's file says; None where not even its first line is whole."""
    try:
        lines = [json.loads(line) for line in path.read_bytes().split(b"\n")[:-1]]
        return Entry(**lines[0], attempts=tuple(Attempt(**line) for line in lines[1:])) if lines else None
    except (ValueError, TypeError) as problem:
        raise ConfigError(
            f"{path} is damaged ({problem}); delete it, and the point is as if it was never tried"
        ) from None
