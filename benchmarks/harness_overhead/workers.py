"""Short runs as users start them, by this or that executor."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from piva.errors import ConfigError
from piva.records import read_run, run_folders

IN_PROCESS = "in-process"
_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


def flags_of(workers: Sequence[int]) -> dict[str, list[str]]:
    """Name -> flags of `piva run`."""
    several = {
        f"processes, {n} worker{'s' * (n > 1)}": ["--executor", "processes", "--workers", str(n)] for n in workers
    }
    return {IN_PROCESS: []} | several


def run_seconds(flags: Sequence[str], edits: int, steps: int) -> tuple[float, float]:
    """Seconds of (the whole command, its launch: without its own imports and models, with those of workers).

    Raises:
        ConfigError: the command fails.
    """
    environment = {name: value for name, value in os.environ.items() if name not in _THREADS}  # all cores
    with TemporaryDirectory() as out:
        words = ["run", "pie-toybox", "--method", "dds", "--steps", str(steps), "--limit", str(edits)]
        words += ["--batch-size", "2", "--tracker", "none", "--out", out, *flags]
        started = time.perf_counter()
        done = subprocess.run([sys.executable, "-m", "piva.cli", *words], capture_output=True, env=environment)
        seconds = time.perf_counter() - started
        if done.returncode:
            raise ConfigError(f"piva {' '.join(words)} ended with {done.returncode}: {done.stderr.decode()[-500:]}")
        (folder,) = run_folders(Path(out))
        return seconds, read_run(folder).launches[-1].seconds or 0.0
