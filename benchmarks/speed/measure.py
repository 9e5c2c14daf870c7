"""The measurement: contenders take turns, repeat after repeat; then where the time goes, then memory."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

from benchmarks.measurement import origin, say
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
    Rows,
    contenders,
)
from benchmarks.speed.floor import floor_seconds
from benchmarks.speed.memory import Peak, in_new_process, peak
from benchmarks.speed.options import Options
from benchmarks.speed.report import Measured, Report, best_size, build
from benchmarks.speed.visits import Visit, literal_visit, our_visits
from benchmarks.speed.world import World

_FLOOR_STEPS = 10  # of the two calls, in every repeat


def measure(options: Options) -> Report:
    """Everything that the tables show.

    Raises:
        ConfigError, PreflightError: see `World`.
    """
    world, chosen = World(options), contenders(options.methods, options.psi_training)
    for _ in _round(world, contenders(options.methods, 2), 2, "warming up"):
        pass
    seconds: dict[Key, list[float]] = defaultdict(list)
    visits: dict[Key, Visit] = {}
    for repeat in range(options.repeats):
        for key, visit in _round(world, chosen, options.steps, f"repeat {repeat + 1} of {options.repeats}"):
            seconds[key].append(visit.seconds)
            visits[key] = visit
    splits = _splits(world, chosen, seconds)
    peaks = _peaks(options, chosen, seconds) if options.memory else {}
    measured = Measured(dict(seconds), visits, splits, peaks)
    return build(options, chosen, measured, origin("benchmarks.speed", world.device))


def _round(world: World, chosen: Sequence[Contender], steps: int, title: str) -> Iterator[tuple[Key, Visit]]:
    """Everyone once."""
    methods = set()
    for contender in chosen:
        if contender.has_twin and contender.method not in methods:
            methods.add(contender.method)
            for variant in (LITERAL, CAREFUL):
                say(f"{title}: {contender.method}, {variant}")
                yield Key(contender.method, variant, ANY, 1), literal_visit(world, contender, steps, variant == CAREFUL)
        for size in world.options.sizes:
            say(f"{title}: {contender.name}, batch {size}")
            for name, visit in our_visits(world, contender, steps, size).items():
                yield Key(contender.name, OURS, name, size), visit
            yield from _floors(world, contender, steps, size)


def _floors(world: World, contender: Contender, steps: int, size: int) -> Iterator[tuple[Key, Visit]]:
    """Floors at a batch size, in seconds a step."""
    needs = dict(contender.needs) | ({PSI_TRAINING: Rows(trained=1)} if contender.psi_steps else {})
    for name, rows in needs.items():
        seconds = floor_seconds(world, contender, rows, size, min(steps, _FLOOR_STEPS))
        yield Key(contender.name, FLOOR, name, size), Visit(seconds, rows.forward, rows.backward)


def _splits(world: World, chosen: Sequence[Contender], seconds: dict[Key, list[float]]) -> dict[Key, dict[str, float]]:
    """Split visits of ours, at batch 1 and the best batch sizes."""
    splits = {}
    for contender in chosen:
        sizes = {1} | {best_size(seconds, contender.name, OURS, visit) for visit in (COLD, WARM)}
        for size in sorted(sizes):
            say(f"where the time goes: {contender.name}, batch {size}")
            for name, visit in our_visits(world, contender, world.options.steps, size, split=True).items():
                splits[Key(contender.name, OURS, name, size)] = visit.split or {}
    return splits


def _peaks(options: Options, chosen: Sequence[Contender], seconds: dict[Key, list[float]]) -> dict[Key, Peak]:
    """Peak memory of the twins, and of ours at batch 1 and the best batch sizes; cold and warm have the same."""
    peaks: dict[Key, Peak] = {}
    for contender in chosen:
        twins = (LITERAL, CAREFUL) if contender.has_twin else ()
        jobs = [(Key(contender.method, variant, ANY, 1), variant, 1) for variant in twins]
        for size in sorted({1} | {best_size(seconds, contender.name, OURS, visit) for visit in (COLD, WARM)}):
            jobs.append((Key(contender.name, OURS, ANY, size), OURS, size))
        for key, variant, size in jobs:
            if key not in peaks:
                say(f"memory: {contender.name}, {variant}, batch {size}")
                peaks[key] = in_new_process(peak, options, contender.name, variant, size)
    return peaks
