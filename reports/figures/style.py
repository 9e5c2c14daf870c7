"""How every figure looks: colours, marks, lines and hatches, panels, and files of the same bytes each time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from textwrap import fill
from typing import Any

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.colors import to_hex, to_rgb
from matplotlib.figure import Figure

from piva.stats import Interval

COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#000000")
"""Okabe and Ito's, which the colour-blind tell apart; beside MARKERS and LINES, for print without colour."""
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", "p", ">", "h", "d")
LINES = ("-", "--", ":", "-.", (0, (5, 1)), (0, (1, 1)))
HATCHES = ("", "///", "...", "xxx", "---", "\\\\\\", "|||", "ooo", "+++", "***")
PALER = 0.55
"""Of the colour of bars whose hatches are used up. Ours."""
GREY = "#777777"
"""Of what is no contestant."""
FEW = 8
"""Runs that a column has room for in bars and curves; figures of more are as wide as a page. Ours."""
MOST = 20
"""Runs that bars and curves stay readable for; of more these figures are left out. Ours."""
BANDS = 6
"""Intervals that are readable as bands over each other; of more curves each has its interval at its end alone. Ours."""
COLUMN = 3.35
"""Width of a column of a paper, in inches (8.5 cm)."""
PAGE = 2 * COLUMN
"""Width of a page of two columns, in inches (17 cm)."""


@dataclass(frozen=True)
class Look:
    """What one run or method looks like in a figure."""

    color: str
    marker: str
    line: Any
    hatch: str


def look(place: int, k: int = 0) -> Look:
    """The look of the k-th of those that have the place-th colour; of many, all are told apart in grey, too."""
    place, k = place % len(COLORS), k + place // len(COLORS)
    red, green, blue = (1 - (1 - part) * PALER ** (k // len(HATCHES)) for part in to_rgb(COLORS[place]))
    return Look(
        to_hex((red, green, blue)).upper(),
        MARKERS[(place + k) % len(MARKERS)],
        LINES[(place + k + k // len(MARKERS)) % len(LINES)],
        HATCHES[(place + k) % len(HATCHES)],
    )


def panels(rows: int, columns: int, size: tuple[float, float] = (3.6, 2.9)) -> tuple[Figure, list[list[Axes]]]:
    """A figure of panels, each so many inches wide and high."""
    figure, axes = plt.subplots(
        rows, columns, figsize=(size[0] * columns, size[1] * rows), squeeze=False, layout="constrained"
    )
    for ax in axes.flat:
        ax.grid(alpha=0.25, linewidth=0.5)
        ax.tick_params(labelsize=7)
    return figure, axes.tolist()


def legend(figure: Figure, handles: Sequence[Any], names: Sequence[str]) -> None:
    """A legend below the panels, for which the figure grows: as many columns as fit; long names have several lines."""
    width = figure.get_figwidth()
    wrapped = [fill(name, 50, subsequent_indent="  ") for name in names]
    longest = max((len(line) for name in wrapped for line in name.split("\n")), default=0)
    columns = max(1, min(len(names), int(width / (0.55 + 0.047 * longest))))
    deep = -(-len(wrapped) // columns)
    heights = [name.count("\n") + 1 for name in wrapped]
    lines = max((sum(heights[k : k + deep]) for k in range(0, len(heights), deep)), default=0)
    figure.set_figheight(figure.get_figheight() + 0.12 * lines)
    figure.legend(handles, wrapped, loc="outside lower center", fontsize=6, handlelength=3.5, ncols=columns)


def save(figure: Figure, folder: Path, name: str, dpi: int = 110) -> list[Path]:
    """Writes NAME.svg and NAME.png, the same bytes from the same figure, and closes it."""
    folder.mkdir(parents=True, exist_ok=True)
    files = [folder / f"{name}.svg", folder / f"{name}.png"]
    figure.savefig(files[1], dpi=dpi)
    figure.set_layout_engine("none")  # it is laid out
    with matplotlib.rc_context({"svg.hashsalt": name}):
        figure.savefig(files[0], metadata={"Date": None})
    plt.close(figure)
    return files


def bars(interval: Interval, scale: float) -> tuple[float, list[list[float]] | None]:
    """The displayed mean, and how far its interval reaches below and above it, as matplotlib wants it."""
    assert interval.mean is not None
    mean = interval.mean * scale
    if interval.low is None or interval.high is None:
        return mean, None
    return mean, [[max(0.0, mean - interval.low * scale)], [max(0.0, interval.high * scale - mean)]]


def draw_curve(ax: Axes, course: Mapping[int, Interval], scale: float, style: Look, curves: int, every: int = 1) -> Any:
    """Draws displayed means over what they are keyed by, with their intervals as a band; the line, for a legend.

    Args:
        scale: of display.
        curves: how many share the panel; of more than BANDS the last interval stands for all.
        every: marks stand this far apart.
    """
    shown = {x: one for x, one in course.items() if one.mean is not None}
    found = [bars(one, scale) for one in shown.values()]
    xs, ys = list(shown), [mean for mean, _ in found]
    (line,) = ax.plot(
        xs, ys, color=style.color, linestyle=style.line, marker=style.marker, markevery=every, markersize=3,
        linewidth=1,
    )  # fmt: skip
    reach = [([0.0], [0.0]) if bar is None else bar for _, bar in found]
    low = [mean - below for mean, ((below,), _) in zip(ys, reach, strict=True)]
    high = [mean + above for mean, (_, (above,)) in zip(ys, reach, strict=True)]
    if curves <= BANDS:
        ax.fill_between(xs, low, high, color=style.color, alpha=0.4 / (1 + curves), linewidth=0)
    elif xs:
        ax.vlines(xs[-1], low[-1], high[-1], color=style.color, linewidth=0.8)
    return line


def write_beside(ax: Axes, points: Sequence[tuple[float, float, str, str]], size: float = 5.5) -> None:
    """Writes a word beside each point (x, y, word, colour), where it covers no other point or word if it can.

    The axes' limits must be final.
    """
    ax.figure.draw_without_rendering()  # type: ignore[union-attr]
    marks = [tuple(ax.transData.transform((x, y))) for x, y, _, _ in points]
    unit = ax.figure.dpi / 72
    taken = [(x - 3 * unit, y - 3 * unit, x + 3 * unit, y + 3 * unit) for x, y in marks]
    for (x, y, word, color), (left, bottom) in zip(points, marks, strict=True):
        width, height = 0.6 * size * len(word) * unit, size * unit
        ways = [(dx, dy) for r in (4, 9, 15) for dx, dy in ((r, r), (r, -r), (-r, r), (-r, -r), (0, r), (0, -r))]
        boxes = [_box(left, bottom, dx * unit, dy * unit, width, height) for dx, dy in ways]
        best = min(range(len(ways)), key=lambda k: (round(sum(_overlap(boxes[k], box) for box in taken)), k))
        taken.append(boxes[best])
        align = {1: "left", 0: "center", -1: "right"}[(ways[best][0] > 0) - (ways[best][0] < 0)]
        ax.annotate(
            word, (x, y), xytext=ways[best], textcoords="offset points", fontsize=size, color=color, ha=align,
            va="bottom" if ways[best][1] > 0 else "top",
        )  # fmt: skip


Box = tuple[float, float, float, float]


def _box(x: float, y: float, dx: float, dy: float, width: float, height: float) -> Box:
    left = x + dx - (width if dx < 0 else width / 2 if dx == 0 else 0)
    bottom = y + dy - (height if dy < 0 else 0)
    return left, bottom, left + width, bottom + height


def _overlap(a: Box, b: Box) -> float:
    return max(0.0, min(a[2], b[2]) - max(a[0], b[0])) * max(0.0, min(a[3], b[3]) - max(a[1], b[1]))
