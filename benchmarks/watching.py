"""Who watches a run: observers are told of every step and every case; a watch may also end the run early."""

from __future__ import annotations

from typing import Any, Protocol

from torch import Tensor

from piva.records import CaseRecord


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


class Stopped(Exception):
    """A run was ended by its watch; what it recorded is kept, and the same command does the rest."""
