"""The report as tables."""

from __future__ import annotations

from benchmarks.measurement import Grid, made_by
from benchmarks.speed.contenders import OURS
from benchmarks.speed.report import Line, Report, StepLine
from benchmarks.speed.split import ONCE, SECTIONS


def grids(report: Report) -> list[Grid]:
    """Seconds per edit; by batch size; where the time goes."""
    shown = [line for line in report.lines if line.variant != OURS or line.size == 1 or line.is_best]
    head = ["", "visit", "batch", "rows/step", "+ backward", "psi rows", "s/edit", "x literal", "/ floor", "peak MB"]
    edits = Grid("seconds per edit", head, [_edit_row(line) for line in shown])
    steps = Grid(
        "where the time goes, % of an edit",
        ["", "visit", "batch", "ms/step", "/ floor", "/ floor of batch", *SECTIONS],
        [_step_row(line) for line in report.steps],
    )
    return [edits, _by_size(report), steps]


def _edit_row(line: Line) -> list[str]:
    peak = "" if line.peak is None else f"{line.peak.edit / 1e6:.0f} ({line.peak.loaded / 1e6:.0f})"
    rows = [f"{line.rows_forward:g}", f"{line.rows_backward:g}", str(line.psi_rows)]
    times = "–" if line.times_literal is None else f"{line.times_literal:.2f}"
    ratios = [times, f"{line.over_floor:.2f}"]
    name = f"{line.contender}: {line.variant}" + (" (best)" if line.variant == OURS and line.is_best else "")
    return [name, line.visit, str(line.size), *rows, f"{line.seconds:.3f}", *ratios, peak]


def _by_size(report: Report) -> Grid:
    ours = [line for line in report.lines if line.variant == OURS]
    sizes = sorted({line.size for line in ours})
    rows: dict[tuple[str, str], dict[int, str]] = {}
    for line in ours:
        rows.setdefault((line.contender, line.visit), {})[line.size] = f"{line.seconds:.3f}"
    cells = [[contender, visit, *(found[size] for size in sizes)] for (contender, visit), found in rows.items()]
    return Grid("seconds per edit, by batch size", ["ours", "visit", *map(str, sizes)], cells)


def _step_row(line: StepLine) -> list[str]:
    shares = [f"{100 * line.shares[name]:.1f}" for name in SECTIONS]
    ratios = [f"{line.over_floor:.2f}", f"{line.over_floor_here:.2f}"]
    return [line.contender, line.visit, str(line.size), f"{1000 * line.step_seconds:.2f}", *ratios, *shares]


def notes(report: Report) -> str:
    """What is to be said of them."""
    options = report.options
    lines = [
        f"{options['steps']} steps, medians of {options['repeats']} repeats; costs are per case.",
        "x literal: times as fast as the literal twin. / floor: over the UNet rows alone, in their best batch.",
        "rows/step: UNet rows without gradient, + those with a backward pass. psi rows: trained before the first step.",
        f"{', '.join(ONCE)}: done once an edit, not in ms/step. peak MB (after loading): a process of its own.",
        made_by(report.provenance),
    ]
    return "\n".join(lines)
