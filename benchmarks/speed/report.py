"""From measured seconds to what is shown: medians, ratios within a repeat, the split of a step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from benchmarks.measurement import facts_of
from benchmarks.speed.contenders import (
    ANY,
    CAREFUL,
    COLD,
    FLOOR,
    LITERAL,
    OURS,
    PSI_TRAINING,
    WARM,
    Contender,
    Key,
)
from benchmarks.speed.memory import Peak
from benchmarks.speed.options import Options
from benchmarks.speed.split import ONCE
from benchmarks.speed.visits import Visit


@dataclass(frozen=True)
class Measured:
    """Raw numbers."""

    seconds: Mapping[Key, list[float]]  # an edit, in each repeat; of floors, a step
    visits: Mapping[Key, Visit]  # the last of each, for its rows
    splits: Mapping[Key, Mapping[str, float]]
    peaks: Mapping[Key, Peak]


@dataclass(frozen=True)
class Line:
    """One row of the main table; costs are per case."""

    contender: str
    variant: str
    visit: str
    size: int
    is_best: bool  # of its batch sizes
    rows_forward: float  # a step
    rows_backward: float
    psi_rows: int  # before the edit
    seconds: float  # an edit: median over repeats
    fastest: float
    slowest: float
    times_literal: float | None  # the literal twin's seconds over these; None where there is no twin
    over_floor: float  # these over the floor's, in its best batch
    peak: Peak | None


@dataclass(frozen=True)
class StepLine:
    """One row of the table of steps; costs are per case."""

    contender: str
    visit: str
    size: int
    step_seconds: float  # an edit without VAE, prompts and stored psi's training, over its steps
    over_floor: float  # over the floor of these rows, in its best batch
    over_floor_here: float  # and in the same batch
    shares: dict[str, float]  # section -> part of a whole edit; together 1


@dataclass(frozen=True)
class Report:
    """All numbers, and where they came from."""

    options: dict[str, Any]
    provenance: dict[str, Any]
    lines: list[Line]
    steps: list[StepLine]


def build(options: Options, chosen: Sequence[Contender], measured: Measured, provenance: dict[str, Any]) -> Report:
    """The report of what was measured."""
    lines = [line for contender in chosen for line in _Lines(options, contender, measured).all()]
    made = {contender.name: int(options.steps * contender.share) for contender in chosen}
    steps = [_step_line(made[key.contender], measured, key, shares) for key, shares in measured.splits.items()]
    return Report(facts_of(options), provenance, lines, steps)


def best_size(seconds: Mapping[Key, Sequence[float]], contender: str, variant: str, visit: str) -> int:
    """The batch size at which an edit, or a floor's step, takes the least: by medians."""
    sizes = [key.size for key in seconds if key[:3] == (contender, variant, visit)]
    return min(sizes, key=lambda size: median(seconds[Key(contender, variant, visit, size)]))


class _Lines:
    """The lines of one contender."""

    def __init__(self, options: Options, contender: Contender, measured: Measured):
        self.steps, self.contender, self.measured = options.steps, contender, measured
        self.literal = measured.seconds.get(Key(contender.method, LITERAL, ANY, 1))
        self.floors = {visit: self._floor(visit, options.psi_training) for visit in (COLD, WARM)}

    def all(self) -> list[Line]:
        twins = (LITERAL, CAREFUL) if self.literal else ()
        lines = [self._line(Key(self.contender.method, variant, ANY, 1), COLD) for variant in twins]
        for visit in (COLD, WARM):
            keys = [key for key in self.measured.seconds if key[:3] == (self.contender.name, OURS, visit)]
            lines += [self._line(key, visit) for key in keys]
            lines.append(self._floor_line(visit))
        return lines

    def _floor(self, visit: str, psi_steps: int) -> list[float]:
        """Seconds of all UNet rows of an edit, in each repeat."""
        made = int(self.steps * self.contender.share)
        steps = [made * seconds for seconds in self._best_floor(visit)]
        if visit == WARM or not self.contender.psi_steps:
            return steps
        return [a + psi_steps * b for a, b in zip(steps, self._best_floor(PSI_TRAINING), strict=True)]

    def _best_floor(self, visit: str) -> list[float]:
        size = best_size(self.measured.seconds, self.contender.name, FLOOR, visit)
        return self.measured.seconds[Key(self.contender.name, FLOOR, visit, size)]

    def _line(self, key: Key, floor: str) -> Line:
        visit = self.measured.visits[key]
        best = key.variant == OURS and key.size == best_size(self.measured.seconds, *key[:3])
        rows = visit.rows_forward, visit.rows_backward, visit.psi_rows
        peak = self.measured.peaks.get(key._replace(visit=ANY))
        return self._filled(key, best, rows, self.measured.seconds[key], floor, peak)

    def _floor_line(self, visit: str) -> Line:
        size = best_size(self.measured.seconds, self.contender.name, FLOOR, visit)
        rows = self.contender.needs[visit]
        psi_rows = self.contender.psi_steps if visit == COLD else 0
        key = Key(self.contender.name, FLOOR, visit, size)
        return self._filled(key, True, (rows.forward, rows.backward, psi_rows), self.floors[visit], visit, None)

    def _filled(
        self,
        key: Key,
        is_best: bool,
        rows: tuple[float, float, int],
        seconds: list[float],
        floor: str,
        peak: Peak | None,
    ) -> Line:
        return Line(
            self.contender.name, key.variant, key.visit, key.size, is_best, *rows,
            seconds=median(seconds), fastest=min(seconds), slowest=max(seconds),
            times_literal=ratio(self.literal, seconds) if self.literal else None,
            over_floor=ratio(seconds, self.floors[floor]), peak=peak,
        )  # fmt: skip


def _step_line(steps: int, measured: Measured, key: Key, split: Mapping[str, float]) -> StepLine:
    whole = sum(split.values())
    shares = {name: seconds / whole for name, seconds in split.items()}
    in_steps = (1 - sum(shares[name] for name in ONCE)) / steps
    seconds = [in_steps * edit for edit in measured.seconds[key]]
    best = best_size(measured.seconds, key.contender, FLOOR, key.visit)
    floors = {size: measured.seconds[Key(key.contender, FLOOR, key.visit, size)] for size in (best, key.size)}
    return StepLine(
        key.contender, key.visit, key.size, median(seconds), ratio(seconds, floors[best]),
        ratio(seconds, floors[key.size]), shares,
    )  # fmt: skip


def ratio(a: Sequence[float], b: Sequence[float]) -> float:
    """Median of the repeats' own ratios."""
    return median(x / y for x, y in zip(a, b, strict=True))
