"""A crew of Ray actors: each has the models in memory, and streams back what it says.

An actor that dies (its process, its node, the way to it) is never restarted by Ray: `Dispatch` decides what becomes of
the work that it held, and asks for another.
"""

from __future__ import annotations

import os
import re
import socket
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import replace
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any

from benchmarks.executors.messages import Died, Done, Failed, Message, Ready
from benchmarks.executors.ray_cluster import gpus_each, joined, places, resources
from benchmarks.executors.station import Order, Station
from piva.errors import ConfigError, MachineError
from piva.records import read_run

if TYPE_CHECKING:
    from benchmarks.running.plan import Plan
    from piva.config import RaySettings

MOST_ON_CPU = 4
"""Workers of a local cluster without a GPU, unless told otherwise: each has the models in memory. Ours."""
SECONDS_FOR_FILES = 10.0
"""A shared file system may show a new file so late. Ours."""
SECONDS_WITHOUT_A_WORD = 60.0


class Worker:
    """The actor. What it says is a stream that ends with `Ready`, `Done` or `Failed`.

    Args:
        device: as `--prior.device` names it.
        folder: the command's own; relative paths start there.
    """

    def __init__(self, order: Order, device: str, folder: Path) -> None:
        self._order, self._device, self._folder = order, device, folder
        self._said: SimpleQueue[Message | None] = SimpleQueue()
        self._thread = ThreadPoolExecutor(1)
        self._station: Station | None = None

    def begin(self) -> Iterator[Message]:
        """Loads the models, if this node sees the run."""
        missing = self._missing()
        if missing is not None:
            yield Failed("preflight", missing)
            return
        os.chdir(self._folder)
        yield from self._while(self._open)

    def do(self, plan: Plan[Any]) -> Iterator[Message]:
        """Edits and scores."""
        station = self._station
        assert station is not None
        yield from self._while(lambda: station.do(plan))

    def _open(self) -> None:
        self._station = Station(self._order, self._device, self._said.put)

    def _while(self, work: Callable[[], None]) -> Iterator[Message]:
        """What is said while the work is done; it is done in a thread that is the same each time."""
        outcome = self._thread.submit(work)
        outcome.add_done_callback(lambda _: self._said.put(None))
        while (message := self._said.get()) is not None:
            yield message
        outcome.result()

    def _missing(self) -> str | None:
        """What this node does not see of what the command's own machine has; None: it has the same files."""
        file, node = self._order.run / "run.json", socket.gethostname()
        needs = "every node needs data, weights and runs under the same paths"
        deadline = time.monotonic() + SECONDS_FOR_FILES
        while not _is_there(self._order):
            if time.monotonic() > deadline:
                return f"node {node} does not see the run in {file}: {needs}"
            time.sleep(0.1)
        return None if self._folder.is_dir() else f"node {node} has no folder {self._folder}: {needs}"


def _is_there(order: Order) -> bool:
    """Whether the run's folder is here, with this very launch."""
    with suppress(ConfigError, OSError):
        return [launch.started for launch in read_run(order.run).launches] == [
            launch.started for launch in order.record.launches
        ]
    return False


class RayCrew:
    """Actors by number; to be used in a `with`.

    Args:
        units: parts of the work; there are no more workers than that.
        workers: so many; None: as many as there is room for.
        device: as `--prior.device` names it.

    Raises:
        MachineError: the cluster cannot be joined, or has no node for a worker.
    """

    def __init__(self, order: Order, units: int, workers: int | None, settings: RaySettings, device: str) -> None:
        self._order = replace(order, threads=max(1, int(settings.cpus)))
        self._units, self._workers, self._settings, self._device = units, workers, settings, device
        self.size, self._gpus = 0, 0.0
        self._cluster = ExitStack()
        self._actors: dict[int, Any] = {}
        self._streams: dict[int, Any] = {}
        self._silent: dict[int, float] = {}
        """Workers that have said nothing yet -> when they were asked for."""

    def __enter__(self) -> RayCrew:
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        self._cluster.enter_context(joined(self._settings, max(cores, (self._workers or 0) * self._settings.cpus)))
        with ExitStack() as undone:
            undone.callback(self._cluster.close)
            self.size = self._count()
            for worker in range(self.size):
                self.replace(worker)
            undone.pop_all()
        return self

    def __exit__(self, *exception: object) -> None:
        import ray

        try:
            for actor in self._actors.values():
                ray.kill(actor)
        finally:
            self._streams.clear()
            self._actors.clear()
            self._cluster.close()

    def give(self, worker: int, plan: Plan[Any]) -> None:
        self._streams[worker] = self._actors[worker].do.options(num_returns="streaming").remote(plan)

    def hear(self, seconds: float) -> Iterator[tuple[int, Message]]:
        import ray

        self._say_who_is_silent()
        if not self._streams:
            time.sleep(seconds)
            return
        streams = dict(self._streams)
        if ray.wait(list(streams.values()), num_returns=1, timeout=seconds)[0]:
            speaking, _ = ray.wait(list(streams.values()), num_returns=len(streams), timeout=0)
            for worker, stream in streams.items():
                if any(stream is one for one in speaking) and (message := self._next(worker, stream)) is not None:
                    yield worker, message

    def replace(self, worker: int) -> None:
        import ray

        kind: Any = ray.remote(Worker)
        device = "cuda" if self._gpus else self._device
        actor = kind.options(num_cpus=self._settings.cpus, num_gpus=self._gpus, max_restarts=0).remote(
            self._order, device, Path.cwd()
        )
        self._actors[worker] = actor
        self._streams[worker] = actor.begin.options(num_returns="streaming").remote()
        self._silent[worker] = time.monotonic()

    def _count(self) -> int:
        nodes, cpus = resources(), self._settings.cpus
        self._gpus = gpus_each(self._settings, self._device, nodes)
        room = places(nodes, cpus, self._gpus)
        if not room and (self._workers is None or self._settings.address is None):
            raise MachineError(
                f"no node of the Ray cluster has {cpus:g} CPUs and {self._gpus:g} GPUs for a worker: "
                "--ray.cpus and --ray.gpus say what one takes"
            )
        if self._settings.address is None and not self._gpus:
            room = min(room, MOST_ON_CPU)
        return min(self._workers or room, self._units)

    def _next(self, worker: int, stream: Any) -> Message | None:
        """The next message of a stream that has one; None at its end."""
        import ray
        from ray.exceptions import RayError, RayTaskError

        try:
            message: Message = ray.get(next(stream))
        except StopIteration:
            self._streams.pop(worker)
            return None
        except RayTaskError as problem:
            self._streams.pop(worker)
            return Failed("program", str(problem))
        except RayError as problem:
            self._streams.pop(worker)
            ray.kill(self._actors.pop(worker))  # one that only cannot be reached must not write any more
            return Died(reason(problem))
        self._silent.pop(worker, None)
        if isinstance(message, (Ready, Done, Failed)):
            self._streams.pop(worker)
        return message

    def _say_who_is_silent(self) -> None:
        for worker, since in list(self._silent.items()):
            if time.monotonic() - since > SECONDS_WITHOUT_A_WORD:
                del self._silent[worker]
                print(f"worker {worker} still loads its models, or waits for a place in the cluster", file=sys.stderr)


def reason(problem: Exception) -> str:
    """Why an actor is gone, out of the paragraphs that Ray says."""
    text = re.sub(r"\x1b\[\d+m", "", str(problem)).strip()
    if "creation task" in text:  # with the traceback of what went wrong there
        return text.splitlines()[-1].strip()
    if " is unavailable: " in text:
        return "it cannot be reached any more"
    found = re.search(r"because (.+?)\.(?:\s|$)", text)
    why = found[1] if found else re.split(r"\.\s", text)[0]
    return f"{why}; its node was short of memory" if "NODE_OUT_OF_MEMORY" in text else why
