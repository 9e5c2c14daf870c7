"""Bars for each edit type, or for each group of edits of scenes."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.figure import Figure

from reports.parts import parts
from reports.reading import Run, info, labels
from reports.style import bars, legend, look, panels
from reports.tables import head, rows

MOST = 8
"""Runs that bars stay readable for; of more the figure is left out."""


def type_figure(runs: Sequence[Run], names: Sequence[str]) -> Figure | None:
    """A panel for each number, a group of bars for each type; the table's means and intervals."""
    edits = [run for run in runs if not run.is_identity_row]
    found = parts(edits, "type") if edits else []
    if len(found) < 2 or not names or not 1 <= len(edits) <= MOST:
        return None
    tables = [{row.run.path: row for row in rows(edits, names, part=part)} for part in found]
    figure, axes = panels(len(names), 1, size=(max(3.35, 0.7 * len(found)), 1.9))
    width = 0.8 / len(edits)
    for (ax,), name in zip(axes, names, strict=True):
        for place, (run, label) in enumerate(zip(edits, labels(edits), strict=True)):
            style = look(place)
            for k, table in enumerate(tables):
                interval = table[run.path].cells[name]
                if interval.mean is not None:
                    mean, bar = bars(interval, info(name).display_scale)
                    ax.bar(
                        k + (place - (len(edits) - 1) / 2) * width, mean, width, yerr=bar, color=style.color,
                        hatch=style.hatch, edgecolor="white", linewidth=0.3, error_kw={"elinewidth": 0.6},
                        label=label if k == 0 else None,
                    )  # fmt: skip
        ax.set_ylabel(head(name), fontsize=8)
        ax.set_xticks(range(len(found)), [])
    axes[-1][0].set_xticks(range(len(found)), [part.title for part in found], rotation=30, ha="right", fontsize=7)
    legend(figure, *axes[0][0].get_legend_handles_labels())
    return figure
