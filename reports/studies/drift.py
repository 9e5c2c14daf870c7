"""Study of drift: identity, alignment and saturation against step, DDS beside Piva, in 2D and 3D."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes

from piva.records import CaseRecord
from piva.stats import Interval, bootstrap_mean, paired_difference
from reports.reading import info
from reports.studies.drawing import COLORS, LINES, Figures
from reports.studies.found import Setting
from reports.studies.page import note
from reports.studies.study import Part, Study
from reports.tables.cells import SEED, cell, head
from reports.tables.markdown import table

NUMBERS = ("lpips", "clip_text", "saturation_shift", "lpips_to_true")
STEPS = (200, 1000, 5000, 15_000)
RESAMPLES = 2_000
"""Of the interval at every step of a curve; a table's cells have `piva.stats.RESAMPLES`."""

Course = Mapping[int, float]
"""Step -> a number."""


@dataclass(frozen=True)
class Line:
    """What one method did, up to a number of steps."""

    method: str
    cases: Mapping[str, CaseRecord]
    """That have a course."""
    steps: int

    def courses(self, name: str) -> dict[str, Course]:
        """Case id -> the course of a number, of the cases that have one."""
        found = {id_: course_of(case, name, self.steps) for id_, case in sorted(self.cases.items())}
        return {id_: course for id_, course in found.items() if course}


@dataclass(frozen=True)
class Group:
    """Lines that stand in one figure's column: one world, one guidance, one length."""

    title: str
    steps: int
    lines: tuple[Line, ...]


def course_of(case: CaseRecord, name: str, last: int) -> Course:
    """Step -> number, of the steps up to `last` at which it was scored."""
    course = case.course or {}
    pairs = zip(course.get("step", ()), course.get(name, ()), strict=False)
    return {int(step): value for step, value in pairs if step is not None and value is not None and step <= last}


def at_step(courses: Mapping[str, Course], step: int) -> list[float | None]:
    """A number of every case at a step; None where it was not scored then."""
    return [course.get(step) for course in courses.values()]


def late_change(courses: Mapping[str, Course], steps: int) -> dict[str, float]:
    """Case id -> the number at the last step minus that at a third of the way, or at the last look before it."""
    found = {}
    for id_, course in courses.items():
        early = [step for step in course if step <= steps / 3]
        if early and steps in course:
            found[id_] = course[steps] - course[max(early)]
    return found


def page(settings: Sequence[Setting], figures: Figures) -> list[str]:
    """For each world and guidance: curves, values at some steps, late change."""
    lines = []
    for title, groups in _families(settings).items():
        names = [name for name in NUMBERS if any(line.courses(name) for group in groups for line in group.lines)]
        if names:
            lines += [f"## {title}", "", _curves(title, groups, names, figures), "", *_values(groups, names), ""]
            lines += ["Late change: the last step minus a third of the way.", "", *_late(groups, names), ""]
    if not lines:
        return ["No run recorded a course: `--metrics-every` makes one.", ""]
    return lines + note(
        "Thin lines are cases, a thick one their mean with its 95 % bootstrap interval, over the steps that all of "
        "them have. A column's cases are the same for both methods, with the same noise. In 2D no step depends on how "
        "many there will be, so that the first 5,000 steps of the long runs count in the column of 5,000 too; in 3D "
        "the field's rates fall to the last step, and every length is a run of its own."
    )


def _families(settings: Sequence[Setting]) -> dict[str, list[Group]]:
    """Title -> groups from short to long; of settings that have a run with a course."""
    found: dict[str, dict[int, list[Setting]]] = {}
    for setting in settings:
        if setting.run is not None and any(case.course for case in setting.run.ok.values()):
            world = f"{setting.benchmark}, guidance {setting.config.method.guidance:g}"
            found.setdefault(world, {}).setdefault(setting.config.steps, []).append(setting)
    return {title: [_group(steps, by_steps) for steps in sorted(by_steps)] for title, by_steps in found.items()}


def _group(steps: int, by_steps: Mapping[int, Sequence[Setting]]) -> Group:
    """The lines of a length; in 2D with the beginnings of longer runs."""
    cases: dict[str, dict[str, CaseRecord]] = {}
    for length, settings in by_steps.items():
        for setting in settings:
            if setting.run is not None and (length == steps or (length > steps and _is_2d(setting))):
                own = cases.setdefault(_label(setting), {})
                own.update({id_: case for id_, case in setting.run.ok.items() if case.course and id_ not in own})
    lines = tuple(Line(label, own, steps) for label, own in sorted(cases.items()))
    shared = set.intersection(*(set(line.cases) for line in lines))
    kept = tuple(Line(line.method, {id_: line.cases[id_] for id_ in shared}, steps) for line in lines)
    return Group(f"{steps:,} steps, {len(shared)} cases", steps, kept)


def _is_2d(setting: Setting) -> bool:
    return setting.run is not None and setting.run.record.scenes is None


def _label(setting: Setting) -> str:
    method = setting.config.method
    return f"{method.name} lambda {method.lam:g}" if hasattr(method, "lam") else str(method.name)


def _curves(title: str, groups: Sequence[Group], names: Sequence[str], figures: Figures) -> str:
    figure, axes = figures.grid(len(names), len(groups), size=(3.9, 2.1))
    for name, row in zip(names, axes, strict=True):
        for group, ax in zip(groups, row, strict=True):
            for place, line in enumerate(group.lines):
                _draw(ax, line, name, place)
            ax.set_ylabel(head(name), fontsize=8)
    for group, first, last in zip(groups, axes[0], axes[-1], strict=True):
        first.set_title(group.title, fontsize=9)
        last.set_xlabel("step", fontsize=8)
    axes[0][0].legend(fontsize=7)
    file = "".join(char if char.isalnum() else "-" for char in title).replace("--", "-")
    return figures.save(figure, file, f"{title}: {', '.join(names)} against step")


def _draw(ax: Axes, line: Line, name: str, place: int) -> None:
    courses, scale, color = line.courses(name), info(name).display_scale, COLORS[place]
    for course in courses.values():
        ax.plot(list(course), [scale * value for value in course.values()], color=color, linewidth=0.4, alpha=0.45)
    if not courses:
        return
    steps = sorted(set.intersection(*(set(course) for course in courses.values())))
    intervals = [bootstrap_mean(at_step(courses, step), SEED, resamples=RESAMPLES) for step in steps]
    ax.plot(
        steps, [scale * _number(one.mean) for one in intervals], color=color, linewidth=1.8, linestyle=LINES[place],
        label=line.method,
    )  # fmt: skip
    low, high = (np.array([scale * _number(bound) for bound in bounds]) for bounds in _bounds(intervals))
    ax.fill_between(steps, low, high, color=color, alpha=0.15, linewidth=0)


def _bounds(intervals: Sequence[Interval]) -> Iterator[list[float | None]]:
    """Lower and upper bounds; of one case, its value."""
    yield [one.mean if one.low is None else one.low for one in intervals]
    yield [one.mean if one.high is None else one.high for one in intervals]


def _number(value: float | None) -> float:
    return np.nan if value is None else value


def _values(groups: Sequence[Group], names: Sequence[str]) -> list[str]:
    """Means at some steps, of every group and method."""
    steps = [step for step in STEPS if step <= max(group.steps for group in groups)]
    body = []
    for group in groups:
        for name in names:
            for line in group.lines:
                courses = line.courses(name)
                cells = [cell(name, bootstrap_mean(at_step(courses, step), SEED)) for step in steps]
                own = [text if step <= group.steps else "" for step, text in zip(steps, cells, strict=True)]
                body.append([group.title, head(name), line.method, *own])
    return table(["run", "number", "method", *(f"step {step:,}" for step in steps)], body)


def _late(groups: Sequence[Group], names: Sequence[str]) -> list[str]:
    """Late change of every method, and of Piva's minus DDS's on the same cases."""
    methods = list(dict.fromkeys(line.method for group in groups for line in group.lines))
    body = []
    for group in groups:
        for name in names:
            found = {line.method: late_change(line.courses(name), group.steps) for line in group.lines}
            cells = [cell(name, bootstrap_mean(list(found.get(m, {}).values()), SEED), signed=True) for m in methods]
            body.append([group.title, head(name), *cells, *_against_first(name, found, methods)])
    first = methods[0]
    return table(["run", "number", *methods, *(f"{other} - {first}" for other in methods[1:])], body)


def _against_first(name: str, found: Mapping[str, Mapping[str, float]], methods: Sequence[str]) -> list[str]:
    base, cells = found.get(methods[0], {}), []
    for method in methods[1:]:
        own = found.get(method, {})
        ids = sorted(base.keys() & own.keys())
        pair = paired_difference([own[id_] for id_ in ids], [base[id_] for id_ in ids], SEED)
        cells.append(cell(name, pair, signed=True))
    return cells


STUDY = Study(
    name="drift",
    title="Steps and drift: does identity hold to the last step?",
    question="Does identity hold over the whole run, up to 15,000 steps, or does drift come late? DDS beside Piva.",
    parts=(
        Part("drift-2d", 1.0),
        Part("drift-2d-5000", 0.5),
        Part("drift-3d-5000", 1.3),
        Part("drift-3d", 2.5),
    ),
    page=page,
)
