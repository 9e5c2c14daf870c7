"""What lies in the cache and no run names: reconstructions, stored psi, source rows. It can be made again."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.garbage.runs import Garbage
from piva.records import CASES_FILE, is_locked
from piva.records.run_files import size_of
from piva.scenes.stored_fields import LOCK_FILE

_RECONSTRUCTION = re.compile(rb'"reconstruction":"([^"]+)"')
_SECONDS_A_DAY = 86400.0


def find(cache: Path, runs: list[Path], days: float) -> list[Garbage]:
    """Fields that none of these run folders names, psi and rows (which no record names), unused for so many days."""
    named = {key.decode() for run in runs for key in _fields_of(run)}
    fields = (
        path for path in _entries(cache / "fields", days) if path.name not in named and not is_locked(path / LOCK_FILE)
    )
    found = [Garbage.at(path, "a reconstruction that no run here names") for path in fields]
    found += [Garbage.at(path, "a stored psi") for path in _entries(cache / "psi", days)]
    return found + [Garbage.at(path, "source rows") for path in _entries(cache / "rows", days)]


def _fields_of(run: Path) -> list[bytes]:
    file = run / CASES_FILE
    return _RECONSTRUCTION.findall(file.read_bytes()) if file.exists() else []


def _entries(folder: Path, days: float) -> Iterator[Path]:
    """What lies in a folder of the cache and was neither written nor, of psi and source rows, read for so many days."""
    before = time.time() - days * _SECONDS_A_DAY
    if folder.is_symlink():
        return
    for path in sorted(folder.glob("*")):
        if not path.is_symlink() and size_of(path) and _latest(path) < before:
            yield path


def _latest(path: Path) -> float:
    return max(part.lstat().st_mtime for part in [path, *path.rglob("*")])
