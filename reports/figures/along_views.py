"""Of scenes: how consistent the views are along the path."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.figure import Figure

from piva.stats import Interval, bootstrap_mean
from reports.figures.style import COLUMN, legend, look, panels
from reports.reading import Run, info, labels
from reports.tables.cells import SEED, head
from reports.view_scores import view_scores

NUMBERS = "consistency"
"""What the names of numbers that are drawn begin with."""


def view_means(run: Run) -> dict[str, list[Interval]]:
    """Number -> mean and interval over cases at each view, of all whose names begin with NUMBERS."""
    cases = [view_scores(run, case_id) for case_id in sorted(run.ok)]
    names = dict.fromkeys(name for case in cases for name in case if name.startswith(NUMBERS))
    found = {}
    for name in names:
        views = [case[name] for case in cases if name in case]
        count = max(map(len, views))
        at = [[one[view] for one in views if view < len(one)] for view in range(count)]
        found[name] = [bootstrap_mean(values, SEED) for values in at]
    return found


def views_figure(runs: Sequence[Run]) -> Figure | None:
    """A panel for each number of consistency: a run's mean over cases at each view, and its interval as a band."""
    found = [view_means(run) for run in runs]
    names = list(dict.fromkeys(name for means in found for name in means))
    if not names:
        return None
    figure, axes = panels(len(names), 1, size=(COLUMN, 2.0))
    handles = {}
    for (ax,), name in zip(axes, names, strict=True):
        scale = info(name).display_scale
        for place, (label, means) in enumerate(zip(labels(runs), found, strict=True)):
            views = [view for view, one in enumerate(means.get(name, [])) if one.mean is not None]
            if views:
                style, here = look(place), [means[name][view] for view in views]
                ys = [scale * (one.mean or 0.0) for one in here]
                (handles[label],) = ax.plot(
                    views, ys, color=style.color, linestyle=style.line, marker=style.marker, markevery=5,
                    markersize=3, linewidth=1,
                )  # fmt: skip
                low, high = ([y if end is None else scale * end for end, y in zip(ends, ys, strict=True)]
                             for ends in ([one.low for one in here], [one.high for one in here]))  # fmt: skip
                ax.fill_between(views, low, high, color=style.color, alpha=0.4 / (1 + len(runs)), linewidth=0)
        ax.set_ylabel(head(name), fontsize=6)
    axes[-1][0].set_xlabel("view along the path", fontsize=8)
    legend(figure, list(handles.values()), list(handles))
    return figure
