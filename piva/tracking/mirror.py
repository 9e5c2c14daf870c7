"""What a mirror is told of a run, and the guard around it."""

import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from piva.records import CaseRecord, RunRecord

STEPS_TOGETHER = 25
"""Per-step values are read from the device this many steps at a time: reading one waits for all before it."""


@dataclass(frozen=True, eq=False)
class Look:
    """Edits on their way, as somebody looked at them."""

    step: int
    """Updates done."""
    pictures: Mapping[str, Any]
    """Case id -> the edit so far, [3,H,W] in [0,1]; of a scene, a few views side by side."""
    scores: Mapping[str, Mapping[str, float | None]] = field(default_factory=dict)
    """Case id -> its scores so far, where they were computed."""


def unseen(look: Look) -> None:
    """Nobody looks."""


class Mirror(Protocol):
    """What is told of a run as it goes."""

    def start(self, record: RunRecord, folder: Path) -> None: ...
    def step(self, values: Mapping[str, float]) -> None: ...
    def look(self, look: Look) -> None: ...
    def case(self, record: CaseRecord, source: Any, edited: Any) -> None: ...
    def finish(self) -> None: ...


class Guarded:
    """Passes everything on to a mirror until that fails; then says so once, and drops it.

    Steps are kept as they come and passed on as numbers, STEPS_TOGETHER at a time, before a case and at the end.
    """

    def __init__(self, mirror: Mirror | None) -> None:
        self._mirror = mirror
        self._steps: list[Mapping[str, Any]] = []

    def start(self, record: RunRecord, folder: Path) -> None:
        self._tell("start", record, folder)

    def step(self, values: Mapping[str, Any]) -> None:
        if self._mirror is None:
            return
        self._steps.append(values)
        if len(self._steps) == STEPS_TOGETHER:
            self._pass_steps_on()

    def look(self, look: Look) -> None:
        self._pass_steps_on()
        self._tell("look", look)

    def case(self, record: CaseRecord, source: Any, edited: Any) -> None:
        self._pass_steps_on()
        self._tell("case", record, source, edited)

    def finish(self) -> None:
        self._pass_steps_on()
        self._tell("finish")

    def _pass_steps_on(self) -> None:
        steps, self._steps = self._steps, []
        for values in steps:
            self._tell("step", scalars(values))

    def _tell(self, what: str, *facts: Any) -> None:
        if self._mirror is None:
            return
        try:
            getattr(self._mirror, what)(*facts)
        except Exception as problem:  # whatever a third party's service does, the run goes on
            self._mirror = None
            print(f"tracking stopped ({type(problem).__name__}: {problem}); the run goes on", file=sys.stderr)


def scalars(values: Mapping[str, Any]) -> dict[str, float]:
    """One number for each entry of a step's dict: itself, or its mean over the cases; anything else is left out."""
    numbers = {}
    for name, value in values.items():
        cases = value.tolist() if getattr(value, "ndim", None) == 1 else value
        if isinstance(cases, (list, tuple)) and cases:
            numbers[name] = sum(map(float, cases)) / len(cases)
        elif isinstance(cases, (int, float)):
            numbers[name] = float(cases)
    return numbers


def updates_done(steps: int, records: Iterable[CaseRecord]) -> int:
    """Updates that went into the recorded edits: `steps` for each batch. A continued run counts on from there."""
    return round(sum(steps / record.batch for record in records if record.seconds_edit is not None))
