"""The measurement: mean after mean, each in pairs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from benchmarks.means import calls, edits
from benchmarks.means.mean import Bench, Line, Mean, line
from benchmarks.means.options import Name, Options
from benchmarks.measurement import facts_of, origin, say

MAKERS: dict[Name, Callable[[Bench], list[Mean]]] = {
    "batch": edits.batch,
    "stored-psi": edits.stored_psi,
    "fused-phi": edits.fused_phi,
    "rows-in-memory": edits.rows_in_memory,
    "rows-on-disk": edits.rows_on_disk,
    "source-branch": edits.source_branch,
    "channels-last": edits.channels_last,
    "bfloat16": edits.bfloat16,
    "inference-mode": calls.inference_mode,
    "stacked-lora": calls.stacked_lora,
    "keep-freed-memory": edits.keep_freed_memory,
    "encodings": calls.encodings,
    "compile": calls.compiled,
}


@dataclass(frozen=True)
class Report:
    """All numbers, and where they came from."""

    options: dict[str, Any]
    provenance: dict[str, Any]
    lines: list[Line]


def measure(options: Options) -> Report:
    """A line for each mean that the options name.

    Raises:
        ConfigError, PreflightError: see `benchmarks.speed.world.World`.
    """
    bench = Bench(options)
    lines = [_line(mean, options) for name in chosen(options) for mean in MAKERS[name](bench)]
    return Report(facts_of(options), origin("benchmarks.means", bench.world().device), lines)


def chosen(options: Options) -> list[Name]:
    """Those of `only`, or all; compile just where it was asked for."""
    wanted = set(options.only or MAKERS) - (set() if options.compile or "compile" in options.only else {"compile"})
    return [name for name in MAKERS if name in wanted]


def _line(mean: Mean, options: Options) -> Line:
    once = mean.once() if mean.once else None
    mean.pair(2)  # the first of a shape prepares its kernels
    pairs = []
    for repeat in range(options.repeats):
        say(f"{mean.name}: {repeat + 1} of {options.repeats}")
        pairs.append(mean.pair(options.steps))
    return line(mean, pairs, once)
