"""Short runs as users start them, by this or that executor."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.sweeps.crew import threads_each
from piva.errors import ConfigError
from piva.records import IMAGES

IN_PROCESS = "in-process"
BATCH = 2
_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
"""Of a command; its workers divide them."""


def contenders(workers: Sequence[int]) -> dict[str, tuple[list[str], int]]:
    """Name -> (flags of `piva run`, who works at once)."""
    several = {
        f"processes, {n} worker{'s' * (n > 1)}": (["--executor", "processes", "--workers", str(n)], n) for n in workers
    }
    return {IN_PROCESS: ([], 1)} | several


@dataclass(frozen=True)
class RunTime:
    """How long a run took."""

    command: float
    """Seconds from its start to its end."""
    cases_a_minute: float
    """Once every worker has done its first batch: without imports and models."""


def run_time(flags: Sequence[str], workers: int, edits: int, steps: int) -> RunTime:
    """Of a run of DDS on PIE-Toybox.

    Raises:
        ConfigError: the command fails, or the first batches are all there is.
    """
    environment = os.environ | dict.fromkeys(_THREADS, str(threads_each(1)))  # all cores, whatever this process has
    with TemporaryDirectory() as out:
        words = ["run", "pie-toybox", "--method", "dds", "--steps", str(steps), "--limit", str(edits)]
        words += ["--batch-size", str(BATCH), "--tracker", "none", "--out", out, *flags]
        started = time.perf_counter()
        done = subprocess.run([sys.executable, "-m", "piva.cli", *words], capture_output=True, env=environment)
        seconds = time.perf_counter() - started
        if done.returncode:
            raise ConfigError(f"piva {' '.join(words)} ended with {done.returncode}: {done.stderr.decode()[-500:]}")
        written = [file.stat().st_mtime for file in Path(out).glob(f"*/*/{IMAGES}/*.png")]
    return RunTime(seconds, rate_after_start(written, BATCH * workers))


def rate_after_start(written: Sequence[float], first: int) -> float:
    """Images a minute after the `first` ones, of the times in seconds at which they were written.

    Raises:
        ConfigError: there are no more.
    """
    if len(written) <= first:
        raise ConfigError(f"{first} cases are edited in the workers' first batches: more --edits than that")
    times = sorted(written)
    return 60 * (len(times) - first) / (times[-1] - times[first - 1])
