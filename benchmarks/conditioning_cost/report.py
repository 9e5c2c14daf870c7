"""What is known of every point: counted from shapes, and measured in turns; kept in a file from call to call."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from pydantic import TypeAdapter, ValidationError

from benchmarks.conditioning_cost.options import Kind
from benchmarks.conditioning_cost.turns import Turn
from benchmarks.measurement import write_json
from benchmarks.speed.report import ratio
from piva.errors import ConfigError
from piva.memory import Memory

DECISIVE = ("latent", "dtype", "device", "cpu", "threads")
"""What must be the same for numbers to stand in one file."""


@dataclass(frozen=True)
class Line:
    """One kind at one size."""

    size: str
    kind: Kind
    is_scaled: bool  # a share of SD 1.5's width, not a model of its own
    widths: tuple[int, ...]  # of the UNet's blocks
    latent: tuple[int, int, int]  # (C, h, w)
    unet_parameters: int
    trained_parameters: int  # of psi and phi together
    memory: Memory  # of an edit of one picture, with the VAE and the text encoder of the shape
    flops: int  # of a step
    turns: list[Turn] = field(default_factory=list)

    @property
    def auxiliary_bytes(self) -> int:
        """psi and phi with AdamW's states."""
        return self.memory.adapters + self.memory.optimiser

    @property
    def added_bytes(self) -> int:
        """What a step takes beside the UNet's weights, by the estimate: auxiliaries, a frozen ControlNet, the rest."""
        return self.memory.weights.get("controlnet", 0) + self.auxiliary_bytes + self.memory.step

    @property
    def step_bytes(self) -> int:
        """All that there is while an edit steps, but for VAE, text encoder and packages."""
        return self.memory.weights["unet"] + self.added_bytes

    @property
    def measured_bytes(self) -> float | None:
        """`added_bytes` as measured; median over turns."""
        return median(turn.peak.edit - turn.peak.loaded for turn in self.turns) if self.turns else None

    @property
    def seconds(self) -> float | None:
        """Of a step: median over all that were measured."""
        return median(s for turn in self.turns for s in turn.seconds) if self.turns else None


@dataclass(frozen=True)
class Report:
    """All numbers, and where they came from."""

    options: dict[str, Any]
    provenance: list[dict[str, Any]]  # of every call that measured something; before the first, of that which counted
    lines: list[Line]

    def line(self, size: str, kind: str) -> Line | None:
        """What is known of a point."""
        return next((line for line in self.lines if (line.size, line.kind) == (size, kind)), None)

    def ordered(self) -> list[Line]:
        """By size of the UNet; kinds in the order they were measured in."""
        return sorted(self.lines, key=lambda line: (line.unet_parameters, line.size))

    def flops_a_second(self, line: Line) -> float | None:
        """What this kind was measured to do at the size nearest in operations; another kind where it was not."""
        measured = [other for other in self.lines if other.turns]
        alike = [other for other in measured if other.kind == line.kind] or measured
        if not alike:
            return None
        nearest = min(alike, key=lambda other: max(other.flops, line.flops) / min(other.flops, line.flops))
        return nearest.flops / (nearest.seconds or 0.0)

    def reckoned_seconds(self, line: Line) -> float | None:
        """Of a step: its operations over `flops_a_second`; None where nothing was measured at all."""
        rate = self.flops_a_second(line)
        return None if rate is None else line.flops / rate

    def times_none(self, line: Line) -> float | None:
        """Seconds over those of no auxiliaries at this size: the median over repeats, each with its own."""
        none = self.line(line.size, "none")
        if none is None or not none.turns or not line.turns:
            return None
        n = min(len(none.turns), len(line.turns))
        mine, its = ([median(turn.seconds) for turn in one.turns[:n]] for one in (line, none))
        return ratio(mine, its)


def save(report: Report, file: Path | None) -> None:
    """Write the report, whole or not at all."""
    if file is not None:
        write_json(file, report)


def begun(file: Path | None, options: dict[str, Any], made: dict[str, Any]) -> Report:
    """The report that a file holds, or a new one.

    Raises:
        ConfigError: the file holds something else, or numbers of another machine or under other options.
    """
    if file is None or not file.exists():
        return Report(options, [made], [])
    try:
        found = TypeAdapter(Report).validate_json(file.read_bytes())
    except ValidationError as problem:
        raise ConfigError(f"--json {file} holds no such measurement: {problem.errors()[0]['msg']}") from problem
    before, now = _decisive(found.options, found.provenance[-1]), _decisive(options, made)
    for name in DECISIVE:
        if before[name] != now[name]:
            raise ConfigError(
                f"--json {file} was measured with {name} {before[name]}, this is {now[name]}: name another file"
            )
    is_measured = any(line.turns for line in found.lines)
    return Report(options, found.provenance if is_measured else [made], found.lines)


def _decisive(options: dict[str, Any], made: dict[str, Any]) -> dict[str, Any]:
    facts = made | {"latent": options["latent"], "dtype": options["dtype"]}
    return {name: facts[name] for name in DECISIVE}
