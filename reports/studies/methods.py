"""Study of all methods: each tuned alike, then side by side: equal updates, equal rows, over its strength, in 3D."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes

from piva.methods import METHODS
from piva.registry import resolve
from piva.sampling import SAMPLERS
from piva.stats import bootstrap_mean, paired_difference
from reports.reading import info
from reports.studies.choosing import loss
from reports.studies.drawing import COLORS, LINES, MARKERS, Figures, bars
from reports.studies.found import Setting
from reports.studies.page import details, known, note
from reports.studies.study import Part, Study
from reports.tables.cells import SEED, axis_title, cell, head
from reports.tables.markdown import table

TUNING, UPDATES, ROWS = "methods-tuning", "methods-updates", "methods-rows"
CURVES, DEFAULTS, SCENES = "methods-curves", "methods-defaults", "methods-scenes"
JUDGE = "lpips_to_true"
"""Tuned settings have the lowest mean of it on the dev split: it asks for the edit and for all that was to stay."""
BASE = "dds"
NUMBERS = ("clip_text", "edit_success", "lpips", "lpips_to_true", "psnr_to_true", "leakage")
"""Quality, success, identity, distance to the true edit (twice), leakage."""
SCENE_NUMBERS = ("clip_text", "edit_success", "lpips", "lpips_to_true", "psnr_to_true", "consistency_edit_direction")
X, Y = "lpips", "edit_success"
KINDS = METHODS | SAMPLERS
FAMILIES = {"sds": "towards the target", "classifier": "between prompts", "delta": "against the source",
            "sampling": "no score distillation"}  # fmt: skip


def tuned(settings: Sequence[Setting]) -> Mapping[str, Mapping[str, Any]] | None:
    """Method -> the values of its best point in the tuning; None until every point of it is done.

    The best has the lowest mean of JUDGE over its cases; of equal ones the first. A point counts if all its cases ended
    well; where no point of a method does, its first one is taken.
    """
    points = _of(settings, TUNING)
    if not points or any(setting.run is None or len(setting.cases(setting.run)) < setting.asked for setting in points):
        return None
    found = {}
    for name in dict.fromkeys(_name(setting) for setting in points):
        own = [setting for setting in points if _name(setting) == name]
        best = min(own, key=tuning_loss)
        found[name] = {key: value for key, value in best.point["method"].items() if key != "name"}
    return found


def tuned_for_scenes(settings: Sequence[Setting]) -> Mapping[str, Mapping[str, Any]] | None:
    """`tuned` without step_size: a field moves by Adam, which does not see it."""
    found = tuned(settings)
    return found and {name: {k: v for k, v in values.items() if k != "step_size"} for name, values in found.items()}


def tuning_loss(setting: Setting) -> float:
    """Mean of JUDGE, less is better; infinite where a case failed."""
    found = setting.values(JUDGE)
    if not found or len(found) < setting.asked:
        return math.inf
    return sum(loss(JUDGE, value) for value in found.values()) / len(found)


def page(settings: Sequence[Setting], figures: Figures) -> list[str]:
    """Tuning, the three tables of 2D with their paired differences, the curves, the table of 3D."""
    chosen = tuned(settings)
    lines = ["## Tuning", "", *_tuning(settings, chosen), ""]
    titles = {
        UPDATES: "Equal updates: 200",
        ROWS: "Equal work: 800 UNet rows",
        DEFAULTS: "As their authors set them: 200 updates",
        SCENES: "In 3D",
    }
    for part in (UPDATES, ROWS):
        lines += [f"## {titles[part]}", "", *_comparison(settings, part)]
    lines += ["## Success against identity, over each method's own strength", "", *_curves(settings, figures), ""]
    for part in (DEFAULTS, SCENES):
        lines += [f"## {titles[part]}", "", *_comparison(settings, part)]
    return [*lines, "## What is shared", "", *_shared(settings), ""]


def _of(settings: Sequence[Setting], part: str) -> list[Setting]:
    return [setting for setting in settings if setting.part == part]


def _done(settings: Sequence[Setting], part: str) -> list[Setting]:
    return [setting for setting in _of(settings, part) if setting.run is not None and setting.run.ok]


def _name(setting: Setting) -> str:
    return str(setting.config.method.name)


def _tuning(settings: Sequence[Setting], chosen: Mapping[str, Mapping[str, Any]] | None) -> list[str]:
    points, body = _of(settings, TUNING), []
    for name in dict.fromkeys(_name(setting) for setting in points):
        own = [setting for setting in points if _name(setting) == name]
        default = next((one for one in own if one.config.method == resolve("method", KINDS, name)()), None)
        best = min(own, key=tuning_loss)
        picked = "–" if chosen is None else said(chosen[name])
        cells = [cell(JUDGE, one.interval(JUDGE)) if one is not None and one.run else "–" for one in (best, default)]
        body.append([name, str(len(own)), str(sum(one.run is not None for one in own)), picked, *cells])
    rule = (
        f"The rule: of each method's points, the one with the lowest mean {JUDGE} over the dev cases; a point with a "
        "failed case is out, of equal points the first is taken. Every method has as many points, the authors' own "
        "settings among them, and nothing else was tried for this page."
    )
    titles = ["method", "points", "recorded", "tuned", f"{head(JUDGE)}, tuned", "authors' settings"]
    every = [
        [_name(one), said({k: v for k, v in one.point["method"].items() if k != "name"}), *_cells(one, (JUDGE, X, Y))]
        for one in points
        if one.run is not None
    ]
    heads = ["method", "settings", *(head(name) for name in (JUDGE, X, Y))]
    return [*table(titles, body), *note(rule), *details("Every point", table(heads, every))]


def said(values: Mapping[str, Any]) -> str:
    """Such as `guidance 3, aux.lr 0.001`."""
    flat: dict[str, Any] = {}
    for name, value in values.items():
        flat |= {f"{name}.{k}": v for k, v in value.items()} if isinstance(value, dict) else {name: value}
    return ", ".join(f"{name} {value:g}" for name, value in flat.items())


def _cells(setting: Setting, names: Sequence[str]) -> list[str]:
    return [cell(name, setting.interval(name)) for name in names]


def _comparison(settings: Sequence[Setting], part: str) -> list[str]:
    """Means of every method, and paired differences from DDS."""
    own = _done(settings, part)
    if not own:
        return ["Nothing is recorded yet.", ""]
    names = known(SCENE_NUMBERS if part == SCENES else NUMBERS, own)
    body = [
        [_name(one), str(one.config.steps), *_cells(one, (*names, "seconds_edit")), *_rows(one)] for one in own
    ]  # fmt: skip
    titles = ["method", "steps", *(head(name) for name in (*names, "seconds_edit")), "rows an edit", "with backward"]
    lines = table(titles, body)
    base = next((one for one in own if _name(one) == BASE), None)
    others = [one for one in own if one is not base]
    if base is None or not others:
        return [*lines, ""]
    differences = [[_name(one), *(_difference(one, base, name) for name in (*names, "seconds_edit"))] for one in others]
    lines += note(
        f"Each minus {BASE}, on the same cases and noise; in bold where the interval leaves zero out. lusd is without "
        "its attention mask, the localised half of the method (docs/methods.md)."
    )
    return [*lines, *table(["method", *(head(name) for name in (*names, "seconds_edit"))], differences), ""]


def _rows(setting: Setting) -> list[str]:
    """Mean rows of an edit, and those of them with backward."""
    found = (list(setting.values(name).values()) for name in ("unet_rows", "unet_rows_backward"))
    return [f"{sum(values) / len(values):,.0f}" if values else "–" for values in found]


def _difference(setting: Setting, base: Setting, name: str) -> str:
    own, theirs = setting.values(name), base.values(name)
    ids = sorted(own.keys() & theirs.keys())
    if not ids:
        return "–"
    better = info(name).higher_is_better is not False
    pair = paired_difference([own[i] for i in ids], [theirs[i] for i in ids], SEED, higher_is_better=better)
    clear = pair.low is not None and pair.high is not None and (pair.low > 0 or pair.high < 0)
    text = cell(name, pair, signed=True)
    return f"**{text}**" if clear else text


def curve_of(settings: Sequence[Setting], name: str) -> list[Setting]:
    """A method's points over its strength, in its order: the curve's own, and the tuned one."""
    field = resolve("method", KINDS, name).strength
    own = [one for one in (*_done(settings, CURVES), *_done(settings, UPDATES)) if _name(one) == name]
    by_value = {float(getattr(one.config.method, field)): one for one in reversed(own)}
    return [by_value[value] for value in sorted(by_value)]


def _curves(settings: Sequence[Setting], figures: Figures) -> list[str]:
    """A panel for each family, with DDS's curve in all; and the numbers."""
    curves = {name: curve_of(settings, name) for name in KINDS}
    curves = {name: curve for name, curve in curves.items() if len(curve) > 1}
    if not curves:
        return ["Nothing is recorded yet."]
    common = set.intersection(*({*one.values(X)} & {*one.values(Y)} for curve in curves.values() for one in curve))
    if not common:
        return ["No case has all points of all curves yet."]
    figure, axes = figures.grid(2, 2, size=(4.4, 3.4))
    for (family, title), ax in zip(FAMILIES.items(), (ax for row in axes for ax in row), strict=True):
        own = [name for name in curves if resolve("method", KINDS, name).family == family]
        for place, name in enumerate([*own, *([BASE] if BASE in curves and BASE not in own else [])]):
            style = ("0.6", "P", "-") if name == BASE else (COLORS[place], MARKERS[place], LINES[place])
            _draw(ax, name, curves[name], common, style)
        if ax is not axes[0][0]:
            ax.sharex(axes[0][0])
            ax.sharey(axes[0][0])
        ax.set_title(title, fontsize=9)
        ax.set_xlabel(axis_title(X), fontsize=8)
        ax.set_ylabel(axis_title(Y), fontsize=8)
        ax.legend(fontsize=6.5)
    body = [
        [name, strength_of(one), *(cell(number, _among(one, number, common)) for number in (X, Y, JUDGE))]
        for name, curve in curves.items()
        for one in curve
    ]
    numbers = table(["method", "strength", *(head(number) for number in (X, Y, JUDGE))], body)
    about = "edit success against distance to the source, a curve for each method over its own strength setting"
    shown = figures.save(figure, "curves", about)
    said_of = note(f"{len(common)} cases, the same at every point; bars are 95 % intervals over them.")
    return [shown, *said_of, *details("The points", numbers)]


def strength_of(setting: Setting) -> str:
    """Such as `lam 0.4`."""
    field = resolve("method", KINDS, _name(setting)).strength
    return f"{field} {getattr(setting.config.method, field):g}"


def _among(setting: Setting, name: str, ids: set[str]) -> Any:
    return bootstrap_mean([value for id_, value in setting.values(name).items() if id_ in ids], SEED)


def _draw(ax: Axes, name: str, curve: Sequence[Setting], ids: set[str], style: tuple[str, str, Any]) -> None:
    color, marker, line = style
    points = []
    for one in curve:
        (x, reach_x), (y, reach_y) = (
            bars(_among(one, number, ids), info(number).display_scale) for number in (X, Y)
        )  # fmt: skip
        ax.errorbar(x, y, xerr=reach_x, yerr=reach_y, fmt="none", ecolor=color, elinewidth=0.4, alpha=0.5)
        value = strength_of(one).rpartition(" ")[2]
        ax.annotate(value, (x, y), xytext=(3, 3), textcoords="offset points", fontsize=6, color=color)
        points.append((x, y))
    field = resolve("method", KINDS, name).strength
    ax.plot(
        *zip(*points, strict=True), color=color, marker=marker, markersize=4, linewidth=1.1, linestyle=line,
        label=f"{name} over {field}",
    )  # fmt: skip


def _shared(settings: Sequence[Setting]) -> list[str]:
    """The noise, and which timesteps."""
    body: dict[str, list[str]] = {}
    for one in _of(settings, DEFAULTS):
        method = one.config.method
        law = f"{method.t_min}–{method.t_max}, {method.t_law}" if hasattr(method, "t_law") else "DDIM's own"
        body[_name(one)] = [_name(one), law, getattr(method, "weighting", "–")]
    return [
        "The noise of a step is that of (seed, case, step), the same for every method; of SDEdit it is the first "
        "step's, and DDIM inversion draws none. Timesteps are the same where range and law are; these are the authors' "
        "own, and are not tuned.",
        "",
        *table(["method", "t", "w(t)"], list(body.values())),
    ]


STUDY = Study(
    name="methods",
    title="Every method side by side",
    question=(
        "Which method edits best, at equal updates and at equal work, when each is tuned alike: the edit made, the "
        "source kept, the distance to the true edit, and what it costs?"
    ),
    parts=(
        Part(TUNING, 1.2),
        Part(UPDATES, 0.9, tuned),
        Part(ROWS, 0.6, tuned),
        Part(CURVES, 1.2, tuned),
        Part(DEFAULTS, 0.5),
        Part(SCENES, 0.7, tuned_for_scenes),
    ),
    page=page,
)
