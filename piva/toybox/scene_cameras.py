"""Camera paths around Toybox scenes, and Toybox's frame turned into the world's.

Toybox is y up, the world of scenes and fields is z up: (x, y, z) here is (x, -z, y) there. Both are right-handed, and
cameras have OpenGL's axes in both. Azimuth 0 is on the side of +z here, and on that of +x there.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from piva.toybox.scene import Camera
from piva.toybox.views import camera_to_world

Path = Literal["orbit", "arc"]
Part = Literal["train", "val", "test"]

ARC_DEG = 120.0
ELEVATIONS_DEG, DISTANCES = (14.0, 30.0), (4.5, 5.0)
"""What the pictures of Toybox's models were drawn from."""
STRIDES = (0.7548776662466927, 0.5698402909980532)
"""Of elevation and distance from a view to the next, as shares of their ranges: 1/p and 1/p^2 with p^3 = p + 1, which
fill the square evenly (Roberts, "The unreasonable effectiveness of quasirandom sequences")."""
WORLD_FROM_TOYBOX = torch.tensor([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]])


def cameras_along(path: Path, center_deg: float, part: Part, count: int) -> list[Camera]:
    """`count` cameras that look at the subject, evenly spaced in azimuth, elevation and distance.

    Args:
        path: "orbit" goes all the way round, "arc" over ARC_DEG, with a lone camera in its middle.
        center_deg: azimuth of an arc's middle, or of an orbit's first training view.
        part: parts have other elevations and distances, and lie between each other. A test view of an arc is never
            outside the arc of its training views.
    """
    shift = {"train": 0.0, "val": 0.25, "test": 0.5}[part]  # of an orbit's step
    cameras = []
    for k in range(count):
        if path == "orbit":
            azimuth = center_deg + 360.0 * (k + shift) / count
        else:
            along = k / (count - 1) if part == "train" and count > 1 else (k + 0.5) / count
            azimuth = center_deg + ARC_DEG * (along - 0.5)
        high, far = ((shift + (k + 1) * stride) % 1.0 for stride in STRIDES)
        cameras.append(Camera(azimuth % 360.0, _between(ELEVATIONS_DEG, high), _between(DISTANCES, far)))
    return cameras


def world_pose(camera: Camera) -> Tensor:
    """Camera to world [4, 4], z up, OpenGL axes."""
    pose = camera_to_world(camera)
    pose[:3] = WORLD_FROM_TOYBOX @ pose[:3]
    return pose


def world_azimuth_deg(toybox_deg: float) -> float:
    """The azimuth in [0, 360) of a direction in the world: 0 along +x, 90 along +y."""
    return (toybox_deg - 90.0) % 360.0


def _between(ends: tuple[float, float], share: float) -> float:
    low, high = ends
    return low + (high - low) * share
