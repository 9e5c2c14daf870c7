"""The figure of `piva frontier`: methods over their settings, and what mixtures of them reach."""

from collections.abc import Sequence
from pathlib import Path

from matplotlib.axes import Axes

from piva.stats import bootstrap_mean
from reports.figures.style import COLORS, MARKERS, bars, plt
from reports.frontier import common_cases, curve, oriented
from reports.reading import Run, info, labels
from reports.tables.cells import axis_title

SIZE = (5.2, 4.0)
"""Of one panel of a frontier, in inches."""


def frontier(methods: Sequence[Sequence[Run]], pairs: Sequence[tuple[str, str]], file: Path) -> None:
    """Draws a panel for each (over, match): every run a point with its interval, every method's best mixtures a line.

    Args:
        methods: the runs of each method.
        pairs: numbers on the x axis and on the y axis.
        file: PNG or SVG to write.
    """
    columns = min(2, len(pairs))
    lines = -(-len(pairs) // columns)
    figure, axes = plt.subplots(
        lines, columns, figsize=(SIZE[0] * columns, SIZE[1] * lines), squeeze=False, layout="constrained"
    )
    runs = [run for group in methods for run in group]
    names = dict(zip((run.path for run in runs), labels(runs), strict=True))
    for ax, (over, match) in zip(axes.flat, pairs, strict=False):
        ids = common_cases(runs, [over, match])
        for group, color, marker in zip(methods, COLORS, MARKERS, strict=False):
            _draw(ax, group, ids, (over, match), names, color, marker)
        ax.set_xlabel(axis_title(over))
        ax.set_ylabel(axis_title(match))
        ax.grid(alpha=0.25, linewidth=0.5)
    for ax in axes.flat[len(pairs) :]:
        ax.set_visible(False)
    axes.flat[0].legend(loc="best", fontsize=8)
    file.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(file, dpi=110)
    plt.close(figure)


def _draw(
    ax: Axes, runs: Sequence[Run], ids: Sequence[str], pair: tuple[str, str], names: dict[Path, str], color: str,
    marker: str,
) -> None:  # fmt: skip
    (x, smaller_x), (y, smaller_y) = (oriented(runs, ids, name) for name in pair)
    scales = [info(name).display_scale for name in pair]
    line_x, line_y = curve(x.mean(axis=1), y.mean(axis=1), smaller_x, smaller_y)
    ax.plot(line_x * scales[0], line_y * scales[1], color=color, linewidth=1.2, alpha=0.8)
    for k, run in enumerate(runs):
        (at_x, bar_x), (at_y, bar_y) = (
            bars(bootstrap_mean(values[k].tolist()), scale) for values, scale in zip((x, y), scales, strict=True)
        )
        ax.errorbar(
            at_x, at_y, xerr=bar_x, yerr=bar_y, fmt=marker, color=color, markersize=5, elinewidth=0.4,
            label=_legend(runs, names) if k == 0 else None,
        )  # fmt: skip
        note = ", ".join(value for _, value in _settings(run, names))
        ax.annotate(note, (at_x, at_y), xytext=(4, 3), textcoords="offset points", fontsize=5.5, color=color)


def _settings(run: Run, names: dict[Path, str]) -> list[tuple[str, str]]:
    """What sets a run apart from its siblings, from its label: (name, value)."""
    pairs = (word.partition("=") for word in names[run.path].split()[1:])
    return [(name, value.removesuffix(".0") or name) for name, _, value in pairs]


def _legend(runs: Sequence[Run], names: dict[Path, str]) -> str:
    """A method's name, and the names of the settings that its points are marked with."""
    settings = ", ".join(name for name, _ in _settings(runs[0], names))
    return runs[0].record.method + (f" ({settings})" if settings else "")
