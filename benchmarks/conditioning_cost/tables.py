"""The report as tables."""

from __future__ import annotations

from benchmarks.conditioning_cost.report import Line, Report
from benchmarks.conditioning_cost.turns import LONGEST
from benchmarks.measurement import Grid, made_by

_STEPS = [
    "size", "kind", "trained, M", "with AdamW, MB", "GFLOP/step", "GFLOP x none", "s/step", "s x none", "GFLOP/s",
    "steps", "step adds, MB", "measured, MB", "edit's peak, MB",
]  # fmt: skip


def grids(report: Report) -> list[Grid]:
    """The sizes; what every kind costs at each."""
    lines = report.ordered()
    sizes = {line.size: line for line in reversed(lines)}
    models = Grid(
        "models",
        ["size", "widths of the UNet", "latent", "UNet, M", "its weights, MB"],
        [_size_row(sizes[size]) for size in reversed(sizes)],
    )
    return [models, Grid("cost of a step, by kind", _STEPS, [_row(report, line) for line in lines])]


def _size_row(line: Line) -> list[str]:
    widths, latent = ", ".join(map(str, line.widths)), "x".join(map(str, line.latent))
    return [line.size, widths, latent, _short(line.unet_parameters / 1e6), _mb(line.memory.weights["unet"])]


def _row(report: Report, line: Line) -> list[str]:
    none = report.line(line.size, "none")
    times_flops = "" if none is None else f"{line.flops / none.flops:.2f}"
    parameters = [_short(line.trained_parameters / 1e6), _mb(line.auxiliary_bytes)]
    steps = sum(len(turn.seconds) for turn in line.turns)
    memory = [_mb(line.added_bytes), _mb(line.measured_bytes), _mb(line.memory.peak)]
    work = [_short(line.flops / 1e9), times_flops]
    return [line.size, line.kind, *parameters, *work, *_time(report, line), str(steps), *memory]


def _time(report: Report, line: Line) -> list[str]:
    """Seconds a step, how many times those of none, and operations a second; in brackets what was not measured."""
    reckoned = report.reckoned_seconds(line)
    if line.seconds is None:
        return ["" if reckoned is None else f"({_short(reckoned)})", "", ""]
    times = report.times_none(line)
    return [_short(line.seconds), "" if times is None else f"{times:.2f}", _short(line.flops / line.seconds / 1e9)]


def _short(value: float) -> str:
    """Three digits, or all before the point."""
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def _mb(size: float | None) -> str:
    return "" if size is None else _short(size / 1e6)


def notes(report: Report) -> str:
    """What is to be said of them."""
    options = report.options
    lines = [
        f"One picture (or view) in {options['dtype']}, random weights. Sizes that are numbers are shares of the widths "
        "of SD 1.5's UNet, rounded to multiples of 32; its context of 77 x 768 numbers stays.",
        "trained: numbers of psi and phi together, which with AdamW: they and their two moments, in float32. "
        "GFLOP: matrix products, convolutions and attention, forward and backward, counted from shapes.",
        f"s/step: median over the steps of all turns (at most {options['repeats']}), each in a process of its own, of "
        f"up to {options['steps']} steps or {LONGEST:g} s; in brackets, where none was measured: operations over "
        "GFLOP/s of that kind at the nearest size. x none: over the same without auxiliaries.",
        "step adds: what there is beside the UNet's weights at the fullest moment of a step, counted from shapes "
        "(piva/memory.py): auxiliaries, AdamW, a frozen ControlNet, what the passes keep; measured: the same of the "
        "process. edit's peak: counted, of a whole edit with VAE and text encoder.",
        *(made_by(made) for made in report.provenance),
    ]
    return "\n".join(lines)
