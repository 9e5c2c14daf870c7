"""Camera paths: orbits, the one that edits are scored along, and files as nerfstudio's viewer writes them."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from piva.errors import PreflightError
from piva.rendering.cameras import Cameras, focus, orbit
from piva.rendering.space import NEAR, Space

if TYPE_CHECKING:
    from piva.data.scenes import SceneCapture

LARGEST_GAP_DEG = 90.0
"""Ours. Captured cameras that leave a larger gap in azimuth do not go all the way round."""
LONE_ARC_DEG = 30.0
"""Ours. So far a path sways to and fro where all captured cameras stand on one side, so that its views differ."""


def around(space: Space, frames: int, elevation_deg: float, fov_deg: float, size: tuple[int, int]) -> Cameras:
    """`frames` cameras evenly spaced around the center, from where the space's (inner) cube fills the height."""
    azimuths = torch.arange(frames) * (360.0 / frames)
    radius = float(space.scale) / math.tan(math.radians(fov_deg) / 2)
    return orbit(azimuths, elevation_deg, radius, space.center.cpu(), fov_deg, size)


def subject(cameras: Cameras) -> Tensor:
    """The point [3] that the cameras look at: their `focus`.

    A lone camera's focus is the camera itself. It looks at the point of its axis that is nearest to the world's origin.
    """
    if len(cameras) > 1:
        return focus(cameras)
    at, ahead = cameras.positions[0], cameras.forward[0]
    return at + (-at @ ahead).clamp_min(NEAR) * ahead


def evaluation_path(capture: SceneCapture, frames: int, size: tuple[int, int]) -> tuple[Cameras, bool]:
    """The `frames` cameras that an edit of the scene is scored from, and whether they come back to their start.

    They go around the point that the captured (training) cameras look at, at those cameras' median elevation and
    distance, with their lens: all the way round where the captured ones do, otherwise from the captured ones' one end
    to the other. They start at the first camera's azimuth, or at an end.

    Args:
        size: height and width of the pictures; they show what the middle of the captured ones would.
    """
    captured = capture.train.cameras.cropped(size[1], size[0])
    center = subject(captured)
    offset = captured.positions - center
    distance = offset.norm(dim=-1)
    elevation = torch.rad2deg((offset[:, 2] / distance).asin()).median()
    azimuths = torch.rad2deg(torch.atan2(offset[:, 1], offset[:, 0])) % 360
    around_once = azimuths.sort().values
    gaps = torch.diff(around_once, append=around_once[:1] + 360)
    closed = bool(gaps.amax() <= LARGEST_GAP_DEG)
    if closed:
        along = azimuths[0] + torch.arange(frames) * (360.0 / frames)
    else:
        widest = int(gaps.argmax())
        start, arc = float(around_once[(widest + 1) % len(around_once)]), float(360 - gaps[widest])
        if arc == 0:
            start, arc = start - LONE_ARC_DEG / 2, LONE_ARC_DEG
        along = start + torch.linspace(0, arc, frames)
    fov_deg = math.degrees(2 * math.atan(size[0] / 2 / float(captured.focal[:, 1].median())))
    return orbit(along, elevation, distance.median(), center, fov_deg, size), closed


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
        fovs = [float(frame["fov"]) for frame in frames]
    except OSError as problem:
        raise PreflightError(f"cannot read {file}: {problem.strerror}") from problem
    except (ValueError, KeyError, TypeError, RuntimeError) as problem:
        raise PreflightError(f"{file} is no camera path of nerfstudio's: {problem!r}") from problem
    if not poses:
        raise PreflightError(f"{file} has no cameras")
    if not (all(0 < fov < 180 for fov in fovs) and all(bool(pose.isfinite().all()) for pose in poses)):
        raise PreflightError(f"{file}: a fov is not between 0 and 180 degrees, or a camera_to_world is not finite")
    intrinsics = torch.tensor([height / 2 / math.tan(math.radians(fov) / 2) for fov in fovs])[:, None].repeat(1, 2)
    center = torch.tensor([[width / 2, height / 2]]).repeat(len(poses), 1)
    return Cameras(torch.stack(poses), intrinsics, center, width, height)
