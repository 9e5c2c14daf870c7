"""The distance to a scene's objects, at many points at once."""

from __future__ import annotations

import torch
from torch import Tensor

from piva.toybox.parts import PartGroup
from piva.toybox.sdf import PRIMITIVES


class DistanceField:
    """Distances from points of given scenes to the primitives of those scenes.

    The primitives' frames are gathered once per set of points, not once per evaluation: a march asks many times.

    Args:
        parts: the primitives of B scenes.
        scene: [M] which scene each point belongs to.
    """

    def __init__(self, parts: PartGroup, scene: Tensor) -> None:
        self.kinds = parts.kinds
        self.center = parts.center[scene].permute(1, 2, 0).contiguous()  # [K, 3, M]
        to_local = parts.to_local / parts.scale[..., None, None]  # [B, K, 3, 3]
        self.to_local = to_local[scene].permute(1, 2, 3, 0).contiguous()  # [K, 3, 3, M]
        self.dims = parts.dims[scene].permute(1, 2, 0).contiguous()  # [K, 3, M]
        self.scale = parts.scale[scene].T.contiguous()  # [K, M]

    def local(self, point: Tensor, slot: int) -> Tensor:
        """World points [3, M] in the axes and units of one slot's primitive, [3, M]."""
        x, y, z = point - self.center[slot]
        row = self.to_local[slot]
        return torch.addcmul(torch.addcmul(row[:, 0] * x, row[:, 1], y), row[:, 2], z)

    def slots(self, point: Tensor) -> Tensor:
        """Signed distance to every slot's primitive, [K, M] world units. point: [3, M]."""
        distance = [PRIMITIVES[kind](self.local(point, k), self.dims[k]) for k, kind in enumerate(self.kinds)]
        return torch.stack(distance).mul_(self.scale)

    def __call__(self, point: Tensor) -> Tensor:
        """Signed distance to the nearest primitive, [M]."""
        return self.slots(point).amin(0)
