"""What a killed training goes on from: tensors and a few facts in one safetensors file, written now and then."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

import torch
from safetensors import safe_open
from safetensors.torch import save
from torch import Tensor

from piva.disk import disk, write_atomically

SECONDS_BETWEEN = 20.0
SECONDS_WRITING = 0.4
"""What writing may take for that; a file that takes longer is written as much less often."""
_HEADER = "piva_checkpoint_2"
"""With the version of what loops keep: a file of another is not gone on from."""


class Resumable(Protocol):
    """A loop that can stop and go on."""

    def snapshot(self) -> dict[str, Tensor]:
        """Everything that the next step depends on, by name."""
        ...

    def restore(self, tensors: Mapping[str, Tensor], steps_done: int) -> None:
        """Go on from a snapshot that was taken after so many steps."""
        ...


class Checkpoint:
    """The checkpoint of one loop.

    Args:
        path: of the file; None keeps nothing.
        key: of everything the loop's result depends on: a file of another key is not gone on from.
        facts: JSON values to be kept beside the tensors, asked for whenever the file is written.

    Attributes:
        steps: that are done.
        seconds: that they took, in all launches.
        facts_found: those of the file; empty where there is none.
    """

    def __init__(
        self,
        path: Path | None,
        key: str,
        loop: Resumable,
        device: torch.device | str = "cpu",
        facts: Callable[[], dict[str, Any]] = dict,
    ):
        self.path, self.key, self.loop, self.facts = path, key, loop, facts
        self.steps, self.seconds = 0, 0.0
        self.facts_found: dict[str, Any] = {}
        self._last = self._written = time.monotonic()
        self._writing = 0.0
        if path is not None and path.is_file():
            self._read(path, device)

    def _read(self, path: Path, device: torch.device | str) -> None:
        with safe_open(path, framework="pt", device=str(device)) as file:
            found = json.loads((file.metadata() or {}).get(_HEADER, "{}"))
            if found.get("key") == self.key:
                self.steps, self.seconds, self.facts_found = found["steps"], found["seconds"], found["facts"]
                self.loop.restore({name: file.get_tensor(name) for name in file.keys()}, self.steps)  # noqa: SIM118

    def step_done(self, steps: int) -> None:
        """Count, and write now and then."""
        now = time.monotonic()
        self.steps, self.seconds, self._last = steps, self.seconds + now - self._last, now
        if self.path is not None and now - self._written > SECONDS_BETWEEN * max(1.0, self._writing / SECONDS_WRITING):
            self.write()
            self._last = self._written = time.monotonic()
            self._writing = self._written - now

    def write(self) -> None:
        """Write the file, whole or not at all."""
        if self.path is None:
            return
        found = {"key": self.key, "steps": self.steps, "seconds": self.seconds, "facts": self.facts()}
        tensors = {name: value.detach().cpu().contiguous() for name, value in self.loop.snapshot().items()}
        with disk(self.path.parent):
            write_atomically(self.path, save(tensors, metadata={_HEADER: json.dumps(found)}))

    def remove(self) -> None:
        """The loop has ended: nothing is to be gone on from."""
        if self.path is not None:
            with disk(self.path.parent):
                self.path.unlink(missing_ok=True)
