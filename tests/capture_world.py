"""A small capture of a coloured ball, for the tests of reconstruction."""

from pathlib import Path

import torch

from piva.data.scenes import SceneCapture, Views
from piva.rendering.cameras import Cameras, all_rays, orbit


def ball_pictures(cameras: Cameras, alpha: bool) -> torch.Tensor:
    """[V,3|4,H,W]: a ball of radius 0.6, its colour the direction it is seen in, on white or on nothing."""
    rays = all_rays(cameras)
    along = -(rays.origins * rays.directions).sum(-1)
    inside = 0.36 - rays.origins.square().sum(-1) + along**2
    hit = inside > 0
    surface = rays.origins + (along - inside.clamp_min(0).sqrt())[..., None] * rays.directions
    color = torch.where(hit[..., None], (surface / 0.6 + 1) / 2, torch.ones(3))
    pictures = color.view(len(cameras), cameras.height, cameras.width, 3).permute(0, 3, 1, 2).clamp(0, 1)
    opacity = hit.view(len(cameras), 1, cameras.height, cameras.width).float()
    return torch.cat([pictures, opacity], 1) if alpha else pictures


def ball_capture(alpha: bool = True, bounded: bool = True, test_views: int = 2, size: int = 16) -> SceneCapture:
    """Twelve views all around to be fitted."""

    def views(azimuths: torch.Tensor) -> Views:
        cameras = orbit(azimuths, 25.0, 3.0, torch.zeros(3), fov_deg=35.0, size=(size, size))
        names = tuple(f"{int(azimuth)}.png" for azimuth in azimuths)
        return Views(cameras, ball_pictures(cameras, alpha) if len(azimuths) else torch.empty(0, 3, size, size), names)

    return SceneCapture(
        name="ball", folder=Path("ball"), train=views(torch.arange(12) * 30.0),
        test=views(torch.arange(test_views) * 90.0 + 15.0), bounded=bounded, points=None, point_colors=None,
        orient=torch.eye(4), skipped=0, downscale=1, digest="ball",
    )  # fmt: skip
