"""What a scene folder lists: every photograph's file, pose and lens. No picture is decoded here."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal

import numpy as np

from piva.data.images import ImageFileError, image_size
from piva.data.problems import DataError, path_inside
from piva.data.scene_json import Frame, Nerfstudio, Synthetic, parse_scene_json

NERFSTUDIO, SYNTHETIC = "transforms.json", "transforms_train.json"
SYNTHETIC_HELD_OUT = ("transforms_test.json", "transforms_val.json")
"""The first that is there is held out."""
TRAIN_FRACTION = 0.9
"""nerfstudio's."""


@dataclass(frozen=True)
class Shot:
    """One photograph: its file, pose and lens."""

    name: str
    file: Path
    pose: Sequence[Sequence[float]]  # [4,4] camera to world
    focal: tuple[float, float]
    center: tuple[float, float]
    size: tuple[int, int]
    """(H, W) that focal and center are meant for."""
    distortion: tuple[float, ...] = (0.0,) * 6


@dataclass(frozen=True)
class Listing:
    """What a scene folder lists."""

    files: tuple[Path, ...]
    """The JSON files that were read."""
    train: tuple[Shot, ...]
    test: tuple[Shot, ...]
    others: tuple[Shot, ...]
    """In neither part; their poses count where the scene is normalised, as with nerfstudio."""
    skipped: int
    orientation: Literal["up", "none"] | None
    """How to turn the world before centring and scaling; None leaves the world as it is."""
    points: Path | None = None


def is_scene(folder: Path) -> bool:
    """Whether `folder` holds a scene's JSON."""
    return (folder / NERFSTUDIO).is_file() or (folder / SYNTHETIC).is_file()


def is_bounded(folder: Path) -> bool:
    """Whether a scene ends within a cube: NeRF-synthetic's do."""
    return (folder / SYNTHETIC).is_file() and not (folder / NERFSTUDIO).is_file()


def list_scene(root: Path) -> Listing:
    """What the resolved folder `root` lists; nerfstudio's file is taken where both are there.

    Raises:
        DataError: anything is malformed.
    """
    if (root / NERFSTUDIO).is_file():
        return _list_nerfstudio(root)
    if (root / SYNTHETIC).is_file():
        return _list_synthetic(root)
    raise DataError(root, [f"there is neither {NERFSTUDIO} (nerfstudio) nor {SYNTHETIC} (NeRF-synthetic)"])


def _list_nerfstudio(root: Path) -> Listing:
    content = parse_scene_json(root, NERFSTUDIO, Nerfstudio)
    found, missing, problems = _nerfstudio_shots(root, content)
    points = None
    if content.ply_file_path is not None:
        points = path_inside(root, content.ply_file_path)
        if points is None or not points.is_file():
            problems.append(f"{NERFSTUDIO}: ply_file_path: {content.ply_file_path[:120]!r} is no file of the scene")
    train, test, wrong = _split(content, sorted(found, key=PurePosixPath), missing)
    problems += wrong
    if problems:
        raise DataError(root, problems)
    listed = {*train, *test}
    return Listing(
        files=(root / NERFSTUDIO,),
        train=tuple(found[name] for name in train),
        test=tuple(found[name] for name in test),
        others=tuple(shot for name, shot in found.items() if name not in listed),
        skipped=len(missing),
        orientation=content.orientation_override,
        points=points,
    )


def _nerfstudio_shots(root: Path, content: Nerfstudio) -> tuple[dict[str, Shot], set[str], list[str]]:
    """Shots by name, names whose file is missing, and what is wrong."""
    found: dict[str, Shot] = {}
    missing: set[str] = set()
    problems = []
    for number, frame in enumerate(content.frames):
        place, name = f"{NERFSTUDIO}: frames[{number}]", _plain(frame.file_path)
        file = path_inside(root, frame.file_path)
        without = missing_lens(content, frame)
        if file is None:
            problems.append(f"{place}.file_path: {_outside(frame.file_path)}")
        elif name in found or name in missing:
            problems.append(f"{place}.file_path: {name!r} is listed twice")
        elif without:
            problems.append(f"{place}: {without}")
        elif not file.is_file():
            missing.add(name)
        else:
            found[name] = nerfstudio_shot(name, file, content, frame)
    return found, missing, problems or _none_left(NERFSTUDIO, len(found), len(missing))


def missing_lens(shared: Nerfstudio, frame: Frame) -> str:
    """What the frame's lens lacks, as a sentence; empty where it lacks nothing."""
    without = [key for key in ("fl_x", "fl_y", "cx", "cy", "w", "h") if _lens_value(shared, frame, key) is None]
    return f"{', '.join(without)} is neither here nor shared by all frames" if without else ""


def nerfstudio_shot(name: str, file: Path, shared: Nerfstudio, frame: Frame) -> Shot:
    """The shot of a frame whose lens lacks nothing."""
    fx, fy, cx, cy, width, height = (
        float(_lens_value(shared, frame, key) or 0.0) for key in ("fl_x", "fl_y", "cx", "cy", "w", "h")
    )
    distortion = shared.distortion() or frame.distortion() or (0.0,) * 6
    return Shot(name, file, frame.transform_matrix, (fx, fy), (cx, cy), (int(height), int(width)), distortion)


def _lens_value(shared: Nerfstudio, frame: Frame, key: str) -> float | None:
    """What all frames share comes first, as with nerfstudio."""
    value = getattr(shared, key)
    return getattr(frame, key) if value is None else value


def _split(
    content: Nerfstudio, names: Sequence[str], missing: Collection[str]
) -> tuple[list[str], list[str], list[str]]:
    """Names to train on, names held out, and what is wrong.

    What the file lists, or nine tenths evenly spaced from the first to the last, and the rest.
    (`get_train_eval_split_fraction` of nerfstudio.)
    """
    held_out = content.val_filenames if content.test_filenames is None else content.test_filenames
    if content.train_filenames is None and held_out is None:
        count = math.ceil(len(names) * TRAIN_FRACTION)
        chosen = set(np.linspace(0, len(names) - 1, count, dtype=int).tolist()) if names else set()
        parts = [[name for i, name in enumerate(names) if (i in chosen) is trained] for trained in (True, False)]
        return parts[0], parts[1], []
    if content.train_filenames is None:
        return [], [], [f"{NERFSTUDIO}: train_filenames is missing beside the names of other splits"]
    parts, problems = [], []
    for listed in (content.train_filenames, held_out or []):
        wanted = {_plain(name) for name in listed}
        parts.append([name for name in names if name in wanted])
        unknown = sorted(wanted.difference(names, missing))
        problems += [f"{NERFSTUDIO}: {name[:120]!r} is listed in a split, but is no frame" for name in unknown]
    if names and not parts[0]:
        problems.append(f"{NERFSTUDIO}: train_filenames has no frame whose file is there")
    return parts[0], parts[1], problems


def _list_synthetic(root: Path) -> Listing:
    held_out = [name for name in SYNTHETIC_HELD_OUT if (root / name).is_file()][:1]
    parts: list[tuple[Shot, ...]] = []
    problems: list[str] = []
    skipped = 0
    for name in (SYNTHETIC, *held_out):
        shots, missing, wrong = _synthetic_shots(root, name)
        parts.append(tuple(shots))
        skipped += missing
        problems += wrong
    if problems:
        raise DataError(root, problems)
    test = parts[1] if held_out else ()
    return Listing(tuple(root / name for name in (SYNTHETIC, *held_out)), parts[0], test, (), skipped, None)


def _synthetic_shots(root: Path, json_name: str) -> tuple[list[Shot], int, list[str]]:
    """Shots in the file's order, how many have no file, and what is wrong."""
    content = parse_scene_json(root, json_name, Synthetic)
    shots, missing, problems = [], 0, []
    for number, frame in enumerate(content.frames):
        places = [path_inside(root, path) for path in (frame.file_path + ".png", frame.file_path)]
        inside = [path for path in places if path is not None]
        if len(inside) < len(places):
            problems.append(f"{json_name}: frames[{number}].file_path: {_outside(frame.file_path)}")
            continue
        file = next((path for path in inside if path.is_file()), None)
        if file is None:
            missing += 1
            continue
        try:
            height, width = image_size(file)
        except ImageFileError as problem:
            problems.append(f"{file.relative_to(root).as_posix()}: {problem}")
            continue
        focal = width / 2 / math.tan(content.camera_angle_x / 2)
        name, center = _plain(frame.file_path), (width / 2, height / 2)
        shots.append(Shot(name, file, frame.transform_matrix, (focal, focal), center, (height, width)))
    return shots, missing, problems or _none_left(json_name, len(shots), missing)


def _none_left(json_name: str, found: int, missing: int) -> list[str]:
    return [] if found else [f"{json_name}: not one of its {missing} frames has a file in the scene folder"]


def _plain(path: str) -> str:
    return PurePosixPath(path).as_posix()


def _outside(path: str) -> str:
    return f"{path[:120]!r} is not a plain relative path inside the scene folder"
