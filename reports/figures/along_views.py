"""Of scenes: how consistent the views are along the path."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.figure import Figure

from piva.stats import Interval, bootstrap_mean
from reports.figures.looks import looks_of
from reports.figures.style import COLUMN, FEW, MOST, PAGE, draw_curve, legend, panels
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
    drawn = sum(bool(means) for means in found)
    if not names or drawn > MOST:
        return None
    figure, axes = panels(len(names), 1, size=(COLUMN, 2.0) if drawn <= FEW else (PAGE, 2.6))
    handles, looks = {}, looks_of(runs)
    for (ax,), name in zip(axes, names, strict=True):
        for run, label, means in zip(runs, labels(runs), found, strict=True):
            course = dict(enumerate(means.get(name, [])))
            if any(one.mean is not None for one in course.values()):
                handles[label] = draw_curve(ax, course, info(name).display_scale, looks[run.path], drawn, every=5)
        ax.set_ylabel(head(name), fontsize=6)
    axes[-1][0].set_xlabel("view along the path", fontsize=8)
    legend(figure, list(handles.values()), list(handles))
    return figure
