"""Of one edited scene: the same views of the original and of every run, a row each."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from piva.data.images import read_image, to_pil
from piva.errors import ConfigError
from piva.rendering.picture_grid import Row, picture_grid
from piva.scenes.evaluation import VIEWS_FOLDER
from reports.reading import Run, labels

VIEWS = 6


def view_grid(runs: Sequence[Run], case_id: str, file: Path, views: int = VIEWS) -> int:
    """Draws a row for the original and for each run, and returns how many there were.

    Args:
        views: columns, evenly along the path.

    Raises:
        ConfigError: no run has views of the case, or they are outside its run's folder.
    """
    edited = {}
    for label, run in sorted(zip(labels(runs), runs, strict=True), key=lambda pair: pair[0]):
        case = run.ok.get(case_id)
        if case is not None and case.image is not None:
            folder = ((run.path / case.image).parent / VIEWS_FOLDER).resolve()
            if not folder.is_relative_to(run.path.resolve()):
                raise ConfigError(f"{run.path.name}: views of case {case_id} are outside the run's folder")
            if folder.is_dir():
                edited[label] = folder
    if not edited:
        raise ConfigError(f"no run has views of case {case_id}")
    first = next(iter(edited.values()))
    count = len(list(first.glob("edited-*.png")))
    shown = [k * count // views for k in range(views)] if views < count else list(range(count))
    strips = [("original", [first / f"original-{view:03}.png" for view in shown])]
    strips += [(label, [folder / f"edited-{view:03}.png" for view in shown]) for label, folder in edited.items()]
    rows = [Row((title,), tuple(to_pil(read_image(name)) for name in names)) for title, names in strips]
    file.parent.mkdir(parents=True, exist_ok=True)
    picture_grid(rows, [f"view {view}" for view in shown]).save(file)
    return len(rows)
