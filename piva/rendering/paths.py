"""Camera paths: orbits, and the one that edits are scored along. Those of files: `piva/data/camera_paths.py`."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor

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
