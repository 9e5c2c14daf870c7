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
        grown = (densities * (2 / size) >= threshold)[None, None].float()
        for axis in range(3) if margin else ():  # one after another: (2 margin + 1) x 3 cells are compared, not cubed
            window, padding = [1, 1, 1], [0, 0, 0]
            window[axis], padding[axis] = 2 * margin + 1, margin
            grown = F.max_pool3d(grown, window, stride=1, padding=padding)
        self.cells = grown[0, 0] > 0

    def box(self) -> Tensor:
        """Lower and upper corner of the smallest box that holds all occupied cells, [2,3] field coordinates."""
        size, corners = len(self.cells), []
        for others in ((1, 2), (0, 2), (0, 1)):
            layers = self.cells.any(dim=others[1]).any(dim=others[0]).int()  # [Q] along this axis
            corners.append(torch.stack([layers.argmax(), size - layers.flip(0).argmax()]))
        return torch.stack(corners, dim=1) * (2 / size) - 1
