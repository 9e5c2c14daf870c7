"""Camera paths: an orbit around a field's centre, and files as nerfstudio's viewer writes them."""

from __future__ import annotations

import json
import math
from pathlib import Path

import torch

from piva.errors import PreflightError
from piva.rendering.cameras import Cameras, orbit
from piva.rendering.space import Space


def around(space: Space, frames: int, elevation_deg: float, fov_deg: float, size: tuple[int, int]) -> Cameras:
    """`frames` cameras evenly spaced around the center, from where the space's (inner) cube fills the height."""
    azimuths = torch.arange(frames) * (360.0 / frames)
    radius = float(space.scale) / math.tan(math.radians(fov_deg) / 2)
    return orbit(azimuths, elevation_deg, radius, space.center.cpu(), fov_deg, size)


def read_path(file: Path, size: tuple[int, int]) -> Cameras:
    """The cameras of a nerfstudio camera path: `camera_path`, each with `camera_to_world` and a vertical `fov`.

    Poses are in the scene's own, normalised world, as nerfstudio's viewer writes them.

    Args:
        size: height and width of the pictures.

    Raises:
        PreflightError: the file is not there, or is no such path.
    """
    height, width = size
    try:
        frames = json.loads(file.read_text())["camera_path"]
        poses = [torch.tensor(frame["camera_to_world"], dtype=torch.float32).view(4, 4)[:3] for frame in frames]
        focal = [height / 2 / math.tan(math.radians(frame["fov"]) / 2) for frame in frames]
    except OSError as problem:
        raise PreflightError(f"cannot read {file}: {problem.strerror}") from problem
    except (ValueError, KeyError, TypeError, RuntimeError) as problem:
        raise PreflightError(f"{file} is no camera path of nerfstudio's: {problem!r}") from problem
    if not poses:
        raise PreflightError(f"{file} has no cameras")
    intrinsics = torch.tensor(focal)[:, None].repeat(1, 2)
    center = torch.tensor([[width / 2, height / 2]]).repeat(len(poses), 1)
    return Cameras(torch.stack(poses), intrinsics, center, width, height)
