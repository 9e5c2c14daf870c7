"""Bars for each edit type, or for each group of edits of scenes; of more than FEW runs points."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from piva.stats import Interval
from reports.figures.looks import looks_of
from reports.figures.style import COLUMN, FEW, MOST, PAGE, Look, bars, legend, panels
from reports.parts import parts
from reports.reading import Run, info, labels
from reports.tables.cells import head
from reports.tables.rows import rows


def type_figure(runs: Sequence[Run], names: Sequence[str]) -> Figure | None:
    """A panel for each number, a group of bars for each type; the table's means and intervals."""
    edits = [run for run in runs if not run.is_identity_row]
    found = parts(edits, "type") if edits else []
    if len(found) < 2 or not names or not 1 <= len(edits) <= MOST:
        return None
    tables = [{row.run.path: row for row in rows(edits, names, part=part)} for part in found]
    figure, axes = panels(len(names), 1, size=(max(COLUMN, 0.7 * len(found)) if len(edits) <= FEW else PAGE, 1.9))
    width, looks = 0.8 / len(edits), looks_of(edits)
    for (ax,), name in zip(axes, names, strict=True):
        for place, (run, label) in enumerate(zip(edits, labels(edits), strict=True)):
            for k, table in enumerate(tables):
                interval = table[run.path].cells[name]
                if interval.mean is not None:
                    at = k + (place - (len(edits) - 1) / 2) * width
                    named = label if label not in ax.get_legend_handles_labels()[1] else None
                    _mark(ax, at, interval, name, looks[run.path], width if len(edits) <= FEW else None, named)
        ax.set_ylabel(head(name), fontsize=8)
        ax.set_xticks(range(len(found)), [])
    axes[-1][0].set_xticks(range(len(found)), [part.title for part in found], rotation=30, ha="right", fontsize=7)
    handles: dict[str, Any] = {}
    for (ax,) in axes:
        ax.set_xlim(-0.5, len(found) - 0.5)
        for k in range(1, len(found)):
            ax.axvline(k - 0.5, color="#777777", linewidth=0.3)
        own, drawn = ax.get_legend_handles_labels()
        handles |= dict(zip(drawn, own, strict=True))
    names = [label for label in labels(edits) if label in handles]
    legend(figure, [handles[name] for name in names], names)
    return figure


def _mark(
    ax: Axes, at: float, interval: Interval, name: str, style: Look, width: float | None, label: str | None
) -> None:
    """A bar this wide, or a point without a width, with the interval."""
    mean, bar = bars(interval, info(name).display_scale)
    if width is None:
        ax.errorbar(
            at, mean, yerr=bar, fmt=style.marker, color=style.color, markersize=2.8, elinewidth=0.5, label=label
        )
        return
    ax.bar(
        at, mean, width, yerr=bar, color=style.color, hatch=style.hatch, edgecolor="white", linewidth=0.3,
        error_kw={"elinewidth": 0.6}, label=label,
    )  # fmt: skip
