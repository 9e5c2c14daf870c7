"""An explicit grid of density and colour: quick to fit and to render on a CPU."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from piva.rendering.fields.settings import FieldSettings
from piva.rendering.fields.trilinear import Corners, corners, interpolated
from piva.rendering.spherical_harmonics import count, harmonics

DENSITY_SCALE = 64.0
"""Density of raw value 1, about: opaque within a few voxels of a grid of 128."""
START = -6.0
"""Raw density at the start: a ray through the whole cube loses a quarter of its light."""
COARSE = ((0.15, 4), (0.4, 2))
"""Up to these shares of a fit the grid is so many times coarser."""
SMALLEST = 16
ROUGHNESS_EPS = 1e-4
"""Below the root of this a difference counts as its square."""


class VoxelField(nn.Module):
    """sigma = 64 softplus(raw), colour = sigmoid(raw), raw trilinear between R^3 vertices that span the cube.

    The raw values are interpolated, so that a surface may be sharper than a voxel (DVGO, "post-activation").
    """

    def __init__(self, settings: FieldSettings):
        super().__init__()
        self.settings, self.resolution = settings, settings.resolution
        channels = 3 * count(settings.sh_degree)
        self.raw_density = nn.Parameter(torch.full((self.resolution**3, 1), START))
        self.raw_color = nn.Parameter(torch.zeros(self.resolution**3, channels))

    @property
    def cells(self) -> int:
        """See `Field.cells`: a voxel each."""
        return self.resolution - 1

    def read(self, points: Tensor) -> Corners:
        """See `Field.read`."""
        return corners(points, self.resolution)

    def density(self, found: Corners) -> Tensor:
        """See `Field.density`."""
        return DENSITY_SCALE * F.softplus(found.of(self.raw_density)[:, 0])

    def color(self, found: Corners, directions: Tensor) -> Tensor:
        """See `Field.color`."""
        raw = found.of(self.raw_color)  # [N, 3 * coefficients]
        if self.settings.sh_degree:
            basis = harmonics(directions, self.settings.sh_degree)  # [N, coefficients]
            raw = (raw.view(len(raw), 3, basis.shape[1]) * basis[:, None]).sum(-1)
        return raw.sigmoid()

    @torch.no_grad()
    def densities(self) -> Tensor:
        """See `Field.densities`: of each voxel the largest of its eight vertices, which bounds it."""
        grid = self.raw_density.view(1, 1, self.resolution, self.resolution, self.resolution)
        return DENSITY_SCALE * F.softplus(F.max_pool3d(grid, 2, stride=1)[0, 0])

    def roughness(self, points: Tensor) -> Tensor:
        """See `Field.roughness`; of the raw values: the total variation of density, and that of colours."""
        if not len(points):
            return points.new_zeros(())
        size = self.resolution
        x, y, z = ((points + 1) * ((size - 1) / 2)).long().clamp_(0, size - 2).unbind(-1)
        here = (x * size + y) * size + z
        steps = torch.tensor([size**2, size, 1], device=points.device)
        pairs = torch.stack([here[:, None].expand(-1, 3), here[:, None] + steps], dim=-1).view(-1, 2)  # [3N,2]
        signs = points.new_tensor([-1.0, 1.0]).repeat(len(pairs), 1)
        total = points.new_zeros(())
        for grid in (self.raw_density, self.raw_color):
            # Not by indexing: its gradient adds up in an order of its own on several threads, and no run is repeatable.
            difference = interpolated(grid, pairs, signs).view(-1, 3, grid.shape[1])
            total = total + (difference.square().sum(dim=(1, 2)) + ROUGHNESS_EPS).sqrt().mean()
        return total

    def grow(self, share: float) -> bool:
        """See `Field.grow`: a quarter of the resolution, then half, then all of it."""
        divisor = next((by for until, by in COARSE if share < until), 1)
        wanted = max(min(SMALLEST, self.settings.resolution), self.settings.resolution // divisor)
        if wanted == self.resolution:
            return False
        self.resample(wanted)
        return True

    @property
    def made_as(self) -> dict[str, int]:
        """See `Field.made_as`."""
        return {"resolution": self.resolution}

    @torch.no_grad()
    def resample(self, resolution: int) -> None:
        """The same field on another number of vertices, interpolated; with new parameters."""
        old = (self.resolution,) * 3
        for name in ("raw_density", "raw_color"):
            grid = getattr(self, name).T.reshape(1, -1, *old)
            finer = F.interpolate(grid, size=(resolution,) * 3, mode="trilinear", align_corners=True)
            rows = finer.reshape(grid.shape[1], -1).T
            setattr(self, name, nn.Parameter(rows.clone(memory_format=torch.contiguous_format)))
        self.resolution = resolution
