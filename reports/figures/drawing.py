"""All figures of a report at once."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from reports.figures.along_views import views_figure
from reports.figures.courses import course_figure
from reports.figures.plane import cost_figure, plane_figure
from reports.figures.style import MOST, save
from reports.figures.types import type_figure
from reports.parts import parts
from reports.reading import Run
from reports.tables.rows import present

IDENTITY = ("lpips", "psnr_background", "psnr", "lpips_to_true")
ALIGNMENT = ("clip_text", "clip_direction", "edit_success")
QUALITY = ("psnr_to_true", "lpips_to_true", "clip_text")
"""Numbers that figures are of unless others are asked for: the first that the runs have."""


@dataclass(frozen=True)
class Drawn:
    """Which numbers are drawn; the usual ones where none is named."""

    identity: str | None = None
    alignment: str | None = None
    quality: str | None = None


def left_out(runs: Sequence[Run]) -> list[str]:
    """Names of the figures that records allow and so many runs do not."""
    edits = [run for run in runs if not run.is_identity_row]
    cases = [case for run in edits for case in run.ok.values()] if len(edits) > MOST else []
    allowed = {
        "types": bool(cases) and len(parts(edits, "type")) > 1,
        "steps": any(case.course for case in cases),
        "views": any(case.by_view for case in cases),
    }
    return [name for name, there in allowed.items() if there]


def draw_all(runs: Sequence[Run], out: Path, against: Sequence[Run] = (), drawn: Drawn | None = None) -> list[Path]:
    """Draws what the runs of one benchmark allow into OUT/figures, and returns the files.

    Args:
        against: baselines; they come first in bars and legends. A run looks the same in all figures (`looks_of`).
    """
    drawn, first = drawn or Drawn(), {run.path for run in against}
    runs = sorted(runs, key=lambda run: (run.path not in first, run.record.method, run.path.name))
    identity, alignment, quality = (
        next(iter(present(runs, [wanted] if wanted else usual)), None)
        for wanted, usual in ((drawn.identity, IDENTITY), (drawn.alignment, ALIGNMENT), (drawn.quality, QUALITY))
    )
    figures = {}
    if identity and alignment:
        figures["identity-alignment"] = plane_figure(runs, identity, alignment)
    names = [name for name in (identity, alignment, quality) if name]
    figures["steps"] = course_figure(runs)
    figures["types"] = type_figure(runs, list(dict.fromkeys(names)))
    if quality:
        figures["cost"] = cost_figure(runs, quality)
    figures["views"] = views_figure(runs)
    return [file for name, figure in figures.items() if figure for file in save(figure, out / "figures", name, dpi=200)]
