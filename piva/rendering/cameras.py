"""Cameras and their rays.

World: right-handed, z up. A camera's own axes are OpenGL's, as in nerfstudio and NeRF-synthetic: +x right, +y up, it
looks along -z. Pixel (column, row) has its centre at (column + 0.5, row + 0.5); (0, 0) is the picture's upper left
corner.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from piva.rendering.distortion import distort, undistort


@dataclass(frozen=True, eq=False)
class Cameras:
    """V cameras of one picture size."""

    c2w: Tensor  # [V,3,4] camera to world: axes in the first three columns, position in the last; scene units
    focal: Tensor  # [V,2] fx, fy in pixels
    center: Tensor  # [V,2] cx, cy in pixels
    width: int
    height: int
    distortion: Tensor | None = None  # [V,6] k1, k2, k3, k4, p1, p2 of `piva.rendering.distortion`; None is a pinhole

    def __len__(self) -> int:
        return len(self.c2w)

    def __getitem__(self, views: int | slice | Sequence[int] | Tensor) -> Cameras:
        """Some of the cameras, in the given order; always a `Cameras`."""
        chosen = [views] if isinstance(views, int) else views
        return self._each(lambda of_views: of_views[chosen])

    def to(self, device: torch.device | str) -> Cameras:
        """The same cameras on `device`."""
        return self._each(lambda of_views: of_views.to(device))

    def cropped(self, width: int, height: int) -> Cameras:
        """The middle of the same views as pictures of another shape: as much of it as fits, nothing stretched.

        Intrinsics follow; distortion has no pixels in it.
        """
        scale = max(width / self.width, height / self.height)
        middle = self.focal.new_tensor([self.width / 2, self.height / 2])
        center = (self.center - middle) * scale + self.focal.new_tensor([width / 2, height / 2])
        return replace(self, focal=self.focal * scale, center=center, width=width, height=height)

    @property
    def positions(self) -> Tensor:
        """Where the cameras stand: [V,3]."""
        return self.c2w[:, :, 3]

    @property
    def forward(self) -> Tensor:
        """Where they look, unit length: [V,3]."""
        return -self.c2w[:, :, 2]

    def _each(self, change: Callable[[Tensor], Tensor]) -> Cameras:
        distortion = None if self.distortion is None else change(self.distortion)
        return replace(
            self, c2w=change(self.c2w), focal=change(self.focal), center=change(self.center), distortion=distortion
        )


@dataclass(frozen=True, eq=False)
class Rays:
    """N rays of any cameras, or [V,N] of V cameras."""

    origins: Tensor  # [...,3]
    directions: Tensor  # [...,3] unit length
    cosines: Tensor  # [...] distance along the ray x this = depth along the optical axis

    def __getitem__(self, chosen: slice | Tensor) -> Rays:
        return Rays(self.origins[chosen], self.directions[chosen], self.cosines[chosen])

    def flat(self) -> Rays:
        """The rays of all views in one row: [V*N]."""
        return Rays(self.origins.reshape(-1, 3), self.directions.reshape(-1, 3), self.cosines.reshape(-1))


def all_rays(cameras: Cameras) -> Rays:
    """Every pixel's ray, row by row: [V, H*W]."""
    device = cameras.c2w.device
    y, x = torch.meshgrid(
        torch.arange(cameras.height, device=device) + 0.5,
        torch.arange(cameras.width, device=device) + 0.5,
        indexing="ij",
    )
    pixels = torch.stack([x, y], dim=-1).reshape(1, -1, 2).expand(len(cameras), -1, -1)
    distortion = None if cameras.distortion is None else cameras.distortion[:, None]
    return _rays(cameras.c2w[:, None], cameras.focal[:, None], cameras.center[:, None], distortion, pixels)


def rays_at(cameras: Cameras, views: Tensor, pixels: Tensor) -> Rays:
    """The rays [N] through pixels [N,2] (x, y; centres at +0.5) of the cameras with numbers views [N]."""
    distortion = None if cameras.distortion is None else cameras.distortion[views]
    return _rays(cameras.c2w[views], cameras.focal[views], cameras.center[views], distortion, pixels)


def project(cameras: Cameras, points: Tensor) -> tuple[Tensor, Tensor]:
    """Where points [N,3] appear: pixels [V,N,2] (x, y; centres at +0.5), and depth along the optical axis [V,N].

    The pixel of a point that is not in front of the camera (depth <= 0) means nothing.
    """
    local = (points - cameras.positions[:, None]) @ cameras.c2w[:, :, :3]  # [V,N,3]
    depth = -local[..., 2]
    on_plane = torch.stack([local[..., 0], -local[..., 1]], dim=-1) / depth[..., None]
    if cameras.distortion is not None:
        on_plane = distort(on_plane, cameras.distortion[:, None])
    return on_plane * cameras.focal[:, None] + cameras.center[:, None], depth


def _rays(c2w: Tensor, focal: Tensor, center: Tensor, distortion: Tensor | None, pixels: Tensor) -> Rays:
    on_plane = (pixels - center) / focal  # at distance 1, y down
    if distortion is not None:
        on_plane = undistort(on_plane, distortion)
    local = torch.stack([on_plane[..., 0], -on_plane[..., 1], -torch.ones_like(on_plane[..., 0])], dim=-1)
    length = local.norm(dim=-1)
    directions = (c2w[..., :3] @ (local / length[..., None])[..., None])[..., 0]
    return Rays(c2w[..., 3].expand_as(directions), directions, 1 / length)


def look_at(position: Tensor, target: Tensor, up: Tensor | None = None) -> Tensor:
    """Camera to world [V,3,4] of cameras at position [V,3] that look at target [3] or [V,3], upright.

    Args:
        up: [3], what is upwards in the pictures; z by default. Not along the view.
    """
    up = position.new_tensor([0.0, 0.0, 1.0]) if up is None else up
    backward = torch.nn.functional.normalize(position - target, dim=-1)
    right = torch.nn.functional.normalize(torch.linalg.cross(up.expand_as(backward), backward), dim=-1)
    return torch.stack([right, torch.linalg.cross(backward, right), backward, position], dim=-1)


def focus(cameras: Cameras) -> Tensor:
    """The point [3] that the cameras look at: the one with the least mean squared distance to all optical axes.

    Parallel axes have no such point: a small weight (1e-3, ours) holds it near the cameras' middle.
    """
    axes, at = cameras.forward, cameras.positions
    off_axis = torch.eye(3, device=axes.device) - axes[:, :, None] * axes[:, None, :]  # [V,3,3]
    hold = 1e-3 * torch.eye(3, device=axes.device)
    return torch.linalg.solve(off_axis.mean(0) + hold, (off_axis @ at[..., None]).mean(0)[:, 0] + hold @ at.mean(0))


def orbit(
    azimuths_deg: Tensor,
    elevations_deg: Tensor | float,
    radius: Tensor | float,
    target: Tensor,
    fov_deg: float,
    size: tuple[int, int],
) -> Cameras:
    """Cameras on a sphere around target [3], looking at it.

    Args:
        azimuths_deg: [V]; 0 stands on the side of +x, 90 on that of +y.
        elevations_deg: above the horizontal, [V] or one for all.
        fov_deg: vertical field of view.
        size: height and width of the pictures.
    """
    azimuth = torch.deg2rad(azimuths_deg.float())
    elevation = torch.deg2rad(torch.as_tensor(elevations_deg, dtype=torch.float32)).expand_as(azimuth)
    outward = torch.stack(
        [azimuth.cos() * elevation.cos(), azimuth.sin() * elevation.cos(), elevation.sin()], dim=-1
    )  # [V,3]
    distance = torch.as_tensor(radius, dtype=torch.float32).expand_as(azimuth)[:, None]
    c2w = look_at(target + distance * outward, target)
    height, width = size
    focal = height / 2 / math.tan(math.radians(fov_deg) / 2)
    count = len(azimuth)
    return Cameras(
        c2w, torch.full((count, 2), focal), torch.tensor([[width / 2, height / 2]]).repeat(count, 1), width, height
    )
