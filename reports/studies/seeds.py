"""Study of seeds: how much of a result is the seed's doing, and how many cases a difference needs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations

import numpy as np
from matplotlib.ticker import LogLocator, NullLocator

from piva.variance import ALPHA, POWER, Components, cases_needed, components, visible_difference
from reports.reading import info, labels
from reports.studies.drawing import COLORS, HATCHES, LINES, Figures
from reports.studies.found import Setting, values
from reports.studies.page import known, note
from reports.studies.study import Part, Study
from reports.tables.cells import head, shown
from reports.tables.markdown import table

SIZES = {
    "clip_text": (0.005, 0.01, 0.02),
    "lpips": (0.02, 0.05, 0.1),
    "lpips_to_true": (0.02, 0.05, 0.1),
    "psnr_to_true": (0.1, 0.25, 0.5),
    "saturation_shift": (0.0025, 0.005, 0.01),
    "edit_success": (0.05, 0.1, 0.2),
}
"""Number -> differences that one might want to see; those between good settings of comparison.md (ours)."""
COUNTS = (20, 40, 100, 200, 700)
"""Cases: of a quick look, of comparison.md, of frontier.md, of all of PIE-Toybox, of PIE-Bench."""

Table = np.ndarray
"""[C,S]: a number of C cases with S seeds."""


def page(settings: Sequence[Setting], figures: Figures) -> list[str]:
    """Variance components of every setting; of every pair's difference; cases needed."""
    there = [setting for setting in settings if len(setting.recorded) > 1]
    names = known(tuple(SIZES), there)
    if not names:
        return ["Fewer than two seeds are recorded, or nothing is scored: nothing to say yet.", ""]
    named = dict(zip(labels([setting.recorded[0] for setting in there]), there, strict=True))
    spreads = {name: _spreads(named, name) for name in names}
    lines = ["## What spreads", "", _shares(spreads, figures), "", *_components_table(spreads), ""]
    lines += note(
        "y = mean + case + seed + residual, over cases and seeds that are all there (Searle, Casella and McCulloch, "
        "Variance Components, 1992: analysis of variance, no component below 0). Residual: what a seed does to each "
        "case on its own; seed: what it does to all alike, which keyed noise, drawn anew for every case, should not "
        "do. Seed to seed: standard deviation of a run's mean over these cases when only the seed changes."
    )
    if len(named) < 2:
        return lines
    pairs = {name: _pairs(named, name) for name in names}
    lines += ["## Differences on the same cases and noise", "", *_differences_table(pairs), ""]
    lines += ["## How many cases a difference needs", "", _needed_figure(pairs, figures), "", *_needed(pairs), ""]
    lines += note(
        f"Cases for a two-sided paired t test at {ALPHA:g} to see the difference with power {POWER:g}: n = (z_.975 + "
        "z_.80)² SD² / difference² + z_.975² / 2, rounded up (normal approximation with Guenther's correction, The "
        "American Statistician 35, 1981, p. 243). SD: of the paired difference from case to case with one seed, "
        "√(case + residual); with five seeds a case, √(case + residual / 5). edit_success is 0 or 1 a case, so its "
        "numbers are rough."
    )
    return [*lines, "What so many cases show:", "", *_visible(pairs), ""]


def by_seed(setting: Setting, name: str) -> Mapping[int, Mapping[str, float]]:
    """Seed -> case id -> a number."""
    return {run.record.seed: values(run, name) for run in setting.recorded}


def crossed(tables: Sequence[Mapping[int, Mapping[str, float]]]) -> list[Table]:
    """Each as [C,S], of the seeds that all have and the cases that all have with all these seeds."""
    seeds = sorted(set.intersection(*(set(one) for one in tables)))
    cases = [set(one[seed]) for one in tables for seed in seeds]
    ids = sorted(set.intersection(*cases)) if cases else []
    return [
        np.array([[one[seed][id_] for seed in seeds] for id_ in ids]).reshape(len(ids), len(seeds)) for one in tables
    ]


def _of(table: Table) -> Components | None:
    """None where fewer than two cases or seeds are there."""
    return components(table) if min(table.shape) > 1 else None


def _spreads(named: Mapping[str, Setting], name: str) -> dict[str, Components]:
    found = {label: _of(crossed([by_seed(setting, name)])[0]) for label, setting in named.items()}
    return {label: one for label, one in found.items() if one is not None}


def _pairs(named: Mapping[str, Setting], name: str) -> dict[str, Components]:
    """Components of each later setting minus each earlier one."""
    found = {}
    for (label, one), (other_label, other) in combinations(named.items(), 2):
        theirs, own = crossed([by_seed(one, name), by_seed(other, name)])
        spread = _of(own - theirs)
        if spread is not None:
            found[f"{other_label} - {label}"] = spread
    return found


def _components_table(spreads: Mapping[str, Mapping[str, Components]]) -> list[str]:
    body = []
    for name, found in spreads.items():
        for label, one in found.items():
            deviations = [shown(name, variance**0.5) for variance in (one.case, one.seed, one.residual)]
            share = f"{100 * (1 - one.case / one.total):.0f} %" if one.total else "–"
            of_mean = shown(name, one.seed_sd_of_mean(one.n_cases))
            counts = f"{one.n_cases} × {one.n_seeds}"
            body.append([head(name), label, shown(name, one.mean), *deviations, share, of_mean, counts])
    titles = ["number", "setting", "mean", "SD of cases", "SD of seeds", "SD of the residual", "seed and residual"]
    return table([*titles, "seed to seed", "cases × seeds"], body)


def _differences_table(pairs: Mapping[str, Mapping[str, Components]]) -> list[str]:
    body = []
    for name, found in pairs.items():
        for label, one in found.items():
            spread = [shown(name, variance**0.5) for variance in (one.case, one.seed, one.residual)]
            sds = [shown(name, one.sd_of_case(seeds)) for seeds in (1, 5)]
            body.append([head(name), label, shown(name, one.mean, signed=True), *spread, *sds])
    titles = ["number", "difference", "mean", "SD of cases", "SD of seeds", "SD of the residual", "SD, one seed"]
    return table([*titles, "SD, five seeds a case"], body)


def _needed(pairs: Mapping[str, Mapping[str, Components]]) -> list[str]:
    body = []
    for name, found in pairs.items():
        for label, one in found.items():
            for size in SIZES[name]:
                counts = [f"{_count(size, one.sd_of_case(seeds))}" for seeds in (1, 5)]
                body.append([head(name), label, shown(name, size), *counts])
    return table(["number", "difference", "of a size of", "cases, one seed", "cases, five seeds each"], body)


def _count(size: float, sd: float) -> str:
    return f"{cases_needed(size, sd):,}"


def _visible(pairs: Mapping[str, Mapping[str, Components]]) -> list[str]:
    body = [
        [head(name), label, *(shown(name, visible_difference(n, one.sd_of_case())) for n in COUNTS)]
        for name, found in pairs.items()
        for label, one in found.items()
    ]
    return table(["number", "difference", *(f"{n} cases" for n in COUNTS)], body)


def _shares(spreads: Mapping[str, Mapping[str, Components]], figures: Figures) -> str:
    """A bar for each setting and number: shares of the variance."""
    lines = [(name, label, one) for name, found in spreads.items() for label, one in found.items() if one.total]
    figure, ((ax,),) = figures.grid(1, 1, size=(7.5, 0.9 + 0.2 * len(lines)))
    for place, (_, _, one) in enumerate(lines):
        start = 0.0
        for k, part in enumerate((one.case, one.seed, one.residual)):
            name = ("cases", "seeds", "residual")[k] if place == 0 else None
            share = 100 * part / one.total
            ax.barh(
                place, share, left=start, color=COLORS[k], alpha=0.75, hatch=HATCHES[k], edgecolor="white", label=name
            )
            start += share
    ax.set_yticks(range(len(lines)), [f"{name}, {label}" for name, label, _ in lines], fontsize=7)
    ax.set_ylim(len(lines) - 0.4, -0.6)
    ax.set_xlim(0, 100)
    ax.set_xlabel("share of the variance (%)", fontsize=8)
    ax.legend(fontsize=7, ncols=3, loc="lower center", bbox_to_anchor=(0.5, 1.0))
    return figures.save(figure, "components", "shares of the variance: cases, seeds, residual")


def _needed_figure(pairs: Mapping[str, Mapping[str, Components]], figures: Figures) -> str:
    """A panel for each number: cases needed against the size of the difference, one seed."""
    columns = min(3, len(pairs))
    figure, axes = figures.grid(-(-len(pairs) // columns), columns)
    panels = [ax for line in axes for ax in line]
    for ax, (name, found) in zip(panels, pairs.items(), strict=False):
        scale, sizes = info(name).display_scale, np.geomspace(SIZES[name][0] / 2, SIZES[name][-1] * 2, 60)
        for place, (label, one) in enumerate(found.items()):
            counts = [cases_needed(size, one.sd_of_case()) for size in sizes]
            ax.plot(sizes * scale, counts, color=COLORS[place], linestyle=LINES[place], label=label)
        ax.set_xscale("log")
        ax.set_yscale("log")
        ax.set_xlabel(f"difference of {head(name)}", fontsize=8)
        ax.set_ylabel("cases", fontsize=8)
        for axis in (ax.xaxis, ax.yaxis):
            axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
            axis.set_major_formatter("{x:g}")
            axis.set_minor_locator(NullLocator())
    figure.legend(*panels[0].get_legend_handles_labels(), fontsize=7, ncols=3, loc="outside upper center")
    for ax in panels[len(pairs) :]:
        ax.set_visible(False)
    return figures.save(figure, "cases", "cases needed against the size of a paired difference")


STUDY = Study(
    name="seeds",
    title="Seeds and cases: what spreads, and how many cases a difference needs",
    question="How much of a result is the seed's doing, and how many cases does a difference of a given size need?",
    parts=(Part("seeds", 0.6),),
    page=page,
)
