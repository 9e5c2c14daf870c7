"""Study of psi and phi: what each choice costs, and what it brings, one at a time."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

from matplotlib.axes import Axes

from piva.stats import PairedDifference, bootstrap_mean
from reports.reading import Run, info
from reports.studies.drawing import COLORS, Figures, bars
from reports.studies.found import Setting, values
from reports.studies.page import known, note
from reports.studies.study import Part, Study
from reports.tables.cells import cell, head
from reports.tables.markdown import table
from reports.tables.rows import paired

BRINGS = ("lpips_to_true", "psnr_to_true", "clip_text", "lpips", "saturation_shift_to_true", "edit_success")
DRAWN = ("lpips_to_true", "clip_text", "lpips", "saturation_shift_to_true")


def page(settings: Sequence[Setting], figures: Figures) -> list[str]:
    """What every choice costs; its paired differences from the base, as a table and a forest."""
    base = settings[0]
    others = [setting for setting in settings[1:] if setting.run is not None and setting.run.ok]
    lines = ["## What it costs", "", *_costs([base, *others], base), ""]
    lines += note(
        "Rows: latents through the UNet for one case, those that a cache had included. psi first: rows with backward "
        "that a stored psi takes, once for an image, in no other count. Seconds: of a case, in a batch; times: mean of "
        "the cases' ratios to the base."
    )
    if base.run is None or not others:
        return [*lines, f"The base, `{_word(base, base)}`, or all others are missing: nothing to compare yet.", ""]
    names = known(BRINGS, settings)
    lines += ["## What it brings", "", f"Each minus the base ({_base(base)}), on the same cases and noise.", ""]
    lines += [_forest(base, others, [name for name in DRAWN if name in names], figures), ""]
    return [*lines, *_differences(base, others, names), ""]


def changed(setting: Setting, base: Setting) -> dict[str, Any]:
    """Dotted name -> value of the method's settings that are not the base's; another method is a change by itself."""
    own, theirs = (_flat(one.config.method.model_dump(mode="json")) for one in (setting, base))
    if setting.config.method.name != base.config.method.name:
        return {"method": setting.config.method.name}
    return {name: value for name, value in own.items() if theirs[name] != value}


def _flat(given: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in given.items():
        flat |= _flat(value, f"{name}.") if isinstance(value, dict) else {prefix + name: value}
    return flat


def _word(setting: Setting, base: Setting) -> str:
    """What sets it apart from the base; alpha goes along with rank, and is not said."""
    found = changed(setting, base)
    if "aux.rank" in found:
        found.pop("aux.alpha", None)
    words = [f"{name.removeprefix('aux.')} {_written(value)}" for name, value in found.items()]
    return ", ".join(words).removeprefix("method ") or "base"


def _written(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _base(base: Setting) -> str:
    method = base.config.method
    aux = method.aux
    return (
        f"guidance {method.guidance:g}, lambda {method.lam:g}, lr {aux.lr:g}, rank {aux.rank}, psi {aux.psi} at "
        f"{method.psi_at}, source branch at {method.source_branch}, {aux.steps_per_iteration} step an iteration, phi "
        f"{aux.phi}"
    )


def _costs(settings: Sequence[Setting], base: Setting) -> list[str]:
    body = []
    for setting in settings:
        run = setting.run
        if run is None:
            body.append([_word(setting, base), *["–"] * 7])
            continue
        ratio = _ratio(run, base.run) if base.run is not None else None
        aux = getattr(setting.config.method, "aux", None)
        first = aux.psi_steps if aux is not None and aux.psi == "stored" else 0
        body.append(
            [
                _word(setting, base),
                f"{_mean(run, 'unet_rows') + _mean(run, 'rows_cached'):.0f}",
                f"{_mean(run, 'unet_rows_backward'):.0f}",
                f"{first}",
                cell("seconds_edit", setting.interval("seconds_edit")),
                "–" if ratio is None else f"{ratio:.2f}",
                f"{_mean(run, 'aux_parameters') / 1e3:,.0f}",
                f"{_mean(run, 'aux_bytes') / 1e6:.1f}",
            ]
        )
    titles = ["setting", "rows", "with backward", "psi first", head("seconds_edit"), "times", "parameters (thousand)"]
    return table([*titles, "psi and phi (MB)"], body)


def _mean(run: Run, name: str) -> float:
    """Over the cases; a cost that a method does not have is 0."""
    found = list(values(run, name).values())
    return sum(found) / len(found) if found else 0.0


def _ratio(run: Run, base: Run) -> float | None:
    """Mean of the cases' seconds over the base's."""
    own, theirs = values(run, "seconds_edit"), values(base, "seconds_edit")
    return bootstrap_mean([own[id_] / theirs[id_] for id_ in own if theirs.get(id_)], resamples=1).mean


def _differences(base: Setting, others: Sequence[Setting], names: Sequence[str]) -> list[str]:
    assert base.run is not None
    body = []
    for setting in others:
        assert setting.run is not None
        pairs = [paired(setting.run, base.run, name) for name in names]
        body.append([_word(setting, base), *(_difference(*one) for one in zip(names, pairs, strict=True))])
    return table(["setting", *(head(name) for name in names)], body)


def _difference(name: str, pair: PairedDifference) -> str:
    """In bold where the interval leaves zero out."""
    text = cell(name, pair, signed=True)
    clear = pair.low is not None and pair.high is not None and (pair.low > 0 or pair.high < 0)
    return f"**{text}**" if clear else text


def _forest(base: Setting, others: Sequence[Setting], names: Sequence[str], figures: Figures) -> str:
    """A line for each setting, a panel for each number; what lies left of zero is smaller than the base's.

    Panels are linear around zero, up to a power of ten, and logarithmic beyond: some settings are far off.
    """
    figure, axes = figures.grid(1, 1 + len(names), size=(2.4, 0.9 + 0.22 * len(others)))
    cost, *panels = axes[0]
    assert base.run is not None
    for place, setting in enumerate(others):
        assert setting.run is not None
        cost.barh(place, _ratio(setting.run, base.run) or 0.0, color="#bbbbbb", height=0.6)
        for name, ax in zip(names, panels, strict=True):
            _bar(ax, place, name, paired(setting.run, base.run, name))
    for name, ax in zip(names, panels, strict=True):
        means = [paired(setting.run, base.run, name).mean for setting in others if setting.run is not None]
        sizes = [abs(mean) * info(name).display_scale for mean in means if mean]
        if sizes:
            ax.set_xscale("symlog", linthresh=10 ** math.ceil(math.log10(median(sizes))))
    cost.axvline(1, color="black", linewidth=0.7)
    cost.set_xlabel("seconds, times the base's", fontsize=7)
    for name, ax in zip(names, panels, strict=True):
        ax.axvline(0, color="black", linewidth=0.7)
        ax.set_xlabel(head(name), fontsize=7)
        ax.set_yticks(range(len(others)), [""] * len(others))
    cost.set_yticks(range(len(others)), [_word(setting, base) for setting in others], fontsize=7)
    for ax in axes[0]:
        ax.set_ylim(len(others) - 0.4, -0.6)
    return figures.save(figure, "forest", "cost, and paired differences from the base with 95 % intervals")


def _bar(ax: Axes, place: int, name: str, pair: PairedDifference) -> None:
    if pair.mean is None:
        return
    at, reach = bars(pair, info(name).display_scale)
    ax.errorbar(at, place, xerr=reach, fmt="o", color=COLORS[0], markersize=4, elinewidth=1)


STUDY = Study(
    name="auxiliaries",
    title="psi and phi: what each choice costs, and what it brings",
    question=(
        "psi alongside or stored, where it and the source branch are scored, steps per iteration, fused or fresh "
        "noise, rank, learning rate: what does each cost, and what does it bring?"
    ),
    parts=(Part("auxiliaries", 0.7),),
    page=page,
)
