"""Which parts of the field's cube hold anything: samples elsewhere are never evaluated."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Occupancy(nn.Module):
    """A grid of cells over the cube [-1,1]^3 of field coordinates; all occupied until the first update.

    Args:
        resolution: cells along a side.
    """

    cells: Tensor

    def __init__(self, resolution: int):
        super().__init__()
        self.register_buffer("cells", torch.ones(resolution, resolution, resolution, dtype=torch.bool))

    @property
    def share(self) -> float:
        """Part of the cells that is occupied."""
        return float(self.cells.float().mean())

    def forward(self, points: Tensor) -> Tensor:
        """Whether points [...,3] lie in occupied cells: bool [...]; outside the cube nothing is."""
        size = len(self.cells)
        index = ((points + 1) * (size / 2)).int().clamp_(0, size - 1)
        flat = (index[..., 0] * size + index[..., 1]) * size + index[..., 2]
        return self.cells.view(-1)[flat] & (points.abs().amax(-1) <= 1)

    @torch.no_grad()
    def update(self, densities: Tensor, threshold: float, margin: int = 1) -> None:
        """Cells whose optical thickness reaches `threshold` are occupied, and those at most `margin` cells from one.

        Args:
            densities: [Q,Q,Q] the largest density in each cell, per unit of field coordinates.
            threshold: of density x the cell's side.
            margin: room for what is there to grow into.
        """
        size = len(densities)
        occupied = (densities * (2 / size) >= threshold)[None, None].float()
        grown = F.max_pool3d(occupied, 2 * margin + 1, stride=1, padding=margin) if margin else occupied
        self.cells = grown[0, 0] > 0
