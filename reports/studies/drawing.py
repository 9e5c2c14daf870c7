"""Figures of studies: svg and png, told apart without colour too, the same bytes from the same records."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from piva.stats import Interval
from reports.reading import info
from reports.tables import head

COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#000000")
"""Okabe and Ito's, which the colour-blind tell apart; beside MARKERS and LINES, for print without colour."""
MARKERS = ("o", "s", "^", "D", "v", "P")
LINES = ("-", "--", ":", "-.", (0, (5, 1)), (0, (1, 1)))
HATCHES = ("", "///", "...")


@dataclass(frozen=True)
class Figures:
    """Where a page's figures go."""

    folder: Path
    study: str

    def grid(self, rows: int, columns: int, size: tuple[float, float] = (3.6, 2.9)) -> tuple[Figure, list[list[Axes]]]:
        """A figure of panels, each so many inches wide and high."""
        figure, axes = plt.subplots(
            rows, columns, figsize=(size[0] * columns, size[1] * rows), squeeze=False, layout="constrained"
        )
        for ax in axes.flat:
            ax.grid(alpha=0.25, linewidth=0.5)
            ax.tick_params(labelsize=7)
        return figure, axes.tolist()

    def save(self, figure: Figure, name: str, about: str) -> str:
        """Writes STUDY-NAME.svg and .png; the line of Markdown that shows it."""
        file = f"{self.study}-{name}"
        self.folder.mkdir(parents=True, exist_ok=True)
        figure.savefig(self.folder / f"{file}.png", dpi=110)
        figure.set_layout_engine("none")  # it is laid out
        with matplotlib.rc_context({"svg.hashsalt": file}):
            figure.savefig(self.folder / f"{file}.svg", metadata={"Date": None})
        plt.close(figure)
        return f"![{about}]({file}.png)\n\n([{file}.svg]({file}.svg), for print)"


def axis_title(name: str) -> str:
    """A number's name, which way is better, and how it is shown; a shift or a ratio is its distance from the best."""
    facts = info(name)
    if facts.higher_is_better is not None:
        return head(name)
    best = "" if not facts.best else f" - {facts.best:g}"
    return f"|{head(name).partition(' →')[0]}{best}|" + _scale(name)


def _scale(name: str) -> str:
    scale = info(name).display_scale
    return "" if scale == 1 else f" ×{scale:g}"


def bars(interval: Interval, scale: float) -> tuple[float, list[list[float]] | None]:
    """The displayed mean, and how far its interval reaches below and above it, as matplotlib wants it."""
    assert interval.mean is not None
    mean = interval.mean * scale
    if interval.low is None or interval.high is None:
        return mean, None
    return mean, [[max(0.0, mean - interval.low * scale)], [max(0.0, interval.high * scale - mean)]]
