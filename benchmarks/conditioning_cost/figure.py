"""Time and memory of a step against the size of the UNet, a line for each kind."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from benchmarks.conditioning_cost.options import KINDS
from benchmarks.conditioning_cost.report import Line, Report
from reports.figures.style import COLORS, MARKERS, plt

STYLES = dict(zip(KINDS, zip(("#555555", *COLORS[:5]), ("P", *MARKERS[:5]), strict=True), strict=True))
Value = Callable[[Line], tuple[float | None, bool]]
"""What is drawn of a point, and whether it was measured."""


def draw(report: Report, file: Path) -> None:
    """Draws the two panels. Filled marks are measured, hollow ones counted; models that are no share of SD 1.5's
    widths stand alone, with their names.

    Args:
        file: PNG or SVG to write.
    """
    figure, axes = plt.subplots(1, 2, figsize=(10.4, 4.4), layout="constrained")
    panels: list[tuple[Axes, str, Value]] = [
        (axes[0], "seconds a step", lambda line: seconds(report, line)),
        (axes[1], "memory of a step with the UNet, GB", gigabytes),
    ]
    kinds = [kind for kind in KINDS if any(line.kind == kind for line in report.lines)]
    for ax, title, value in panels:
        for kind in kinds:
            _draw(ax, [line for line in report.ordered() if line.kind == kind], value)
        ax.set(xscale="log", yscale="log", xlabel="parameters of the UNet, millions", ylabel=title)
        ax.grid(alpha=0.25, linewidth=0.5)
    keys = [Line2D([], [], color=STYLES[kind][0], marker=STYLES[kind][1], markersize=6, label=kind) for kind in kinds]
    if not all(line.turns for line in report.lines):
        keys.append(Line2D([], [], color="#555555", marker="o", fillstyle="none", linestyle="none", label="counted"))
    axes[0].legend(handles=keys, fontsize=8)
    file.parent.mkdir(parents=True, exist_ok=True)
    with plt.rc_context({"svg.hashsalt": "piva"}):  # the same bytes each time
        figure.savefig(file, dpi=110, metadata={"Date": None} if file.suffix == ".svg" else None)
    plt.close(figure)


def seconds(report: Report, line: Line) -> tuple[float | None, bool]:
    """Seconds a step as measured, or reckoned from its operations."""
    return (report.reckoned_seconds(line), False) if line.seconds is None else (line.seconds, True)


def gigabytes(line: Line) -> tuple[float, bool]:
    """Memory of a step with the UNet's weights, as measured or by the estimate."""
    added = line.measured_bytes
    weights = line.memory.weights["unet"]
    return (line.step_bytes / 1e9, False) if added is None else ((weights + added) / 1e9, True)


def _draw(ax: Axes, lines: list[Line], value: Value) -> None:
    """One kind: a line through the shares of SD 1.5's widths, and every point's mark."""
    points = [(line, y, measured) for line in lines for y, measured in [value(line)] if y is not None]
    scaled = [(line.unet_parameters / 1e6, y) for line, y, _ in points if line.is_scaled]
    for line, y, measured in points:
        color, marker = STYLES[line.kind]
        x, face = line.unet_parameters / 1e6, color if measured else "none"
        ax.plot(x, y, marker, color=color, markerfacecolor=face, markersize=6)
        if not line.is_scaled and line.kind == "none":
            ax.annotate(Path(line.size).name, (x, y), xytext=(5, -3), textcoords="offset points", fontsize=7)
    if scaled:
        style = "--" if lines[0].kind == "controlnet-blank" else "-"
        ax.plot(*zip(*scaled, strict=True), style, color=STYLES[lines[0].kind][0], linewidth=1.1, alpha=0.8)
