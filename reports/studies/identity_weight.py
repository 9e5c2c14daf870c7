"""Study of lambda: what it trades, and which lambda suits which type of edit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes

from piva.data.pie_bench import EDIT_GROUPS, EDIT_TYPES
from piva.stats import Interval, bootstrap_mean
from reports.reading import info
from reports.studies.choosing import Choice, choose
from reports.studies.drawing import COLORS, LINES, MARKERS, Figures, bars
from reports.studies.found import Setting, values
from reports.studies.page import details, known, note
from reports.studies.study import Part, Study
from reports.tables.cells import SEED, axis_title, cell, head, shown
from reports.tables.markdown import table

ALIGNMENT = ("clip_text", "edit_success")
DISTANCE = ("lpips", "saturation_shift", "lpips_to_true")
COLUMNS = (
    "clip_text", "edit_success", "lpips", "saturation_shift", "saturation_shift_to_true", "lpips_to_true",
    "psnr_to_true",
)  # fmt: skip
JUDGES = ("lpips_to_true", "psnr_to_true", "edit_success", "clip_text")
"""What a lambda is chosen by. LPIPS to the source is none of them: it always takes the largest lambda."""

NO_FIGURE = "No figure: the records have no score of alignment, or none of distance."

Curves = Mapping[float, Sequence[Setting]]
"""Guidance -> settings in the order of lambda."""


def page(settings: Sequence[Setting], figures: Figures) -> list[str]:
    """Frontiers over all cases and by group; means; the best lambda of every group and type."""
    curves = _curves(settings)
    names = known(COLUMNS, settings)
    lines = ["## All types together", "", _frontier(curves, names, figures), "", *_means(curves, names), ""]
    lines += ["## By group of edits", "", _by_group(curves, names, figures), ""]
    lines += ["## Which lambda for which type", ""]
    for judge in known(JUDGES, settings)[:1]:
        lines += [_against_lambda(curves, judge, figures), ""]
    for guidance, own in curves.items():
        lines += [f"### Guidance {guidance:g}", "", *_choices(own, known(JUDGES, settings)), ""]
    lines += note(
        "In braces: every lambda that is not clearly worse than the best, that is, whose paired difference from it has "
        "a 95 % interval that reaches 0. The best of several means looks better than it is, the more so the fewer the "
        "cases: read the set, not the value. With six cases a type, an interval is rough."
    )
    lines += details("Means by group and lambda", _group_means(curves, names))
    return lines


def group_values(setting: Setting, name: str, types: Sequence[str]) -> dict[str, float]:
    """Case id -> number, of the cases of these types."""
    run = setting.run
    found = {} if run is None else values(run, name)
    return {id_: value for id_, value in found.items() if run is not None and run.cases[id_].type_id in types}


def _curves(settings: Sequence[Setting]) -> dict[float, list[Setting]]:
    """Those with a run, by guidance, from large to small."""
    curves: dict[float, list[Setting]] = {}
    for setting in sorted(settings, key=lambda one: (-one.config.method.guidance, one.config.method.lam)):
        if setting.run is not None and setting.run.ok:
            curves.setdefault(setting.config.method.guidance, []).append(setting)
    return curves


def _frontier(curves: Curves, names: Sequence[str], figures: Figures) -> str:
    rows, columns = ([name for name in group if name in names] for group in (ALIGNMENT, DISTANCE))
    if not rows or not columns:
        return NO_FIGURE
    figure, axes = figures.grid(len(rows), len(columns))
    for y, line in zip(rows, axes, strict=True):
        for x, ax in zip(columns, line, strict=True):
            _curve_panel(ax, curves, x, y, tuple(EDIT_TYPES))
    axes[0][0].legend(fontsize=7)
    return figures.save(figure, "frontier", "alignment against distance, lambda written at each point")


def _by_group(curves: Curves, names: Sequence[str], figures: Figures) -> str:
    pairs = [(x, y) for x, y in (("lpips", "clip_text"), ("lpips_to_true", "edit_success")) if {x, y} <= set(names)]
    if not pairs:
        return NO_FIGURE
    figure, axes = figures.grid(len(pairs), len(EDIT_GROUPS), size=(2.7, 2.7))
    for (x, y), line in zip(pairs, axes, strict=True):
        for (group, types), ax in zip(EDIT_GROUPS.items(), line, strict=True):
            _curve_panel(ax, curves, x, y, types)
            ax.set_title(group, fontsize=9)
    axes[0][0].legend(fontsize=7)
    return figures.save(figure, "groups", "the same for each group of edits")


def _curve_panel(ax: Axes, curves: Curves, x: str, y: str, types: Sequence[str]) -> None:
    """One line for each guidance, a point for each lambda."""
    for place, (guidance, own) in enumerate(curves.items()):
        color, points = COLORS[place], []
        for setting in own:
            intervals = [_magnitude(name, group_values(setting, name, types)) for name in (x, y)]
            if any(interval.mean is None for interval in intervals):
                continue
            (at_x, bar_x), (at_y, bar_y) = (
                bars(interval, info(name).display_scale) for interval, name in zip(intervals, (x, y), strict=True)
            )
            ax.errorbar(at_x, at_y, xerr=bar_x, yerr=bar_y, fmt="none", ecolor=color, elinewidth=0.4, alpha=0.5)
            ax.annotate(
                f"{setting.config.method.lam:g}", (at_x, at_y), xytext=(3, 3), textcoords="offset points", fontsize=6.5
            )
            points.append((at_x, at_y))
        ax.plot(
            [x for x, _ in points], [y for _, y in points], color=color, marker=MARKERS[place], markersize=4,
            linewidth=1.1, linestyle=LINES[place], label=f"guidance {guidance:g}",
        )  # fmt: skip
    ax.set_xlabel(axis_title(x), fontsize=8)
    ax.set_ylabel(axis_title(y), fontsize=8)


def _magnitude(name: str, found: Mapping[str, float]) -> Interval:
    """Mean and interval; of a shift or a ratio, of its distance from the best value."""
    facts = info(name)
    if facts.higher_is_better is None:
        return bootstrap_mean([abs(value - (facts.best or 0.0)) for value in found.values()], SEED)
    return bootstrap_mean(list(found.values()), SEED)


def _against_lambda(curves: Curves, name: str, figures: Figures) -> str:
    """A panel for each group: the mean over lambda, the best one filled."""
    figure, axes = figures.grid(1, len(EDIT_GROUPS), size=(2.7, 2.6))
    lams = sorted({one.config.method.lam for own in curves.values() for one in own})
    for (group, types), ax in zip(EDIT_GROUPS.items(), axes[0], strict=True):
        for place, (guidance, own) in enumerate(curves.items()):
            _lambda_line(ax, own, name, types, lams, place, f"guidance {guidance:g}")
        ax.set_xticks(range(len(lams)), [f"{lam:g}" for lam in lams])
        ax.set_title(group, fontsize=9)
        ax.set_xlabel("lambda", fontsize=8)
    axes[0][0].set_ylabel(axis_title(name), fontsize=8)
    axes[0][0].legend(fontsize=7)
    return figures.save(figure, "types", f"{name} against lambda, the best one filled")


def _lambda_line(
    ax: Axes, own: Sequence[Setting], name: str, types: Sequence[str], lams: Sequence[float], place: int, label: str
) -> None:
    scale, color = info(name).display_scale, COLORS[place]
    found = {one.config.method.lam: group_values(one, name, types) for one in own}
    choice = choose({lam: of_case for lam, of_case in found.items() if of_case}, name)
    for lam, of_case in found.items():
        if of_case:
            at, bar = bars(bootstrap_mean(list(of_case.values()), SEED), scale)
            filled = color if choice is not None and lam == choice.best else "white"
            ax.errorbar(
                lams.index(lam) + 0.2 * place, at, yerr=bar, fmt=MARKERS[place], color=color, markersize=5,
                markerfacecolor=filled, elinewidth=0.7,
            )  # fmt: skip
    ax.plot([], [], color=color, marker=MARKERS[place], linestyle="none", label=label)


def _means(curves: Curves, names: Sequence[str]) -> list[str]:
    body = [
        [f"{guidance:g}", f"{one.config.method.lam:g}", *(cell(name, one.interval(name)) for name in names)]
        for guidance, own in curves.items()
        for one in own
    ]
    return table(["guidance", "lambda", *(head(name) for name in names)], body)


def _choices(own: Sequence[Setting], judges: Sequence[str]) -> list[str]:
    """A line for each group and each type: the best lambda by each number."""
    body = []
    for title, types in _selections():
        found = []
        for judge in judges:
            by_lam = {one.config.method.lam: group_values(one, judge, types) for one in own}
            found.append(choose({lam: of_case for lam, of_case in by_lam.items() if of_case}, judge))
        if any(found):
            body.append([title, *(_chosen(j, choice) for j, choice in zip(judges, found, strict=True))])
    return table(["edits", *(f"by {head(judge)}" for judge in judges)], body)


def _chosen(name: str, choice: Choice | None) -> str:
    """Such as `**0.7** {0.4 0.7 1}: 512.3 n=6; -81.0 [-120.1, -33.2] against 0`, the smallest."""
    if choice is None:
        return "–"
    ties = " ".join(f"{lam:g}" for lam in choice.not_clearly_worse)
    gain = choice.against_smallest
    bounds = "" if gain.low is None else f" [{shown(name, gain.low, True)}, {shown(name, gain.high, True)}]"
    change = (
        f"; {shown(name, gain.mean, True)}{bounds} against {choice.smallest:g}" if choice.best > choice.smallest else ""
    )
    return f"**{choice.best:g}** {{{ties}}}: {shown(name, choice.mean.mean)} n={choice.mean.n}{change}"


def _selections() -> list[tuple[str, tuple[str, ...]]]:
    """(title, types): everything, groups, then types."""
    groups = [(f"{group} ({' '.join(types)})", types) for group, types in EDIT_GROUPS.items()]
    return [("all", tuple(EDIT_TYPES)), *groups, *((f"{id_} {name}", (id_,)) for id_, name in EDIT_TYPES.items())]


def _group_means(curves: Curves, names: Sequence[str]) -> list[str]:
    body = []
    for guidance, own in curves.items():
        for group, types in EDIT_GROUPS.items():
            for one in own:
                cells = []
                for name in names:
                    cells.append(cell(name, bootstrap_mean(list(group_values(one, name, types).values()), SEED)))
                body.append([f"{guidance:g}", group, f"{one.config.method.lam:g}", *cells])
    return table(["guidance", "group", "lambda", *(head(name) for name in names)], body)


STUDY = Study(
    name="lambda",
    title="What lambda trades, and which lambda suits which edit",
    question="How does lambda trade identity for alignment, type by type: appearance, addition, deletion, translation?",
    parts=(Part("lambda", 0.3), Part("lambda-guidance3", 0.3)),
    page=page,
)
