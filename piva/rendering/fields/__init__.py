"""Fields: density and colour at places of the cube [-1,1]^3, one file each. Nothing heavy is imported here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from torch import Tensor

FIELDS: dict[str, str] = {
    "voxel": "piva.rendering.fields.voxel:VoxelField",
    "hash-grid": "piva.rendering.fields.hash_grid:HashGridField",
}
"""Kind -> class, made as kind(settings)."""


class Field(Protocol):
    """What rendering asks of a field. Points are field coordinates (`piva.rendering.space`); all are inside the cube.

    Places are read once, for density and for colour; what `read` gives is the field's own, and indexed as a tensor is.
    """

    @property
    def cells(self) -> int:
        """Q: the occupancy grid worth having has Q^3 cells."""
        ...

    def read(self, points: Tensor) -> Any:
        """What density and colour of points [N,3] are made of."""
        ...

    def density(self, found: Any) -> Tensor:
        """[N] of N places, at least 0, per unit of field coordinates."""
        ...

    def color(self, found: Any, directions: Tensor) -> Tensor:
        """[N,3] in [0,1], of N places seen along unit directions [N,3]."""
        ...

    def densities(self) -> Tensor:
        """The largest density in each of Q^3 cells, [Q,Q,Q], axes in the order x, y, z: for the occupancy grid."""
        ...

    def roughness(self, points: Tensor) -> Tensor:
        """Total variation: how much the field changes to a voxel further along each axis, mean of points [N,3]: [].

        0 of no points.
        """
        ...

    def grow(self, share: float) -> bool:
        """Take on the resolution for this share of a fit; whether it changed, and with it the parameters."""
        ...

    @property
    def made_as(self) -> Mapping[str, Any]:
        """Settings with which a field of the same parameters is made, where they are others than its own."""
        ...
