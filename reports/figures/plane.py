"""Planes: identity against alignment, a curve a method over its own strength; cost against quality."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import polars as pl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from reports.figures.looks import NOTHING, family_of, looks_of, strength_of
from reports.figures.style import COLUMN, PAGE, Look, bars, legend, panels, write_beside
from reports.labels import facts
from reports.reading import Run, info
from reports.tables.cells import head
from reports.tables.rows import Row, present, rows

COSTS = ("seconds_edit", "unet_rows")
ALL_ROWS = "UNet rows, cached and psi's included ↓"
MANY = 6
"""Curves that a column of a paper has room for; of more a plane is as wide as the page."""
Word = tuple[float, float, str, str]
"""x, y, what is written there, colour."""


@dataclass(frozen=True)
class Curve:
    """Runs that differ only in their method's strength, from weak to strong."""

    label: str
    strength: str | None
    rows: tuple[Row, ...]
    look: Look

    def value(self, row: Row) -> str:
        """What is written at a point: the setting's value."""
        value = facts(row.run.record).get(self.strength or "")
        return f"{value:g}" if isinstance(value, int | float) else ""


def curves(found: Sequence[Row], runs: Sequence[Run]) -> list[Curve]:
    """The rows that edit, in curves; in the order in which the first of each stands among the runs.

    Args:
        runs: all of the report.
    """
    looks, together = looks_of(runs), dict[str, list[Row]]()
    places = {path: place for place, path in enumerate(looks)}
    for row in sorted(found, key=lambda row: places[row.run.path]):
        if not row.run.is_identity_row:
            together.setdefault(family_of(row.run), []).append(row)
    result = []
    for those in together.values():
        name = strength_of(those[0].run)
        words = [word for word in those[0].label.split() if name is None or not word.startswith(f"{name}=")]
        ordered = sorted(those, key=lambda row: _order(facts(row.run.record).get(name or "")))
        result.append(Curve(" ".join(words), name, tuple(ordered), looks[those[0].run.path]))
    return result


def _order(value: object) -> float:
    return float(value) if isinstance(value, int | float) else 0.0


def plane_figure(runs: Sequence[Run], identity: str, alignment: str) -> Figure | None:
    """Identity on the x axis, alignment on the y axis, with the table's intervals; rows that edit nothing in grey."""
    found = [row for row in rows(runs, [identity, alignment]) if _has(row, (identity, alignment))]
    if not any(not row.run.is_identity_row for row in found):
        return None
    lines = curves(found, runs)
    figure, [[ax]] = panels(1, 1, size=_size(lines, 2.9))
    words = []
    for line in lines:
        _join(ax, line, identity, alignment)
        words += _points(ax, line, identity, alignment, line.look.line, faint=len(lines) > MANY)
    for row in found:
        if row.run.is_identity_row:
            x, y = (bars(row.cells[name], info(name).display_scale)[0] for name in (identity, alignment))
            ax.plot(x, y, marker=NOTHING.marker, color=NOTHING.color, markersize=7, linestyle="none")
            words.append((x, y, row.label, NOTHING.color))
    _finish(figure, [(ax, identity, alignment, words)])
    return figure


def cost_figure(runs: Sequence[Run], quality: str) -> Figure | None:
    """A panel for each cost that was measured, with a number on the y axis and a point for each run that has both.

    UNet rows are all that an edit asks for: those that a cache had, and of a stored psi's training, are counted.
    """
    runs = [_with_all_rows(run) for run in runs]
    costs = [name for name in present(runs, COSTS) if name != quality]
    found = [row for row in rows(runs, [*costs, quality]) if not row.run.is_identity_row]
    lines = curves([row for row in found if any(_has(row, (cost, quality)) for cost in costs)], runs)
    if not lines:
        return None
    figure, axes = panels(len(costs), 1, size=_size(lines, 2.3))
    drawn = []
    for (ax,), cost in zip(axes, costs, strict=True):
        words = []
        for line in lines:
            here = tuple(row for row in line.rows if _has(row, (cost, quality)))
            words += _points(ax, replace(line, rows=here), cost, quality, "none")
        drawn.append((ax, cost, quality, words))
    _finish(figure, drawn)
    return figure


def _with_all_rows(run: Run) -> Run:
    """The run with `unet_rows` as they were before any cache."""
    whole = Run(run.path, run.record)
    parts = [pl.col(name).fill_null(0) for name in ("rows_cached", "psi_rows")]
    whole.table = run.table.with_columns(sum(parts, pl.col("unet_rows")).alias("unet_rows"))
    return whole


def _size(lines: Sequence[Curve], height: float) -> tuple[float, float]:
    return (COLUMN, height) if len(lines) <= MANY else (PAGE, 1.4 * height)


def _has(row: Row, names: Sequence[str]) -> bool:
    return all(row.cells[name].mean is not None for name in names)


def _join(ax: Axes, line: Curve, over: str, against: str) -> None:
    """Draws the line from weak to strong."""
    xs, ys = ([bars(row.cells[name], info(name).display_scale)[0] for row in line.rows] for name in (over, against))
    ax.plot(xs, ys, color=line.look.color, linestyle=line.look.line, linewidth=1)


def _points(ax: Axes, curve: Curve, over: str, against: str, line: Any, faint: bool = False) -> list[Word]:
    """Draws a curve's points with their intervals; the words that belong to them.

    Args:
        line: of the legend's sample.
        faint: lets what lies below the intervals be seen.
    """
    words, style = [], curve.look
    for k, row in enumerate(curve.rows):
        (x, x_bar), (y, y_bar) = (bars(row.cells[name], info(name).display_scale) for name in (over, against))
        drawn = ax.errorbar(
            x, y, xerr=x_bar, yerr=y_bar, fmt=style.marker, color=style.color, markersize=4, elinewidth=0.4,
            linestyle=line, label=_legend(curve) if k == 0 else None,
        )  # fmt: skip
        for bar in drawn.lines[2]:
            bar.set_alpha(0.35 if faint else 1.0)
        words.append((x, y, curve.value(row), style.color))
    return words


def _legend(curve: Curve) -> str:
    return curve.label + (f" ({curve.strength})" if curve.strength else "")


def _finish(figure: Figure, drawn: Sequence[tuple[Axes, str, str, Sequence[Word]]]) -> None:
    """Titles of the axes, one legend, and the words beside the points of each panel."""
    handles: dict[str, Any] = {}
    for ax, over, against, _ in drawn:
        ax.set_xlabel(ALL_ROWS if over == "unet_rows" else head(over), fontsize=8)
        ax.set_ylabel(head(against), fontsize=8)
        for handle, name in zip(*ax.get_legend_handles_labels(), strict=True):
            handles.setdefault(name, handle)
    legend(figure, list(handles.values()), list(handles))
    for ax, _, _, words in drawn:
        write_beside(ax, [word for word in words if word[2]])
