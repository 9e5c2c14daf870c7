"""The report as a table."""

from __future__ import annotations

from statistics import median

from benchmarks.means.mean import Line
from benchmarks.means.measure import Report
from benchmarks.measurement import Grid, made_by

_HEAD = ["mean", "setting", "ms per", "without", "with", "x as fast", "once, s", "pays after", "changes"]


def grids(report: Report) -> list[Grid]:
    """The one table."""
    return [Grid("means of speed, each by itself", _HEAD, [_row(line) for line in report.lines])]


def _row(line: Line) -> list[str]:
    milliseconds = [_milliseconds(median(seconds)) for seconds in (line.seconds_without, line.seconds_with)]
    once = "" if line.once is None else f"{line.once:.1f}"
    pays = "" if line.once is None else "never" if line.pays_after is None else f"{line.pays_after:.0f}"
    return [line.name, line.setting, line.per, *milliseconds, f"{line.times_as_fast:.2f}", once, pays, line.changes]


def _milliseconds(seconds: float) -> str:
    """Three digits at least."""
    return f"{1000 * seconds:.0f}" if seconds >= 0.1 else f"{1000 * seconds:.3g}"


def notes(report: Report) -> str:
    """What is to be said of it."""
    options = report.options
    lines = [
        f"{options['steps']} steps, or calls; batches of {options['batch_size']} where nothing else is said; "
        f"medians of {options['repeats']} repeats. Costs of edits are per case.",
        "x as fast: without over with, the median of the repeats' own. once: before it helps for the first time; "
        "pays after: as many as make up for that.",
        made_by(report.provenance),
    ]
    return "\n".join(lines)
