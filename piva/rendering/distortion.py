"""Lens distortion, OPENCV's radial-tangential model in nerfstudio's order: k1, k2, k3, k4, p1, p2.

With (x, y) on the plane at distance 1, y down, and r = x^2 + y^2, the lens shows it at

    x_d = x (1 + k1 r + k2 r^2 + k3 r^3 + k4 r^4) + 2 p1 x y + p2 (r + 2 x^2)
    y_d = y (1 + k1 r + k2 r^2 + k3 r^3 + k4 r^4) + 2 p2 x y + p1 (r + 2 y^2)

`undistort` inverts that by Newton's method as MultiNeRF and nerfstudio do.
"""

from __future__ import annotations

import torch
from torch import Tensor

NEWTON_STEPS = 10
"""nerfstudio's."""
LEAST_DETERMINANT = 1e-3
"""nerfstudio's: where the lens folds the picture over, a point stays where it is."""


def distort(points: Tensor, parameters: Tensor) -> Tensor:
    """Where the lens shows points [...,2] of the plane at distance 1: [...,2].

    Args:
        parameters: k1, k2, k3, k4, p1, p2: [...,6], broadcast against the points.
    """
    x, y = points.unbind(-1)
    k1, k2, k3, k4, p1, p2 = parameters.unbind(-1)
    r = x * x + y * y
    radial = 1 + r * (k1 + r * (k2 + r * (k3 + r * k4)))
    return torch.stack(
        [
            x * radial + 2 * p1 * x * y + p2 * (r + 2 * x * x),
            y * radial + 2 * p2 * x * y + p1 * (r + 2 * y * y),
        ],
        dim=-1,
    )


def undistort(points: Tensor, parameters: Tensor) -> Tensor:
    """The points [...,2] that the lens shows at points [...,2]: the inverse of `distort`."""
    found = points
    for _ in range(NEWTON_STEPS):
        miss_x, miss_y = (distort(found, parameters) - points).unbind(-1)
        xx, xy, yx, yy = _jacobian(found, parameters)
        determinant = xx * yy - xy * yx
        step = torch.stack([xy * miss_y - yy * miss_x, yx * miss_x - xx * miss_y], dim=-1) / determinant[..., None]
        found = found + torch.where(determinant.abs()[..., None] > LEAST_DETERMINANT, step, torch.zeros_like(step))
    return found


def _jacobian(points: Tensor, parameters: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """d x_d / dx, d x_d / dy, d y_d / dx, d y_d / dy, each [...]."""
    x, y = points.unbind(-1)
    k1, k2, k3, k4, p1, p2 = parameters.unbind(-1)
    r = x * x + y * y
    radial = 1 + r * (k1 + r * (k2 + r * (k3 + r * k4)))
    slope = k1 + r * (2 * k2 + r * (3 * k3 + r * 4 * k4))  # d radial / dr
    cross = 2 * x * y * slope + 2 * p1 * x + 2 * p2 * y
    return (
        radial + 2 * x * x * slope + 2 * p1 * y + 6 * p2 * x,
        cross,
        cross,
        radial + 2 * y * y * slope + 2 * p2 * x + 6 * p1 * y,
    )
