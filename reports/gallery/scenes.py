"""Of edited scenes: the views that can be compared, and what each view scores."""

import json
import math
from collections.abc import Sequence
from pathlib import Path

from reports.gallery.pictures import Pictures
from reports.reading import Run

VIEWS = 6
"""How many views of a scene can be compared, evenly along its path."""
DIGITS = 5
"""Significant digits of a view's score."""


def view_pictures(
    ids: Sequence[str], folders: Sequence[Path | None], name: str, group: str, pictures: Pictures
) -> list[list[str]]:
    """Endings of VIEWS views of each case, evenly along the path."""
    counts = [0 if folder is None else len(list(folder.glob(f"{name}-*.png"))) for folder in folders]
    rows = []
    for k in range(VIEWS):
        files = [
            (id_, folder / f"{name}-{k * count // VIEWS:03}.png" if folder is not None and count else None)
            for id_, folder, count in zip(ids, folders, counts, strict=True)
        ]
        rows.append(pictures.images(f"{group}/{k}", files))
    return [list(row) for row in zip(*rows, strict=True)]


def by_view(run: Run, case_id: str) -> dict[str, list[float | None]]:
    """The scores of a scene's views that change from view to view."""
    record = run.ok.get(case_id)
    file = run.path / record.by_view if record is not None and record.by_view else None
    if file is None or not file.is_file():
        return {}
    try:
        found = json.loads(file.read_bytes())
    except ValueError:
        return {}
    return {
        name: [float(f"{value:.{DIGITS}g}") if _is_number(value) else None for value in values]
        for name, values in found.items()
        if any(map(_is_number, values))
    }


def _is_number(value: float | None) -> bool:
    return value is not None and math.isfinite(value)
