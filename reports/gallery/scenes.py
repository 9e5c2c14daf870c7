"""Of edited scenes: the views that can be compared, and what each view scores."""

from collections.abc import Sequence
from pathlib import Path

from piva.errors import ConfigError
from reports.gallery.pictures import Pictures
from reports.reading import Run
from reports.view_scores import Views, view_scores

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


def by_view(run: Run, case_id: str) -> Views:
    """The scores of a scene's views that some view has; none where their file is missing or damaged."""
    try:
        found = view_scores(run, case_id)
    except ConfigError:
        return {}
    return {
        name: [None if value is None else float(f"{value:.{DIGITS}g}") for value in values]
        for name, values in found.items()
        if any(value is not None for value in values)
    }
