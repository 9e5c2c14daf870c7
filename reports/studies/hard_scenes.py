"""Study of hard scenes: what became of each object, of those that were not asked to change and of the one that was."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from matplotlib.axes import Axes

from piva.records import SCENES
from piva.records.files import BY_OBJECT_FILE
from piva.stats import Interval, bootstrap_mean, paired_difference
from piva.toybox.hard_scenes import in2n_toybox_hard
from piva.toybox.parts import OBJECTS
from reports.reading import Run, info
from reports.studies.drawing import COLORS, MARKERS, Figures, bars
from reports.studies.found import Setting
from reports.studies.page import known, note
from reports.studies.study import Part, Study
from reports.tables.cells import SEED, axis_title, cell, head
from reports.tables.markdown import table

LIGHTS = {"all": "all lights", "day": "day", "colored": "coloured light", "moving": "moving light"}
"""Light condition, or all of them -> what the page calls it."""
CHANGE, KEPT = "change_made_to_true", "psnr_kept_objects"
NUMBERS = (
    CHANGE, "psnr_changed_object_to_true", KEPT, "psnr_worst_object", "color_shift_kept_objects", "psnr_backdrop",
)  # fmt: skip
KINDS = ("named object", "clutter", "ground", "sky")
"""Of what is to stay: an object that the caption names, one that it has no words for, and what is behind them."""
OF_OBJECT = {"psnr": KEPT, "color_shift": "color_shift_kept_objects"}
"""Number in by_object.json -> the score whose scale and direction it has."""


def page(settings: Sequence[Setting], figures: Figures) -> list[str]:
    """Means and paired differences by light; what is kept by kind of object; the trade, case by case."""
    there = {label(setting): setting for setting in settings if setting.run is not None and setting.run.ok}
    names = known(NUMBERS, settings)
    if not names:
        return ["No run has scores by object yet.", ""]
    lines = ["## What was asked for, and what was kept", "", _trade(there, figures), "", *_means(there, names), ""]
    lines += note(
        "change_made_to_true says whether there was an edit at all: 0 % leaves the object as it was, 100 % is the true "
        "edit. Whoever edits little keeps much; read the others beside it. A case's kept objects are all but the one "
        "that its true edit changes, over the pixels that the true edit leaves alone (its shadow is not counted as a "
        "mistake), against the original field's own views."
    )
    if len(there) > 1:
        lines += [f"## Against {next(iter(there))}, on the same edits and noise", "", *_differences(there, names), ""]
    lines += ["## Object by object", "", _strips(there, figures), "", *_kinds(there), ""]
    return lines + note(
        "Intervals are over cases: a case counts with the mean of its objects of that kind, as these share one edit. "
        "Captions name the subject, its hat and one companion; clutter they have no words for. In moving light the "
        "field has seen every side at another hour; the truth of the changed object is at the middle of the afternoon, "
        "so that its distance has the light's in it, the same for every method."
    )


def label(setting: Setting) -> str:
    """Such as "piva lambda 0.4, controlnet"."""
    method = setting.config.method
    return f"{method.name} lambda {method.lam:g}, {method.aux.kind}" if hasattr(method, "lam") else str(method.name)


@cache
def light_of() -> dict[str, str]:
    """Case id -> the light of its scene."""
    return {edit.id: str(scene.light) for scene in in2n_toybox_hard() for edit in scene.edits}


def in_light(found: Mapping[str, float], light: str) -> dict[str, float]:
    """Those of the cases that are in a light; "all" is every case."""
    return {id_: value for id_, value in found.items() if light in ("all", light_of()[id_])}


def of_objects(run: Run, number: str) -> dict[str, dict[str, float]]:
    """Case id -> object -> a number of by_object.json, of the objects that have it and were to stay."""
    found = {}
    for id_ in sorted(run.ok):
        file = run.path / SCENES / id_ / BY_OBJECT_FILE
        scores = json.loads(file.read_bytes()) if file.is_file() else {}
        found[id_] = {name: value[number] for name, value in scores.items() if value.get(number) is not None}
    return found


def kind_of(name: str) -> str:
    """Which of KINDS an object is."""
    if name in OBJECTS:
        return "named object"
    return "clutter" if name.startswith("clutter") else name


def by_kind(run: Run, number: str, kind: str) -> dict[str, float]:
    """Case id -> the mean of a number over the case's objects of a kind."""
    found = {}
    for id_, values in of_objects(run, number).items():
        some = [value for name, value in values.items() if kind_of(name) == kind]
        if some:
            found[id_] = sum(some) / len(some)
    return found


def _mean(values: Mapping[str, float]) -> Interval:
    return bootstrap_mean([values[id_] for id_ in sorted(values)], SEED)


def _means(there: Mapping[str, Setting], names: Sequence[str]) -> list[str]:
    body = []
    for light, title in LIGHTS.items():
        for own, setting in there.items():
            cells = [cell(name, _mean(in_light(setting.values(name), light))) for name in names]
            body.append([title, own, *cells])
    return table(["light", "method", *(head(name) for name in names)], body)


def _differences(there: Mapping[str, Setting], names: Sequence[str]) -> list[str]:
    """Every method's minus the first one's, over the cases that both have."""
    (_, first), *others = there.items()
    body = []
    for light, title in LIGHTS.items():
        for own, setting in others:
            cells = []
            for name in names:
                one, base = (in_light(each.values(name), light) for each in (setting, first))
                ids = sorted(one.keys() & base.keys())
                pair = paired_difference([one[id_] for id_ in ids], [base[id_] for id_ in ids], SEED)
                cells.append(cell(name, pair, signed=True))
            body.append([title, own, *cells])
    return table(["light", "method", *(head(name) for name in names)], body)


def _kinds(there: Mapping[str, Setting]) -> list[str]:
    """Means of the numbers of objects, by light and kind."""
    body = []
    for light, title in LIGHTS.items():
        for own, setting in there.items():
            for number, score in OF_OBJECT.items():
                assert setting.run is not None
                found = [in_light(by_kind(setting.run, number, kind), light) for kind in KINDS]
                body.append([title, own, number, *(cell(score, _mean(values)) for values in found)])
    return table(["light", "method", "number", *KINDS], body)


def _trade(there: Mapping[str, Setting], figures: Figures) -> str:
    """A panel for each light: what was kept against what was changed, a small mark for each case."""
    figure, (axes,) = figures.grid(1, len(LIGHTS), size=(2.9, 2.9))
    for ax, (light, title) in zip(axes, LIGHTS.items(), strict=True):
        for place, (own, setting) in enumerate(there.items()):
            x, y = (in_light(setting.values(name), light) for name in (CHANGE, KEPT))
            _cloud(ax, x, y, place, own)
        ax.set_title(title, fontsize=9)
        ax.set_xlabel(axis_title(CHANGE), fontsize=8)
    axes[0].set_ylabel(axis_title(KEPT), fontsize=8)
    axes[0].legend(fontsize=6)
    return figures.save(figure, "trade", "PSNR of kept objects against the share of the change that was made")


def _cloud(ax: Axes, x: Mapping[str, float], y: Mapping[str, float], place: int, own: str) -> None:
    ids = sorted(x.keys() & y.keys())
    if not ids:
        return
    across, up = info(CHANGE).display_scale, info(KEPT).display_scale
    look: dict[str, Any] = {"color": COLORS[place], "marker": MARKERS[place]}
    ax.scatter([across * x[id_] for id_ in ids], [up * y[id_] for id_ in ids], s=9, alpha=0.4, linewidths=0, **look)
    (at_x, bar_x), (at_y, bar_y) = (
        bars(_mean({id_: values[id_] for id_ in ids}), scale) for values, scale in ((x, across), (y, up))
    )
    ax.errorbar(at_x, at_y, xerr=bar_x, yerr=bar_y, elinewidth=0.8, markersize=6, linestyle="none", label=own, **look)


def _strips(there: Mapping[str, Setting], figures: Figures) -> str:
    """A panel for each kind of what is to stay: every object of every case, and the mean over cases."""
    figure, (axes,) = figures.grid(1, len(KINDS), size=(2.4, 2.9))
    for ax, kind in zip(axes, KINDS, strict=True):
        for place, setting in enumerate(there.values()):
            assert setting.run is not None
            of_cases = of_objects(setting.run, "psnr").values()
            dots = [value for values in of_cases for name, value in values.items() if kind_of(name) == kind]
            ax.scatter([place] * len(dots), dots, s=8, alpha=0.4, color=COLORS[place], linewidths=0)
            mean = _mean(by_kind(setting.run, "psnr", kind))
            if mean.mean is not None:
                at, bar = bars(mean, info(KEPT).display_scale)
                ax.errorbar(place, at, yerr=bar, color="black", marker="_", markersize=12, elinewidth=1)
        ax.set_title(kind, fontsize=9)
        ax.set_xticks(range(len(there)), list(there), rotation=30, ha="right", fontsize=6)
    axes[0].set_ylabel("PSNR (dB) →", fontsize=8)
    return figures.save(figure, "objects", "PSNR of everything that was to stay, by kind")


STUDY = Study(
    name="hard-scenes",
    title="Hard scenes: is what was not asked to change kept, object by object?",
    question="Five objects that hide each other, in plain, coloured or moving light: does identity of what was not "
    "asked to change hold, by object?",
    parts=(Part("hard-scenes", 0.9),),
    page=page,
)
