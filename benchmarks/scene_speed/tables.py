"""The report as tables."""

from __future__ import annotations

from benchmarks.measurement import Grid, made_by
from benchmarks.scene_speed.measure import Line, Report
from benchmarks.scene_speed.steps import SECTIONS
from benchmarks.scene_speed.updating import UpdateLine

UPDATES = (
    "a dataset update: steps after the first picture's; of the fit: a step that replaces none; ms/picture: what "
    "replacing one takes besides; UNet rows: ms of its rows alone, three in a call; / floor: ms/picture over them."
)


def grids(report: Report) -> list[Grid]:
    """Seconds per step, and where they go; in2n."""
    head = [
        "", "views", "rows/step", "+ backward", "ms/step", "render", "encode", "UNet rows", "/ floor",
        "/ floor of views", "peak MB",
    ]  # fmt: skip
    steps = Grid("a step in 3D, against its parts alone", head, [_step_row(line) for line in report.lines])
    split = Grid("where the time goes, % of a step", ["", "views", *SECTIONS], [_split_row(x) for x in report.lines])
    head = ["", "rows/step", "ms/step", "ms/step of the fit", "ms/picture", "UNet rows", "/ floor"]
    updates = Grid("a step of a dataset update", head, [_update_row(line) for line in report.updates])
    return [grid for grid in (steps, split, updates) if grid.rows]


def notes(report: Report) -> str:
    """What is to be said of them."""
    options = report.options
    lines = [
        f"{options['scene']}; {options['steps']} steps after the first round of {options['cameras']} views, medians of "
        f"{options['repeats']} repeats.",
        "render, encode, UNet rows: ms of these parts alone, forward and backward, at the number of views that suits "
        "each best; / floor: ms/step over their sum; / floor of views: the same, all at the step's number of views.",
        "rows/step: UNet rows without gradient, + those with a backward pass. peak MB (after loading): a process of "
        "its own.",
        *(f"{name}: {about}." for name, about in SECTIONS.items()),
        *([UPDATES] if report.updates else []),
        made_by(report.provenance),
    ]
    return "\n".join(lines)


def _update_row(line: UpdateLine) -> list[str]:
    milliseconds = [f"{1000 * value:.1f}" for value in (line.seconds, line.fit, line.picture, line.picture_rows)]
    return ["in2n", f"{line.rows:g}", *milliseconds, f"{line.over_floor:.2f}"]


def _step_row(line: Line) -> list[str]:
    peak = "" if line.peak is None else f"{line.peak.edit / 1e6:.0f} ({line.peak.loaded / 1e6:.0f})"
    milliseconds = [f"{1000 * value:.1f}" for value in (line.seconds, line.render, line.encode, line.rows)]
    rows = [f"{line.rows_forward:g}", f"{line.rows_backward:g}"]
    ratios = [f"{line.over_floor:.2f}", f"{line.over_floor_here:.2f}"]
    return [line.contender, str(line.views), *rows, *milliseconds, *ratios, peak]


def _split_row(line: Line) -> list[str]:
    whole = sum(line.split.values())
    return [line.contender, str(line.views), *(f"{100 * line.split[name] / whole:.1f}" for name in SECTIONS)]
