"""Trilinear interpolation of a grid over the cube [-1,1]^3, fast on a CPU.

An embedding bag of eight rows a point, and a scatter_add back, which are vectorised. Torch's grid_sample takes several
times as long, and so does index_add.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Corners:
    """The vertices around N points, as rows of a grid's table [R^3,C]: x, y, z, z fastest."""

    rows: Tensor  # [N,8] integers
    shares: Tensor  # [N,8] that each vertex has in the point

    def __getitem__(self, which: Tensor) -> Corners:
        return Corners(self.rows[which], self.shares[which])

    def of(self, grid: Tensor) -> Tensor:
        """Values [N,C] of a grid [R^3,C] at the points; gradient to the grid alone."""
        return interpolated(grid, self.rows, self.shares)


def interpolated(table: Tensor, rows: Tensor, shares: Tensor) -> Tensor:
    """Sums [N,C] of rows [N,K] of a table [R,C], weighted by shares [N,K]; gradient to the table alone."""
    return _Interpolated.apply(table, rows, shares)


def corners(points: Tensor, resolution: int) -> Corners:
    """The vertices around points [N,3] of a grid of R^3, which span [-1,1].

    Args:
        resolution: R.
    """
    place = ((points + 1) * ((resolution - 1) / 2)).clamp(0, resolution - 1)
    low = place.floor().clamp_(max=resolution - 2)
    fx, fy, fz = (place - low).unbind(-1)
    x, y, z = low.int().unbind(-1)
    steps = torch.tensor([0, 1], dtype=torch.int32, device=points.device)
    strides = [steps * resolution**2, steps * resolution, steps]
    offsets = (strides[0][:, None, None] + strides[1][:, None] + strides[2]).reshape(8)
    rows = ((x * resolution + y) * resolution + z)[:, None] + offsets
    gy, gz = 1 - fy, 1 - fz
    square = torch.stack([gy * gz, gy * fz, fy * gz, fy * fz], -1)  # [N,4] in y, z
    far = fx[:, None] * square
    return Corners(rows, torch.cat([square - far, far], -1))


class _Interpolated(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, table: Tensor, rows: Tensor, shares: Tensor) -> Tensor:
        ctx.save_for_backward(rows, shares)
        ctx.shape = table.shape
        return F.embedding_bag(rows, table, per_sample_weights=shares.to(table.dtype), mode="sum")

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        rows, shares = ctx.saved_tensors
        (gradient,) = gradients
        spread = (shares[..., None].to(gradient.dtype) * gradient[:, None]).reshape(-1, gradient.shape[-1])  # [KN,C]
        place = rows.reshape(-1, 1).long().expand_as(spread)
        return gradient.new_zeros(ctx.shape).scatter_add_(0, place, spread), None, None
