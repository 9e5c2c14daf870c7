"""Study of conditioning: what psi and phi are told of the view, and what that brings in 3D."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes

from piva.stats import Interval, PairedDifference, bootstrap_mean, paired_difference
from reports.reading import info
from reports.studies.drawing import COLORS, MARKERS, Figures, bars
from reports.studies.found import Setting
from reports.studies.page import details, known, note
from reports.studies.study import Part, Study
from reports.tables.cells import SEED, cell, head
from reports.tables.markdown import table

Edit = tuple[str, str, str]
"""Benchmark, case id, content: the two benchmarks have ids in common."""

NUMBERS = (
    "clip_text", "clip_direction", "consistency_direction_pair", "consistency_edit_direction", "janus_count", "lpips",
    "psnr", "lpips_growth", "lpips_to_true", "psnr_to_true",
)  # fmt: skip
DRAWN = ("clip_text", "consistency_direction_pair", "consistency_edit_direction", "lpips", "lpips_to_true")
PAIRS = (
    ("dds", "lora"),
    ("lora + camera", "lora"),
    ("controlnet", "lora"),
    ("controlnet, depth blank", "lora"),
    ("controlnet-lora", "lora"),
    ("controlnet", "controlnet, depth blank"),
)
"""Differences worth a line: all against plain LoRA; depth itself, in the same ControlNet, given minus blank."""
GROUPS = ("appearance", "addition", "translation")
CONSISTENCY, IDENTITY = "consistency_direction_pair", "lpips"
ENOUGH = 4
"""Edits for an interval to be worth bold (ours)."""
COSTS_NOTE = (
    "Parameters are those that train, of psi and phi together; MB have AdamW's states with them. peak_bytes on a CPU "
    "is of the whole process, with what it still held from before: with a model as small as Toybox's that, and the "
    "field, are most of it. What each kind costs in time per step, memory and parameters, measured alone and across "
    "sizes of the model up to Stable Diffusion 1.5's own: "
)
COSTS_PAGE = "conditioning-cost.md"
"""Beside this page, once `make conditioning-cost` has written it."""


def page(settings: Sequence[Setting], figures: Figures) -> list[str]:
    """Means by benchmark, paired differences over the edits of both, the same by group of edits, and costs."""
    there = by_label(settings)
    names = known(NUMBERS, settings)
    if not names:
        return ["No run has scores yet.", ""]
    groups = by_group(there)
    lines = ["## Means", "", *_means(there, names), ""]
    lines += note(
        "lpips and psnr are distances from the original render, so that they count the edit that was asked for too; "
        "lpips_to_true and psnr_to_true are from the true edit. janus_count exists where the subject has a front "
        f"({len(_with(there, 'janus_count'))} of these {sum(map(len, groups.values()))} edits): the true scene has 1, "
        "so that 0 is as wrong as 2, and the mean of so few edits says little."
    )
    pairs = [(a, b) for a, b in PAIRS if a in there and b in there]
    if pairs:
        count = len(pairs) * len(names)
        lines += ["## On the same edits and noise", "", *_figures(there, pairs, names, figures)]
        lines += [*_differences(there, pairs, names, {"all": None}), ""]
        lines += note(
            f"Each minus the other, edit by edit, over both benchmarks. Bold: {ENOUGH} edits or more, and an interval "
            f"that leaves out 0; of {count} intervals, about {count / 20:.0f} would by chance alone."
        )
        lines += ["## By group of edits", "", *_differences(there, pairs, names, groups), ""]
        lines += note("A group has four edits: an interval of so few is too short, and bold is a hint at most.")
    lines += details("Means by group", _group_means(there, groups, names))
    there_too = (figures.folder / COSTS_PAGE).is_file()
    where = f"[{COSTS_PAGE}]({COSTS_PAGE})." if there_too else "`make conditioning-cost`."
    return [*lines, "", "## What it costs", "", *_costs(there), *note(COSTS_NOTE + where)]


def by_label(settings: Sequence[Setting]) -> dict[str, list[Setting]]:
    """What psi and phi are told -> its settings with a run, one for each benchmark."""
    found: dict[str, list[Setting]] = {}
    for setting in settings:
        if setting.run is not None and setting.run.ok:
            found.setdefault(label(setting), []).append(setting)
    return found


def label(setting: Setting) -> str:
    """Such as "controlnet, depth blank"; of a method without auxiliaries its name."""
    method = setting.config.method
    if not hasattr(method, "aux"):
        return str(method.name)
    aux = method.aux
    return f"{aux.kind}{' + camera' if aux.camera else ''}{', depth blank' if aux.depth == 'blank' else ''}"


def values(settings: Sequence[Setting], name: str) -> dict[Edit, float]:
    """Edit -> a score or a cost, over the benchmarks; in the order of edits."""
    found = {}
    for setting in settings:
        assert setting.run is not None
        for id_, value in setting.values(name).items():
            found[setting.benchmark, id_, setting.run.ok[id_].content] = value
    return dict(sorted(found.items()))


def by_group(there: Mapping[str, Sequence[Setting]]) -> dict[str, set[Edit]]:
    """Group -> its edits; groups without any are left out."""
    found: dict[str, set[Edit]] = {group: set() for group in GROUPS}
    for settings in there.values():
        for setting in settings:
            assert setting.run is not None
            for id_, case in setting.run.ok.items():
                found[case.type_id].add((setting.benchmark, id_, case.content))
    return {group: own for group, own in found.items() if own}


def _with(there: Mapping[str, Sequence[Setting]], name: str) -> set[Edit]:
    """The edits that some setting has a number of."""
    return {edit for settings in there.values() for edit in values(settings, name)}


def mean(settings: Sequence[Setting], name: str, among: Collection[Edit] | None = None) -> Interval:
    """Mean and bootstrap interval over the edits, or over those among some."""
    found = values(settings, name)
    return bootstrap_mean([value for edit, value in found.items() if among is None or edit in among], SEED)


def difference(
    a: Sequence[Setting], b: Sequence[Setting], name: str, among: Collection[Edit] | None = None
) -> PairedDifference:
    """a - b, edit by edit; an edit that one of the two lacks is missing."""
    own, other = values(a, name), values(b, name)
    both = [edit for edit in sorted(own.keys() | other.keys()) if among is None or edit in among]
    return paired_difference([own.get(edit) for edit in both], [other.get(edit) for edit in both], SEED)


def _means(there: Mapping[str, Sequence[Setting]], names: Sequence[str]) -> list[str]:
    benchmarks = list(dict.fromkeys(setting.benchmark for settings in there.values() for setting in settings))
    wholes = [*benchmarks, *(["both"] if len(benchmarks) > 1 else [])]
    body = []
    for benchmark in wholes:
        for own, settings in there.items():
            some = [setting for setting in settings if benchmark in ("both", setting.benchmark)]
            body.append([benchmark, own, *(cell(name, mean(some, name)) for name in names)])
    return table(["edits of", "psi and phi", *(head(name) for name in names)], body)


def _group_means(
    there: Mapping[str, Sequence[Setting]], groups: Mapping[str, Collection[Edit]], names: Sequence[str]
) -> list[str]:
    body = [
        [group, own, *(cell(name, mean(settings, name, among)) for name in names)]
        for group, among in groups.items()
        for own, settings in there.items()
    ]
    return table(["group", "psi and phi", *(head(name) for name in names)], body)


def _differences(
    there: Mapping[str, Sequence[Setting]],
    pairs: Sequence[tuple[str, str]],
    names: Sequence[str],
    groups: Mapping[str, Collection[Edit] | None],
) -> list[str]:
    """In bold where the interval leaves zero out, and there are enough edits."""
    body = []
    for group, among in groups.items():
        for a, b in pairs:
            cells = []
            for name in names:
                pair = difference(there[a], there[b], name, among)
                text = cell(name, pair, signed=True)
                clear = pair.low is not None and pair.high is not None and (pair.low > 0 or pair.high < 0)
                clear = clear and pair.n >= ENOUGH
                cells.append(f"**{text}**" if clear else text)
            body.append([group, _minus(a, b), *cells])
    return table(["edits", "difference", *(head(name) for name in names)], body)


def _minus(a: str, b: str) -> str:
    return f"{a} − {b}"


def _costs(there: Mapping[str, Sequence[Setting]]) -> list[str]:
    body = []
    for own, settings in there.items():
        numbers, taken = (mean(settings, name).mean or 0.0 for name in ("aux_parameters", "aux_bytes"))
        body.append(
            [own, f"{numbers / 1e3:,.0f}", f"{taken / 1e6:.1f}", cell("peak_bytes", mean(settings, "peak_bytes"))]
        )
    return table(["psi and phi", "parameters (thousand)", "psi and phi (MB)", head("peak_bytes")], body)


def _figures(
    there: Mapping[str, Sequence[Setting]], pairs: Sequence[tuple[str, str]], names: Sequence[str], figures: Figures
) -> list[str]:
    """Differences number by number, without DDS, which is far off; then all from plain LoRA in a plane."""
    near = [(a, b) for a, b in pairs if a != "dds"]
    drawn = [name for name in DRAWN if name in names]
    lines = [_strips(there, near, drawn, figures), ""] if near and drawn else []
    if {CONSISTENCY, IDENTITY} <= set(names) and "lora" in there:
        lines += [_plane({a: there[a] for a, b in pairs if b == "lora"}, there["lora"], figures), ""]
    return lines


def _plane(others: Mapping[str, Sequence[Setting]], lora: Sequence[Setting], figures: Figures) -> str:
    """Consistency against identity, both minus plain LoRA's: a small mark for each edit, a large one for the mean."""
    figure, ((ax,),) = figures.grid(1, 1, size=(5.4, 3.6))
    for place, (own, settings) in enumerate(others.items()):
        look: dict[str, Any] = {"color": COLORS[place], "marker": MARKERS[place]}
        x, y = (_each(settings, lora, name) for name in (IDENTITY, CONSISTENCY))
        both = [edit for edit in x if edit in y]
        ax.scatter([x[e] for e in both], [y[e] for e in both], s=12, alpha=0.45, linewidths=0, **look)
        pair = [difference(settings, lora, name) for name in (IDENTITY, CONSISTENCY)]
        if pair[0].mean is not None and pair[1].mean is not None:
            scales = [info(name).display_scale for name in (IDENTITY, CONSISTENCY)]
            (at_x, bar_x), (at_y, bar_y) = (bars(one, scale) for one, scale in zip(pair, scales, strict=True))
            ax.errorbar(
                at_x, at_y, xerr=bar_x, yerr=bar_y, elinewidth=1, markersize=6, linestyle="none", label=own, **look
            )
    ax.axvline(0, color="black", linewidth=0.7)
    ax.axhline(0, color="black", linewidth=0.7)
    ax.set_xlabel(f"{head(IDENTITY)}, minus plain LoRA's", fontsize=8)
    ax.set_ylabel(f"{head(CONSISTENCY)}, minus plain LoRA's", fontsize=8)
    ax.legend(fontsize=7)
    return figures.save(
        figure, "plane", "consistency from view to view against distance from the original, minus LoRA's"
    )


def _strips(
    there: Mapping[str, Sequence[Setting]], pairs: Sequence[tuple[str, str]], drawn: Sequence[str], figures: Figures
) -> str:
    """A panel for each number, a line for each difference: a dot for each edit, the mean with its interval."""
    figure, (axes,) = figures.grid(1, len(drawn), size=(2.5, 0.9 + 0.36 * len(pairs)))
    for ax, name in zip(axes, drawn, strict=True):
        for place, (a, b) in enumerate(pairs):
            _strip(ax, place, there[a], there[b], name)
        ax.axvline(0, color="black", linewidth=0.7)
        ax.set_xlabel(head(name), fontsize=7)
        ax.set_yticks(range(len(pairs)), [""] * len(pairs))
        ax.set_ylim(len(pairs) - 0.4, -0.6)
    axes[0].set_yticks(range(len(pairs)), [_minus(a, b) for a, b in pairs], fontsize=7)
    figure.legend(*axes[0].get_legend_handles_labels(), fontsize=7, ncols=3, loc="outside upper center")
    return figures.save(figure, "pairs", "paired differences: a dot for each edit, the mean with its 95 % interval")


def _strip(ax: Axes, place: int, a: Sequence[Setting], b: Sequence[Setting], name: str) -> None:
    dots = _each(a, b, name)
    for k, benchmark in enumerate(sorted({setting.benchmark for setting in [*a, *b]})):
        some = [value for edit, value in dots.items() if edit[0] == benchmark]
        heights, said = [place + 0.18 * (2 * k - 1)] * len(some), benchmark if place == 0 else None
        ax.scatter(some, heights, s=9, alpha=0.5, color=COLORS[k], marker=MARKERS[k], linewidths=0, label=said)
    pair = difference(a, b, name)
    if pair.mean is not None:
        at, reach = bars(pair, info(name).display_scale)
        said = "mean of all" if place == 0 else None
        ax.errorbar(at, place, xerr=reach, fmt="D", color="black", markersize=4, elinewidth=1.2, label=said)


def _each(a: Sequence[Setting], b: Sequence[Setting], name: str) -> dict[Edit, float]:
    """Edit -> a - b as displayed, of the edits that both have."""
    own, other, scale = values(a, name), values(b, name), info(name).display_scale
    return {edit: scale * (value - other[edit]) for edit, value in own.items() if edit in other}


STUDY = Study(
    name="conditioning",
    title="Conditioning: what psi and phi are told of the view, and what that brings",
    question=(
        "LoRA, LoRA with the camera, a depth ControlNet, the same with its depth blanked, LoRA on that ControlNet: "
        "which edits agree from view to view, which keep identity, and what does each cost?"
    ),
    parts=(Part("conditioning-noe", 0.7), Part("conditioning-in2n", 0.7)),
    page=page,
)
