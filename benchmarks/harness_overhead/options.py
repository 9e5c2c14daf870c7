"""What can be chosen on the command line."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal


@dataclass(frozen=True)
class Options:
    """How to measure."""

    parts: tuple[Literal["cases", "tables", "workers"], ...] = ("cases", "tables", "workers")
    """What to measure."""

    repeats: int = 3
    """Turns; the numbers are medians over them."""

    cases: int = 200
    """Cases of the run that copies its sources."""

    batch_size: int = 8
    """Cases that it takes together."""

    root: Path | None = None
    """Folder in PIE-Bench's format to take cases from, instead of PIE-Toybox's test split."""

    runs: int = 10
    """Runs of the archive."""

    cases_a_run: int = 10_000
    """Recorded cases of each."""

    edits: int = 24
    """Cases that workers edit, in batches of two."""

    steps: int = 30
    """Updates of each edit by workers."""

    workers: tuple[int, ...] = (1, 2)
    """Numbers of worker processes."""

    json: Path | None = None
    """Write all numbers here, with where they came from."""

    markdown: Path | None = None
    """Write the tables here; between its results markers where the file has them, as `piva report --into` does."""
