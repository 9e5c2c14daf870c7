"""Several workers on this machine: a process each, with a share of the cores; one that is killed is replaced."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

SECONDS_BETWEEN_LOOKS = 0.5
SECONDS_BETWEEN_SAYINGS = 10.0


def threads_each(workers: int) -> int:
    """Cores of this process over the workers, at least one."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, cores // workers)


def gpus_from(first: int) -> dict[str, str]:
    """The environment that has the GPUs begin with another one, so that each worker's `cuda` is its own.

    All are there for who names one; nothing is said where there is one GPU, or none.
    """
    import torch

    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    gpus = list(map(str, range(torch.cuda.device_count()))) if named is None else named.split(",")
    place = first % max(1, len(gpus))
    return {"CUDA_VISIBLE_DEVICES": ",".join(gpus[place:] + gpus[:place])} if len(gpus) > 1 else {}


class Crew:
    """Processes that do the same command, each with a share of the cores and a GPU of its own where there are several.

    A worker outlives a crew that is killed, finishes what there is, and is found by `piva sweep status`.

    Args:
        command: of one worker.
        logs: folder for what they say.
    """

    def __init__(self, command: Sequence[str], workers: int, logs: Path) -> None:
        self._command, self._logs = list(command), logs
        threads = str(threads_each(workers))
        self._environment = os.environ | {"OMP_NUM_THREADS": threads, "MKL_NUM_THREADS": threads}
        self._logs.mkdir(parents=True, exist_ok=True)
        self._running = {number: self._start(number) for number in range(1, workers + 1)}
        self._replacements = workers
        self.codes: list[int] = []

    def wait(self, progress: Callable[[], str]) -> list[int]:
        """Exit codes of all workers, once they ended; a worker that was killed is replaced, so many times in all.

        Args:
            progress: what to say now and then, where it changed.

        Raises:
            KeyboardInterrupt: the workers were told to stop, have finished their writing, and are gone.
        """
        said, looked = "", 0.0
        try:
            while self._running:
                time.sleep(SECONDS_BETWEEN_LOOKS)
                self._collect()
                if time.monotonic() - looked > SECONDS_BETWEEN_SAYINGS:
                    looked, saying = time.monotonic(), progress()
                    if saying != said:
                        said = saying
                        print(saying, file=sys.stderr, flush=True)
        finally:
            self._stop()
        return self.codes

    def _start(self, number: int) -> subprocess.Popen[bytes]:
        environment = self._environment | gpus_from(number - 1)
        log = self._logs / f"worker-{socket.gethostname()}-{number}.log"
        with log.open("ab") as file:  # a session of its own: Ctrl-C comes to us alone, and we pass it on
            return subprocess.Popen(self._command, stdout=file, stderr=file, env=environment, start_new_session=True)

    def _collect(self) -> None:
        for number, process in list(self._running.items()):
            code = process.poll()
            if code is None:
                continue
            if code < 0 and self._replacements > 0:
                self._replacements -= 1
                print(f"worker {number} was killed (signal {-code}); another takes its place", file=sys.stderr)
                self._running[number] = self._start(number)
            else:
                self.codes.append(code)
                del self._running[number]

    def _stop(self) -> None:
        for process in self._running.values():
            process.terminate()
        for process in self._running.values():
            process.wait()
