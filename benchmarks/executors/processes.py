"""A crew of processes of this machine, each with a device or a share of the cores."""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Iterator, Sequence
from contextlib import suppress
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from benchmarks.executors.messages import Message
    from benchmarks.executors.station import Order
    from benchmarks.running.plan import Plan

SECONDS_TO_END = 5.0


class Processes:
    """Spawned processes that talk through pipes; to be used in a `with`.

    Args:
        devices: of the workers, one each.
    """

    def __init__(self, order: Order, devices: Sequence[str]) -> None:
        self._order, self._devices, self.size = order, devices, len(devices)
        self._context = multiprocessing.get_context("spawn")
        self._workers: dict[int, tuple[BaseProcess, Connection]] = {}

    def __enter__(self) -> Processes:
        for worker in range(self.size):
            self._workers[worker] = self._start(worker)
        return self

    def __exit__(self, *exception: object) -> None:
        for process, connection in self._workers.values():
            with suppress(OSError):
                connection.send(None)
            if exception[0] is not None:
                process.terminate()
        for process, _ in self._workers.values():
            process.join(SECONDS_TO_END)
            if process.is_alive():
                process.kill()
                process.join()

    def give(self, worker: int, plan: Plan[Any]) -> None:
        with suppress(OSError):  # a worker that has died says so when it is heard
            self._workers[worker][1].send(plan)

    def hear(self, seconds: float) -> Iterator[tuple[int, Message]]:
        speaking = set(wait([connection for _, connection in self._workers.values()], seconds))
        for worker, (_, connection) in list(self._workers.items()):
            if connection in speaking:
                try:
                    yield worker, connection.recv()
                except (EOFError, OSError):
                    yield worker, self._died(worker)

    def replace(self, worker: int) -> None:
        self._workers[worker] = self._start(worker)

    def _start(self, worker: int) -> tuple[BaseProcess, Connection]:
        ours, theirs = self._context.Pipe()
        arguments = (theirs, self._order, self._devices[worker])
        process = self._context.Process(target=serve, args=arguments, name=f"piva-worker-{worker}", daemon=True)
        process.start()
        theirs.close()  # so that its end is the end of the pipe
        return process, ours

    def _died(self, worker: int) -> Message:
        from benchmarks.executors.messages import Died

        process, connection = self._workers.pop(worker)
        connection.close()
        process.join(SECONDS_TO_END)
        code = process.exitcode
        if code is None:
            process.kill()
        return Died(f"signal {signal.Signals(-code).name}" if code is not None and code < 0 else f"exit code {code}")


def serve(connection: Connection, order: Order, device: str) -> None:
    """A worker's whole life. Ctrl-C is the owner's business; when the owner is gone, so is its pipe, and we end."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    from benchmarks.executors.station import Station

    with suppress(EOFError, BrokenPipeError, ConnectionResetError):
        station = Station(order, device, connection.send)
        while (plan := connection.recv()) is not None:
            station.do(plan)
