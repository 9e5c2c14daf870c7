"""The steps of an edit of a scene, whatever a step does: who is told of them, and what a killed edit goes on from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from piva.checkpoint import Checkpoint
from piva.modules.fitting import fit
from piva.representations.radiance_field import RadianceField


def do_steps(
    module: Any,
    kept: Checkpoint,
    history: History,
    steps: int,
    on_step: Callable[[dict[str, Any]], None] | None,
    on_scene: Callable[[int, RadianceField], None] | None,
) -> None:
    """Does what is left of an edit's steps. Its checkpoint stays until the field is kept.

    Args:
        module: the loop, on its device, with `scene` and `on_step`.
        on_step, on_scene: as of `piva.scenes.editing.edit_scene`.
    """

    def done(line: dict[str, Any]) -> None:
        history.add(line)
        if on_step is not None:
            on_step(line)
        if on_scene is not None:
            on_scene(line["step"] + 1, module.scene)
        kept.step_done(line["step"] + 1)

    module.on_step = done
    fit(module, range(kept.steps, steps), module.scene.space.center.device)
    module.scene.refresh_occupancy()
    kept.write()


class History:
    """One number a step under each name, the mean over its views; on the device until read, so that no step waits.

    Attributes:
        known: what was read so far.
    """

    def __init__(self) -> None:
        self.known: dict[str, list[float]] = {}
        self._new: dict[str, list[Any]] = {}

    def add(self, line: Mapping[str, Any]) -> None:
        """One step's numbers, as `on_step` gives them."""
        for name, values in line.items():
            if name != "step":
                mean = values.mean() if isinstance(values, Tensor) else sum(values) / len(values)
                self._new.setdefault(name, []).append(mean)

    def read(self) -> dict[str, list[float]]:
        """All numbers."""
        for name, values in self._new.items():
            numbers = torch.stack(values).tolist() if isinstance(values[0], Tensor) else values
            self.known.setdefault(name, []).extend(numbers)
        self._new = {}
        return self.known
