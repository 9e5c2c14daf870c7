"""Who watches a run: observers are told of every step and every case; a watch may also end the run early."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from torch import Tensor

from piva.records import CaseRecord
from piva.tracking import Look, unseen


class Observer(Protocol):
    """Something that watches a run; it must not raise. What it shows of a scene is a few views side by side."""

    def step(self, values: dict[str, Any]) -> None:
        """Called after every update of a batch, with what the engine reports and the number of its `cases`."""

    def case(self, record: CaseRecord, source: Tensor | None, edited: Tensor | None) -> None:
        """Called when a case has been recorded; images are [3, H, W], None where there is none."""


class Watch(Observer, Protocol):
    """An observer that may end a run early."""

    def goes_on(self) -> bool:
        """Asked before every batch of edits; False ends the run, which keeps what it recorded."""


class Unwatched:
    """The watch of a run that nobody ends early."""

    def step(self, values: dict[str, Any]) -> None:
        """Nobody looks."""

    def case(self, record: CaseRecord, source: Tensor | None, edited: Tensor | None) -> None:
        """Nobody looks."""

    def goes_on(self) -> bool:
        """Always."""
        return True


def unheard(scene: str, step: int, steps: int) -> None:
    """Nobody listens to a reconstruction."""


@dataclass(frozen=True)
class Watchers:
    """All who are told of the work on a run."""

    observers: tuple[Observer, ...] = ()
    goes_on: Callable[[], bool] = Unwatched().goes_on
    """Asked before every batch of edits; `Watch.goes_on` where one watches."""
    on_look: Callable[[Look], None] = unseen
    """Shown edits on their way; it must not raise."""
    on_reconstruction: Callable[[str, int, int], None] = unheard
    """Told of every step of a scene's reconstruction: its name, the step, the number of steps."""


class Stopped(Exception):
    """A run was ended by its watch; what it recorded is kept, and the same command does the rest."""
