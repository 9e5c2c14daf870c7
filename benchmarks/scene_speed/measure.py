"""The measurement: steps and their parts take turns, repeat after repeat; then where the time goes, then memory."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from benchmarks.measurement import facts_of, origin, say
from benchmarks.scene_speed.contenders import SceneContender, contenders
from benchmarks.scene_speed.floor import encode_seconds, render_seconds, rows_seconds
from benchmarks.scene_speed.options import Options
from benchmarks.scene_speed.steps import StepCost, step_cost
from benchmarks.scene_speed.updating import UpdateLine, picture_rows_seconds, update_cost, update_line
from benchmarks.scene_speed.world import SceneWorld
from benchmarks.speed.memory import Peak, in_new_process
from benchmarks.speed.report import ratio
from piva.devices import peak_bytes
from piva.instructed.in2n import IN2N

STEP, RENDER, ENCODE = "step", "render", "encode"
Key = tuple[str, int]
"""What is measured (of rows: the contender's name), and views."""
FLOOR_STEPS = 10  # of each part, in every repeat
MEMORY_STEPS = 3


@dataclass(frozen=True)
class Line:
    """A contender at a number of views; costs are of a step, all views together."""

    contender: str
    views: int
    rows_forward: float
    rows_backward: float
    seconds: float  # median over repeats
    fastest: float
    slowest: float
    render: float  # the floor's parts, each at the number of views that suits it best
    encode: float
    rows: float
    over_floor: float  # seconds over the sum of the three
    over_floor_here: float  # and over their sum at this number of views
    split: dict[str, float]  # section -> seconds; together a step of another edit than `seconds` is of
    peak: Peak | None


@dataclass(frozen=True)
class Report:
    """All numbers, and where they came from."""

    options: dict[str, Any]
    provenance: dict[str, Any]
    lines: list[Line]
    updates: list[UpdateLine] = field(default_factory=list)
    """in2n's, where it was asked for."""


def measure(options: Options) -> Report:
    """A line for each contender and number of views, and one of in2n.

    Raises:
        ConfigError, PreflightError: see `SceneWorld`.
    """
    world, chosen = SceneWorld(options), contenders(options.contenders, options.controlnet)
    steps: dict[Key, list[float]] = defaultdict(list)
    parts: dict[Key, list[float]] = defaultdict(list)
    for repeat in range(options.repeats):
        for views in options.views if chosen else ():
            say(f"repeat {repeat + 1} of {options.repeats}: {views} views, parts alone")
            parts[RENDER, views].append(render_seconds(world, views, FLOOR_STEPS))
            parts[ENCODE, views].append(encode_seconds(world, views, FLOOR_STEPS))
            for contender in chosen:
                say(f"repeat {repeat + 1} of {options.repeats}: {contender.name}, {views} views")
                parts[contender.name, views].append(rows_seconds(world, contender, views, FLOOR_STEPS))
                steps[contender.name, views].append(step_cost(world, contender, views, options.steps).seconds)
    lines = []
    for contender in chosen:
        for views in options.views:
            say(f"where the time goes: {contender.name}, {views} views")
            split = step_cost(world, contender, views, options.steps, split=True)
            peak = in_new_process(peak_of, options, contender.name, views) if options.memory else None
            lines.append(line(contender, views, steps[contender.name, views], parts, split, peak))
    updates = [_updates(world, options)] if "in2n" in options.contenders else []
    return Report(facts_of(options), origin("benchmarks.scene_speed", world.device), lines, updates)


def _updates(world: SceneWorld, options: Options) -> UpdateLine:
    """in2n, whose edits and their UNet rows alone take turns."""
    method, costs, alone = IN2N(), [], []
    for repeat in range(options.repeats):
        say(f"repeat {repeat + 1} of {options.repeats}: in2n")
        alone.append(picture_rows_seconds(world, method))
        costs.append(update_cost(world, method, options.steps))
    return update_line(costs, alone)


def line(
    contender: SceneContender,
    views: int,
    seconds: Sequence[float],
    parts: Mapping[Key, Sequence[float]],
    cost: StepCost,
    peak: Peak | None,
) -> Line:
    """The line of what was measured: seconds of a step, and those of the parts at every number of views."""
    names = (RENDER, ENCODE, contender.name)
    best = [[views * value for value in _best_of_a_view(parts, name)] for name in names]
    here = [parts[name, views] for name in names]
    render, encode, rows = (median(values) for values in best)
    return Line(
        contender.name, views, cost.rows_forward, cost.rows_backward, median(seconds), min(seconds), max(seconds),
        render, encode, rows, over_floor=ratio(seconds, _sum(best)), over_floor_here=ratio(seconds, _sum(here)),
        split=cost.split or {}, peak=peak,
    )  # fmt: skip


def _best_of_a_view(parts: Mapping[Key, Sequence[float]], name: str) -> list[float]:
    """Seconds a view in each repeat, at the number of views where that takes the least: by medians."""
    of_a_view = [[value / views for value in values] for (part, views), values in parts.items() if part == name]
    return min(of_a_view, key=median)


def _sum(parts: Sequence[Sequence[float]]) -> list[float]:
    return [sum(values) for values in zip(*parts, strict=True)]


def peak_of(options: Options, contender: str, views: int) -> Peak:
    """Peak memory of this process until it has done a few steps."""
    world = SceneWorld(options)
    (chosen,) = contenders((contender,), options.controlnet)
    _ = world.prior, world.case
    loaded = peak_bytes(world.device) or 0
    step_cost(world, chosen, views, MEMORY_STEPS)
    return Peak(max(peak_bytes(world.device) or 0, loaded), loaded)
