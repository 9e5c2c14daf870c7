"""Curves over steps, from the scores that records have of the time of the edit."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.figure import Figure

from piva.stats import Interval, bootstrap_mean
from reports.figures.looks import looks_of
from reports.figures.style import COLUMN, FEW, MOST, PAGE, draw_curve, legend, panels
from reports.reading import Run, info, labels
from reports.tables.cells import SEED, head


def course_means(run: Run, name: str) -> dict[int, Interval]:
    """Step -> mean and interval of a number, over the cases that were scored then."""
    found: dict[int, list[float]] = {}
    for case_id in sorted(run.ok):
        course = run.ok[case_id].course or {}
        for step, value in zip(course.get("step", ()), course.get(name, ()), strict=False):
            if step is not None and value is not None:
                found.setdefault(int(step), []).append(value)
    return {step: bootstrap_mean(found[step], SEED) for step in sorted(found)}


def course_figure(runs: Sequence[Run]) -> Figure | None:
    """A panel for each number that was scored while editing: each run's mean, and its interval as a band."""
    names = dict.fromkeys(
        name for run in runs for id_ in sorted(run.ok) for name in run.ok[id_].course or {} if name != "step"
    )
    found = {name: [course_means(run, name) for run in runs] for name in names}
    found = {name: courses for name, courses in found.items() if any(len(course) > 1 for course in courses)}
    drawn = max((sum(bool(course) for course in courses) for courses in found.values()), default=0)
    if not 1 <= drawn <= MOST:
        return None
    figure, axes = panels(len(found), 1, size=(COLUMN, 1.7) if drawn <= FEW else (PAGE, 2.6))
    handles, looks = {}, looks_of(runs)
    for (ax,), (name, courses) in zip(axes, found.items(), strict=True):
        for run, label, course in zip(runs, labels(runs), courses, strict=True):
            if course:
                handles[label] = draw_curve(ax, course, info(name).display_scale, looks[run.path], drawn)
        ax.set_ylabel(head(name), fontsize=8)
    axes[-1][0].set_xlabel("step", fontsize=8)
    legend(figure, list(handles.values()), list(handles))
    return figure
