"""Camera paths in files: as nerfstudio's viewer writes them, and a capture's own transforms.json and its like.

The viewer's poses are in the scene's own, normalised world. Those of a capture are in the world of its files, from
where the scene's `orient` leads to ours (`piva/data/scenes.py`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from piva.data.json_files import read_object
from piva.data.problems import DataError
from piva.data.scene_files import Shot, missing_lens, nerfstudio_shot
from piva.data.scene_json import CameraPath, Nerfstudio, Synthetic, parse_scene_json
from piva.data.scene_poses import placed
from piva.rendering.cameras import Cameras


def read_path(file: Path, size: tuple[int, int], orient: Tensor | None) -> Cameras:
    """The cameras of a file, in its order: `camera_path` of nerfstudio's viewer, or the `frames` of a capture.

    Of a capture no photograph is needed; the cameras see the middle of what the photographs show.

    Args:
        size: height and width of the pictures.
        orient: [4,4] from the world of the capture's files to the scene's; None where it is not known.

    Raises:
        DataError: the file is not there, or is no such path; or it is a capture's, and `orient` is not known.
    """
    file = file.resolve()  # the user names it: a link may lead anywhere
    root, name = file.parent, file.name
    content, problems = read_object(file, "cameras")
    if content is None or problems:
        raise DataError(root, problems)
    if "camera_path" in content:
        return _of_the_viewer(parse_scene_json(root, name, CameraPath), size)
    if "frames" not in content:
        raise DataError(root, [f"{name} has neither camera_path, as nerfstudio's viewer writes it, nor frames"])
    if orient is None:
        unknown = "the field does not know in which world its capture's cameras are: reconstruct it again"
        raise DataError(root, [f"{name} is of a capture, and {unknown}"])
    is_synthetic = "camera_angle_x" in content and "camera_model" not in content and "fl_x" not in content
    return _seen_by((_synthetic_shots if is_synthetic else _nerfstudio_shots)(root, name), size, orient)


def _of_the_viewer(path: CameraPath, size: tuple[int, int]) -> Cameras:
    height, width = size
    poses = torch.tensor([frame.camera_to_world for frame in path.camera_path]).view(-1, 4, 4)[:, :3]
    tangents = torch.tensor([math.tan(math.radians(frame.fov) / 2) for frame in path.camera_path])
    focal = (height / 2 / tangents)[:, None].repeat(1, 2)
    center = torch.tensor([[width / 2, height / 2]]).repeat(len(poses), 1)
    return Cameras(poses, focal, center, width, height)


def _nerfstudio_shots(root: Path, name: str) -> list[Shot]:
    content = parse_scene_json(root, name, Nerfstudio)
    wrong = [(number, missing_lens(content, frame)) for number, frame in enumerate(content.frames)]
    if problems := [f"{name}: frames[{number}]: {sentence}" for number, sentence in wrong if sentence]:
        raise DataError(root, problems)
    return [nerfstudio_shot(frame.file_path, root / frame.file_path, content, frame) for frame in content.frames]


def _synthetic_shots(root: Path, name: str) -> list[Shot]:
    """Shots of size 1 x 1: NeRF-synthetic's pictures are square, and its files do not say how large."""
    content = parse_scene_json(root, name, Synthetic)
    focal = 0.5 / math.tan(content.camera_angle_x / 2)
    return [
        Shot(frame.file_path, root / frame.file_path, frame.transform_matrix, (focal, focal), (0.5, 0.5), (1, 1))
        for frame in content.frames
    ]


def _seen_by(shots: Sequence[Shot], size: tuple[int, int], orient: Tensor) -> Cameras:
    """The shots' cameras in our world, with pictures of another size."""
    height, width = size
    poses = placed(torch.tensor([shot.pose for shot in shots], dtype=torch.float64), orient.double()).float()
    each = [
        Cameras(pose[None], torch.tensor([shot.focal]), torch.tensor([shot.center]), shot.size[1], shot.size[0])
        for shot, pose in zip(shots, poses, strict=True)
    ]
    lenses = [cameras.cropped(width, height) for cameras in each]
    focal, center = torch.cat([lens.focal for lens in lenses]), torch.cat([lens.center for lens in lenses])
    bent = torch.tensor([shot.distortion for shot in shots])
    return Cameras(poses, focal, center, width, height, bent if bool(bent.any()) else None)
