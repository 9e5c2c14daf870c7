"""Where a worker works: the models of a run's command, loaded once, and the way back to the run's owner."""

from __future__ import annotations

import contextlib
import io
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.executors.messages import Done, Failed, Outbox, Ready, Send
from benchmarks.running.plan import Plan
from piva.errors import ConfigError, MachineError, PreflightError
from piva.records import RunRecord


@dataclass(frozen=True)
class Order:
    """What a worker is told before any work; it can be sent to another process, or another machine."""

    words: tuple[str, ...]
    """The arguments of `piva run`: benchmark, flags."""
    record: RunRecord
    """With this launch."""
    run: Path
    """The run's folder, which every worker sees under this path."""
    threads: int
    """For torch."""


class Station:
    """Does parts of a run.

    Args:
        device: to work on, as `--prior.device` names it.
        send: is called with each message; whatever goes wrong is a message, too.
    """

    def __init__(self, order: Order, device: str, send: Send) -> None:
        self._order, self._send = order, send
        self._runs: Any = None
        self._guarded(lambda: self._open(device), Ready())

    def do(self, plan: Plan[Any]) -> None:
        """Edits, scores, and sends what becomes of it."""
        self._guarded(lambda: self._do(plan), Done())

    def _open(self, device: str) -> None:
        import torch

        from benchmarks.opening import open_runs
        from piva.commands.run_settings import run_settings

        torch.set_num_threads(self._order.threads)
        benchmark, config = run_settings(self._order.words)
        prior = config.prior.model_copy(update={"device": device})
        with contextlib.redirect_stderr(io.StringIO()):  # the owner has said what there is to say
            self._runs = open_runs(benchmark, config.model_copy(update={"prior": prior}))

    def _do(self, plan: Plan[Any]) -> None:
        from benchmarks.running.watching import Watchers

        box = Outbox(self._order.run, self._send)
        watchers = Watchers((box,), on_look=box.look, on_reconstruction=box.reconstruction)
        self._runs.do(self._order.record, plan, box, watchers)

    def _guarded(self, work: Any, then: Any) -> None:
        try:
            work()
        except ConfigError as problem:
            self._send(Failed("configuration", str(problem)))
        except MachineError as problem:
            self._send(Failed("machine", str(problem)))
        except PreflightError as problem:
            self._send(Failed("preflight", str(problem)))
        except Exception:  # an error of the program: raised again by the owner, with this traceback
            self._send(Failed("program", traceback.format_exc()))
        else:
            self._send(then)


def devices_for(device: str, workers: int) -> Sequence[str]:
    """What each worker runs on: the GPUs in turn, where "auto" or "cuda" leaves the choice; else what is asked for."""
    import torch

    gpus = torch.cuda.device_count() if device in ("auto", "cuda") else 0
    return [f"cuda:{number % gpus}" if gpus else device for number in range(workers)]
