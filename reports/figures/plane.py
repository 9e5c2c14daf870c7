"""Planes: identity against alignment, a curve a method over its own strength; cost against quality."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from piva.methods import METHODS
from piva.registry import resolve
from reports.labels import facts
from reports.reading import Run, info
from reports.style import COLUMN, Look, bars, legend, look, panels, write_beside
from reports.tables import Row, head, present, rows

COSTS = ("seconds_edit", "unet_rows")
GREY = "#777777"


@dataclass(frozen=True)
class Curve:
    """Runs that differ only in their method's strength, from weak to strong."""

    label: str
    strength: str | None
    rows: tuple[Row, ...]

    def value(self, row: Row) -> str:
        """What is written at a point: the setting's value."""
        value = facts(row.run.record).get(self.strength or "")
        return f"{value:g}" if isinstance(value, int | float) else ""


def curves(found: Sequence[Row]) -> list[Curve]:
    """The rows that edit, in curves; in the order in which their methods come."""
    together: dict[str, list[Row]] = {}
    for row in found:
        if not row.run.is_identity_row:
            own = facts(row.run.record)
            own.pop(strength_of(row.run) or "", None)
            together.setdefault(f"{row.run.record.method} {sorted(own.items())}", []).append(row)
    result = []
    for those in together.values():
        name = strength_of(those[0].run)
        words = [word for word in those[0].label.split() if name is None or not word.startswith(f"{name}=")]
        those.sort(key=lambda row: _order(facts(row.run.record).get(name or "")))
        result.append(Curve(" ".join(words), name, tuple(those)))
    return result


def strength_of(run: Run) -> str | None:
    """The setting that the run's method declares as its strength; None of a method that is not known here."""
    name = run.record.method
    return str(resolve("method", METHODS, name).strength) if name in METHODS else None


def _order(value: object) -> float:
    return float(value) if isinstance(value, int | float) else 0.0


def plane_figure(runs: Sequence[Run], identity: str, alignment: str) -> Figure | None:
    """Identity on the x axis, alignment on the y axis, with the table's intervals; rows that edit nothing in grey."""
    found = [row for row in rows(runs, [identity, alignment]) if _has(row, (identity, alignment))]
    if not any(not row.run.is_identity_row for row in found):
        return None
    lines = curves(found)
    figure, [[ax]] = panels(1, 1, size=(COLUMN, 2.9))
    words = []
    for place, line in enumerate(lines):
        words += _curve(ax, line, identity, alignment, look(place))
    for row in found:
        if row.run.is_identity_row:
            x, y = (bars(row.cells[name], info(name).display_scale)[0] for name in (identity, alignment))
            ax.plot(x, y, marker="*", color=GREY, markersize=7, linestyle="none")
            words.append((x, y, row.label, GREY))
    _finish(ax, figure, identity, alignment, words)
    return figure


def cost_figure(runs: Sequence[Run], quality: str) -> Figure | None:
    """A panel for each cost that was measured, with a number on the y axis."""
    costs = [name for name in present(runs, COSTS) if name != quality]
    found = [row for row in rows(runs, [*costs, quality]) if not row.run.is_identity_row]
    lines = curves([row for row in found if _has(row, (*costs, quality))])
    if not costs or not lines:
        return None
    figure, axes = panels(len(costs), 1, size=(COLUMN, 2.3))
    for (ax,), cost in zip(axes, costs, strict=True):
        words = []
        for place, line in enumerate(lines):
            words += _curve(ax, line, cost, quality, look(place))
        _finish(ax, figure if ax is axes[-1][0] else None, cost, quality, words)
    return figure


def _has(row: Row, names: Sequence[str]) -> bool:
    return all(row.cells[name].mean is not None for name in names)


def _curve(ax: Axes, line: Curve, over: str, against: str, style: Look) -> list[tuple[float, float, str, str]]:
    """Draws one curve; the words that belong to its points."""
    xs = [bars(row.cells[over], info(over).display_scale) for row in line.rows]
    ys = [bars(row.cells[against], info(against).display_scale) for row in line.rows]
    ax.plot([x for x, _ in xs], [y for y, _ in ys], color=style.color, linestyle=style.line, linewidth=1)
    for k, ((x, x_bar), (y, y_bar)) in enumerate(zip(xs, ys, strict=True)):
        ax.errorbar(
            x, y, xerr=x_bar, yerr=y_bar, fmt=style.marker, color=style.color, markersize=4, elinewidth=0.4,
            linestyle=style.line, label=_legend(line) if k == 0 else None,
        )  # fmt: skip
    return [(x, y, line.value(row), style.color) for (x, _), (y, _), row in zip(xs, ys, line.rows, strict=True)]


def _legend(line: Curve) -> str:
    return line.label + (f" ({line.strength})" if line.strength and len(line.rows) > 1 else "")


def _finish(
    ax: Axes, figure: Figure | None, over: str, against: str, words: Sequence[tuple[float, float, str, str]]
) -> None:
    ax.set_xlabel(head(over), fontsize=8)
    ax.set_ylabel(head(against), fontsize=8)
    if figure is not None:
        legend(figure, *ax.get_legend_handles_labels())
    write_beside(ax, [word for word in words if word[2]])
