"""What a worker says to the owner of a run. Pictures travel as bytes: every written one has 8 bits a channel."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from piva.disk import write_png
from piva.records import IMAGES, CaseRecord
from piva.tracking import Look
from piva.tracking.mirror import STEPS_TOGETHER, scalars

Bytes = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Ready:
    """It has loaded its models and waits for work."""


@dataclass(frozen=True)
class Appended:
    """A record, to be written."""

    record: CaseRecord


@dataclass(frozen=True)
class Closed:
    """A case is done; its record was appended before."""

    record: CaseRecord
    source: Bytes | None
    edited: Bytes | None


@dataclass(frozen=True)
class Stepped:
    """Updates of a batch, each with the mean over its cases."""

    steps: tuple[Mapping[str, float], ...]


@dataclass(frozen=True)
class Looked:
    """Edits on their way."""

    step: int
    pictures: Mapping[str, Bytes]
    scores: Mapping[str, Mapping[str, float | None]]


@dataclass(frozen=True)
class Reconstructing:
    """A step of a scene's reconstruction."""

    scene: str
    step: int
    steps: int


@dataclass(frozen=True)
class Done:
    """It has done what it was given, and waits for more."""


@dataclass(frozen=True)
class Failed:
    """Something is wrong that is no case's result: settings, machine, or the program itself."""

    kind: Literal["configuration", "preflight", "machine", "program"]
    why: str


@dataclass(frozen=True)
class Died:
    """Its process is gone, without a word of its own."""

    why: str


Message = Ready | Appended | Closed | Stepped | Looked | Reconstructing | Done | Failed | Died
Send = Callable[[Message], None]


def packed(picture: Tensor | None) -> Bytes | None:
    """A picture [3,H,W] in [0,1] as bytes."""
    return None if picture is None else (picture.detach().clamp(0, 1) * 255).round().byte().cpu().numpy()


def unpacked(picture: Bytes | None) -> Tensor | None:
    """The picture of `packed`, float32."""
    return None if picture is None else torch.tensor(picture).float() / 255


class Outbox:
    """A run's folder as a worker has it: pictures are written here, records go to the owner. And what watches there."""

    def __init__(self, path: Path, send: Send) -> None:
        self.path, self._send = path, send
        self._steps: list[dict[str, Any]] = []

    def append(self, record: CaseRecord) -> None:
        self._send(Appended(record))

    def write_image(self, case_id: str, image: Any) -> tuple[str, str]:
        return f"{IMAGES}/{case_id}.png", write_png(self.path / IMAGES / f"{case_id}.png", image)

    def step(self, values: dict[str, Any]) -> None:
        """Kept for a while: to read a value is to wait for the device."""
        self._steps.append(values)
        if len(self._steps) == STEPS_TOGETHER:
            self._pass_steps_on()

    def case(self, record: CaseRecord, source: Tensor | None, edited: Tensor | None) -> None:
        self._pass_steps_on()
        self._send(Closed(record, packed(source), packed(edited)))

    def look(self, look: Look) -> None:
        self._pass_steps_on()
        pictures = {case: packed(torch.as_tensor(picture).float()) for case, picture in look.pictures.items()}
        self._send(Looked(look.step, pictures, look.scores))  # type: ignore[arg-type]

    def reconstruction(self, scene: str, step: int, steps: int) -> None:
        self._send(Reconstructing(scene, step, steps))

    def _pass_steps_on(self) -> None:
        steps, self._steps = self._steps, []
        if steps:
            self._send(Stepped(tuple(scalars(values) for values in steps)))
