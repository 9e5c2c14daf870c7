"""`piva check data DIR` of a scene folder, or of a folder of scenes with a list of edits."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from piva.data.edits import SceneEdit, read_edits
from piva.data.problems import DataError
from piva.data.scene_files import is_scene
from piva.data.scenes import SceneCapture, Views, read_scene


def check_scene(folder: Path) -> str:
    """A line about the scene, every picture of which was decoded.

    Raises:
        DataError: naming everything that is wrong with it.
    """
    return scene_line(read_scene(folder))


def check_edited_scenes(root: Path, edits_file: Path) -> list[str]:
    """Lines about the edits and their scenes, one scene in memory at a time.

    Raises:
        DataError: naming everything that is wrong with the list, the scenes and the true edits.
    """
    edits: list[SceneEdit] = []
    problems: list[str] = []
    try:
        edits = read_edits(edits_file)
        scenes = sorted({edit.folder for edit in edits})
    except DataError as error:
        problems += error.problems
        scenes, out = _scenes_below(root.resolve())
        problems += out
    lines = []
    for folder in scenes:
        line, wrong = _with_true_edits(root.resolve(), folder, [edit for edit in edits if edit.folder == folder])
        lines.append(f"  {line}")
        problems += wrong
    if problems:
        raise DataError(root, problems)
    types = Counter(edit.type for edit in edits)
    counted = ", ".join(f"{count} {kind}" for kind, count in sorted(types.items()))
    known = sum(edit.truth is not None for edit in edits)
    return [f"{root}: {len(edits)} edits of {len(scenes)} scenes: {counted}; true edits: {known}", *lines]


def _scenes_below(root: Path) -> tuple[list[Path], list[str]]:
    """Folders right below the resolved `root` that hold scenes, and what is wrong with links among them."""
    found = sorted(root.iterdir())
    out = [path for path in found if not path.resolve().is_relative_to(root)]
    scenes = [path for path in found if path not in out and is_scene(path)]
    return scenes, [f"{path.name}: leads out of the data folder" for path in out]


def scene_line(capture: SceneCapture) -> str:
    """What is in a capture."""
    cameras = capture.train.cameras
    points = "no points" if capture.points is None else f"{len(capture.points)} points"
    return (
        f"{capture.name}: {len(capture.train) + len(capture.test)} pictures of {cameras.width}x{cameras.height}"
        f"{' with opacity' if capture.transparent else ''}, {len(capture.test)} held out, "
        f"{capture.skipped} skipped (no file); {'pinhole' if cameras.distortion is None else 'distorted'} cameras; "
        f"{points}; {'bounded, in its own units' if capture.bounded else 'centred and scaled'}"
        f"{', and no sky is learned, for transparent pixels show none' if _lacks_sky(capture) else ''}"
    )


def _lacks_sky(capture: SceneCapture) -> bool:
    return capture.transparent and not capture.bounded


def _with_true_edits(root: Path, folder: Path, edits: Sequence[SceneEdit]) -> tuple[str, list[str]]:
    """A line about the scene, and what is wrong with it or with its true edits."""
    try:
        capture = read_scene(folder)
    except DataError as error:
        return "", [f"{folder.relative_to(root).as_posix()}: {sentence}" for sentence in error.problems]
    problems = []
    if not (capture.bounded or capture.transparent):
        given = [edit.id for edit in edits if edit.background is not None]
        problems += [
            f"{id_}: no background is to be given, its scene's photographs show what is there" for id_ in given
        ]
    for truth in sorted({edit.truth for edit in edits if edit.truth is not None}):
        shown = truth.relative_to(root).as_posix()
        try:
            true = read_scene(truth)
        except DataError as error:
            problems += [f"{shown}: {sentence}" for sentence in error.problems]
            continue
        if not (_same_views(capture.train, true.train) and _same_views(capture.test, true.test)):
            problems.append(f"{shown}: its views are not those of {folder.relative_to(root).as_posix()}")
    return scene_line(capture), problems


def _same_views(views: Views, others: Views) -> bool:
    """Whether two sets of views have the same names, sizes and cameras."""
    return (
        views.names == others.names
        and views.images.shape[-2:] == others.images.shape[-2:]
        and views.cameras.c2w.allclose(others.cameras.c2w, atol=1e-4)
        and views.cameras.focal.allclose(others.cameras.focal)
    )
