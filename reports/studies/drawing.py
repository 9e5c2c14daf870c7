"""Figures of studies: where they go, and the line of Markdown that shows them; `reports.figures.style` dresses them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from reports.figures.style import COLORS, HATCHES, LINES, MARKERS, bars, panels, save

__all__ = ["COLORS", "HATCHES", "LINES", "MARKERS", "Figures", "bars"]


@dataclass(frozen=True)
class Figures:
    """Where a page's figures go."""

    folder: Path
    study: str

    def grid(self, rows: int, columns: int, size: tuple[float, float] = (3.6, 2.9)) -> tuple[Figure, list[list[Axes]]]:
        """A figure of panels, each so many inches wide and high."""
        return panels(rows, columns, size)

    def save(self, figure: Figure, name: str, about: str) -> str:
        """Writes STUDY-NAME.svg and .png; the line of Markdown that shows it."""
        file = f"{self.study}-{name}"
        save(figure, self.folder, file)
        return f"![{about}]({file}.png)\n\n([{file}.svg]({file}.svg), for print)"
