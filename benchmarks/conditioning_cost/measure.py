"""The measurement: every point is counted; then those that fit are measured, by turns, repeat after repeat."""

from __future__ import annotations

import math
import os
import time
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

import torch

from benchmarks.conditioning_cost.models import METHODS, shape_of, share_of
from benchmarks.conditioning_cost.options import Kind, Options
from benchmarks.conditioning_cost.report import Line, Report, begun, save
from benchmarks.conditioning_cost.turns import LONGEST, machine_of, take_turn
from benchmarks.measurement import facts_of, origin, say
from benchmarks.speed.memory import in_new_process
from piva.flops import step_flops
from piva.memory import RESERVE, estimate
from piva.priors.location import sizes

START = 20.0  # seconds that a turn takes before its first step; ours, a guess
_FREE = Path("/proc/meminfo")


def measure(options: Options) -> Report:
    """A line for each size and kind, those in the options' JSON file among them.

    Raises:
        ConfigError, PreflightError: for a size that there is not, or a file of another measurement.
    """
    device = machine_of(options).device
    made = origin("benchmarks.conditioning_cost", device)
    report = begun(options.json, facts_of(options), made)
    for size in options.sizes:
        for kind in options.kinds:
            if report.line(size, kind) is None:
                say(f"counting: {size}, {kind}")
                report.lines.append(counted(options, size, kind))
                save(report, options.json)
    _take_turns(options, report, made, device)
    return report


def _take_turns(options: Options, report: Report, made: dict[str, Any], device: torch.device) -> None:
    """Measure what is missing, point after point, as long as there is time; every turn is saved."""
    until = time.monotonic() + options.seconds
    lines = [line for line in report.lines if line.size in options.sizes and line.kind in options.kinds]
    for repeat in range(options.repeats):
        for line in [line for line in lines if len(line.turns) <= repeat]:
            late = time.monotonic() + turn_seconds(report, line, options) > until
            if late or not fits(line, options, device):
                continue
            say(f"repeat {repeat + 1} of {options.repeats}: {line.size}, {line.kind}")
            try:
                line.turns.append(in_new_process(take_turn, options, line.size, line.kind))
            except BrokenProcessPool:  # so the system ends what takes too much memory
                say(f"{line.size}, {line.kind}: its process was ended, perhaps for its memory; it is not tried again")
                lines.remove(line)
                continue
            report.provenance.extend([made] if made not in report.provenance else [])
            save(report, options.json)


def counted(options: Options, size: str, kind: Kind) -> Line:
    """What follows from the shape of a point."""
    shape, method, dtype = shape_of(size, options), METHODS[kind], getattr(torch, options.dtype)
    memory = estimate(shape, method, 1, dtype)
    return Line(
        size=size, kind=kind, is_scaled=share_of(size) is not None,
        widths=tuple(shape.unet["block_out_channels"]), latent=sizes(size, shape.unet, shape.vae, None).latent,
        unet_parameters=memory.weights["unet"] // dtype.itemsize,
        trained_parameters=memory.adapters // torch.float32.itemsize,
        memory=memory, flops=step_flops(shape, method),
    )  # fmt: skip


def turn_seconds(report: Report, line: Line, options: Options) -> float:
    """How long a turn should take, by what was measured so far; only its start where nothing was."""
    step = line.seconds or report.reckoned_seconds(line) or 0.0
    steps = options.steps if step == 0 else min(options.steps, math.ceil(LONGEST / step))
    return START + (1 + steps) * step


def fits(line: Line, options: Options, device: torch.device) -> bool:
    """Whether the estimate, and what it leaves out, is within this machine's memory."""
    room = free_bytes(device) if options.memory_gb is None else options.memory_gb * 1e9
    return line.step_bytes + RESERVE <= room


def free_bytes(device: torch.device) -> int:
    """Memory that is not in use: of the GPU, or of this machine; all that it has where the system does not say."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    if _FREE.exists():
        (line,) = (line for line in _FREE.read_text().splitlines() if line.startswith("MemAvailable"))
        return int(line.split()[1]) * 1024
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
