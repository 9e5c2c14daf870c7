"""Writes Noe-Toybox, IN2N-Toybox and its hard scenes: Toybox worlds, their edits, and what the edited worlds look like.

root/<scene>/               a capture: Noe-Toybox's in NeRF-synthetic's format, the others' in nerfstudio's
root/true_edits/<edit>/     the same world with the change made, from the same cameras, in the same format
root/edits.json             what `piva.data.edits` reads
root/dataset.json           name, version, split, size, views; once all is written also what every capture shows, and
                            the SHA-256 of all files

A capture appears at once or not at all, so that whoever is stopped goes on where he was.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from rich.progress import track

from piva.errors import ConfigError
from piva.folders import write_once
from piva.toybox import shading
from piva.toybox.captions import caption
from piva.toybox.hard_scenes import in2n_toybox_hard
from piva.toybox.scene import Camera, Scene, named_labels
from piva.toybox.scene_cameras import Part, cameras_along, world_azimuth_deg
from piva.toybox.scene_captures import Shots, write_nerf_synthetic, write_nerfstudio
from piva.toybox.scene_edits import EditedScene, SceneSplit, in2n_toybox, noe_toybox
from piva.toybox.views import camera_rays

VERSION = 1
"""Of all data sets; another number means other pictures, cameras or edits."""

TRAIN_VIEWS, TEST_VIEWS = 60, 12
VAL_VIEWS = 4  # NeRF-synthetic's third file; nothing here reads it
CLEAR = 6.0  # scene units from the camera; beyond, haze covers the ground


@dataclasses.dataclass(frozen=True)
class SceneSet:
    """One of the data sets."""

    scenes: Callable[[], tuple[EditedScene, ...]]
    write_capture: Callable[[Path, Shots], None]
    alone: bool
    """Objects without ground and sky."""


SETS: dict[str, SceneSet] = {
    "noe-toybox": SceneSet(noe_toybox, write_nerf_synthetic, alone=True),
    "in2n-toybox": SceneSet(in2n_toybox, write_nerfstudio, alone=False),
    "in2n-toybox-hard": SceneSet(in2n_toybox_hard, write_nerfstudio, alone=False),
}


def write(
    root: Path,
    name: str,
    split: SceneSplit,
    size: int = 64,
    train_views: int = TRAIN_VIEWS,
    test_views: int = TEST_VIEWS,
) -> None:
    """Writes the scenes of one split, or what is missing of them; does nothing where all is there.

    Args:
        root: folder to make or to complete.
        name: one of SETS.
        split: "dev" for choosing settings, "test" for reporting; no scene is in both.
        size: picture side in pixels.
        train_views: pictures of a capture to fit.
        test_views: pictures of a capture that are held out.

    Raises:
        ConfigError: the folder holds something else, or was damaged since.
    """
    facts = {
        "name": name,
        "version": VERSION,
        "split": split,
        "size": size,
        "train_views": train_views,
        "test_views": test_views,
    }
    if _found(root, facts):
        return
    root.mkdir(parents=True, exist_ok=True)
    _write_json(root / "dataset.json", facts)
    scenes = [scene for scene in SETS[name].scenes() if scene.split == split]
    worlds = [(scene, folder, shown) for scene in scenes for folder, shown in _captures(scene).items()]
    views: dict[Part, int] = {"train": train_views, "test": test_views}
    if SETS[name].alone:
        views["val"] = VAL_VIEWS
    for scene, folder, shown in track(worlds, f"drawing {name}"):
        if not (root / folder).is_dir():
            moves = scene.light == "moving"
            shots = Shots(shown, _cameras(scene, views), size, SETS[name].alone, moves)
            _write_capture(root / folder, shots, SETS[name])
    _write_json(root / "edits.json", [entry for scene in scenes for entry in _entries(scene, SETS[name], facts)])
    shows = {folder: _shows(scene, shown) for scene, folder, shown in worlds}
    _write_json(root / "dataset.json", {**facts, "captures": shows, "sha256": _digest(root)})


def ground_color(scene: Scene, cameras: list[Camera], size: int) -> tuple[float, float, float]:
    """The mean sRGB of the open ground that the cameras see, nearer than CLEAR."""
    rays = camera_rays(cameras, size)
    backdrop = shading.ground_and_sky(rays, shading.world_of([scene] * len(cameras)))
    red, green, blue = shading.to_srgb(backdrop.color[backdrop.distance < CLEAR]).double().mean(0).tolist()
    return round(red, 4), round(green, 4), round(blue, 4)


def _cameras(scene: EditedScene, views: Mapping[Part, int]) -> dict[Part, list[Camera]]:
    center = scene.source.placement.camera.azimuth_deg
    return {part: cameras_along(scene.path, center, part, count) for part, count in views.items()}


def _captures(scene: EditedScene) -> dict[str, Scene]:
    """What the folders of a scene show: its own, and its true edits'."""
    return {scene.id: scene.source} | {f"true_edits/{edit.id}": edit.target for edit in scene.edits}


def _entries(scene: EditedScene, kind: SceneSet, facts: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The scene's part of the edits file."""
    behind: dict[str, Any] = {}
    if kind.alone:
        cameras = _cameras(scene, {"train": facts["train_views"]})["train"]
        behind["background"] = ground_color(scene.source, cameras, facts["size"])
    return [
        {
            "id": edit.id,
            "scene": scene.id,
            "source": caption(scene.source),
            "target": caption(edit.target),
            "instruction": edit.instruction,
            "type": edit.group,
            "truth": f"true_edits/{edit.id}",
            **behind,
        }
        for edit in scene.edits
    ]


def _shows(scene: EditedScene, shown: Scene) -> dict[str, Any]:
    """What a capture shows. The front's azimuth is the file's world's: 0 along +x, 90 along +y."""
    attributes = named_labels(shown)
    del attributes["front"]  # of a picture, not of a world
    has_front = shown.shape == "snowman"
    front = round(world_azimuth_deg(shown.placement.yaw_deg), 3) if has_front else None
    known = {"caption": caption(shown), "path": scene.path, "front_azimuth_deg": front, "attributes": attributes}
    return known if scene.light is None else known | {"light": scene.light}


def _found(root: Path, facts: Mapping[str, Any]) -> bool:
    """Whether the folder holds all of this data set already; False where there is nothing, or a part."""
    if not root.exists() or not any(root.iterdir()):
        return False
    try:
        found = dict(json.loads((root / "dataset.json").read_bytes()))
    except (OSError, ValueError, TypeError):
        found = {}
    if any(found.get(key) != value for key, value in facts.items()):
        raise ConfigError(f"{root} holds something else; name another folder")
    if "sha256" not in found:
        return False
    if found["sha256"] != _digest(root):
        raise ConfigError(f"{root}: files were changed or removed since they were written; remove the folder")
    return True


def _digest(root: Path) -> str:
    """SHA-256 of the names and contents of all files, but for dataset.json and what a stopped writer left."""
    files = {path.relative_to(root).as_posix(): path for path in root.rglob("*") if path.is_file()}
    total = hashlib.sha256()
    for name in sorted(files):
        if name != "dataset.json" and not name.startswith(".") and "/." not in name:
            total.update(f"{name}\n{hashlib.sha256(files[name].read_bytes()).hexdigest()}\n".encode())
    return total.hexdigest()


def _write_capture(folder: Path, shots: Shots, kind: SceneSet) -> None:
    write_once(folder, lambda draft: kind.write_capture(draft, shots))


def _write_json(path: Path, content: object) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_text(json.dumps(content, indent=1))
    temporary.replace(path)
