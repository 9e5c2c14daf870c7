"""Cameras of the Toybox as rays, and where these hit.

Pixel (row, column) has its centre at +0.5; +x right, +y up, looking along -z.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from piva.toybox.scene import Camera


@dataclass(frozen=True)
class Rays:
    """One ray per pixel of B square views, N = size * size."""

    origin: Tensor  # [B, 3]
    direction: Tensor  # [B, N, 3] unit length
    cosine: Tensor  # [B, N] distance along the ray x this = depth along the optical axis
    pixel_width: float  # of the first camera, at distance 1


@dataclass
class Hits:
    """Where rays meet objects; M rays of a group."""

    scene: Tensor  # [M] index into the group
    pixel: Tensor  # [M] index into H*W
    point: Tensor  # [M, 3]
    distance: Tensor  # [M]
    coverage: Tensor  # [M] in (0, 1]: share of the pixel that the object fills
    slot: Tensor  # [M] which primitive


def camera_to_world(camera: Camera) -> Tensor:
    """[4, 4], OpenGL axes (x right, y up, z backwards)."""
    azimuth, elevation = math.radians(camera.azimuth_deg), math.radians(camera.elevation_deg)
    backward = torch.tensor(
        [math.sin(azimuth) * math.cos(elevation), math.sin(elevation), math.cos(azimuth) * math.cos(elevation)]
    )
    right = torch.tensor([math.cos(azimuth), 0.0, -math.sin(azimuth)])
    pose = torch.eye(4)
    pose[:3, 0], pose[:3, 1], pose[:3, 2] = right, torch.linalg.cross(backward, right), backward
    pose[:3, 3] = backward * camera.distance + torch.tensor([0.0, camera.target_height, 0.0])
    return pose


def camera_rays(cameras: Sequence[Camera], size: int) -> Rays:
    """The rays of square views of `size` pixels a side."""
    poses = torch.stack([camera_to_world(camera) for camera in cameras])
    tangent = torch.tensor([math.tan(math.radians(camera.fov_deg) / 2) for camera in cameras])
    grid = (torch.arange(size) + 0.5) / size * 2 - 1  # [-1, 1]
    y, x = torch.meshgrid(-grid, grid, indexing="ij")
    local = torch.stack([x, y, torch.zeros_like(x)], -1).reshape(1, -1, 3) * tangent[:, None, None]
    local[..., 2] = -1.0
    length = local.norm(dim=-1)
    direction = (local / length[..., None]) @ poses[:, :3, :3].transpose(1, 2)
    return Rays(poses[:, :3, 3], direction, 1 / length, float(2 * tangent[0] / size))
