"""Signed distances of the Toybox primitives: negative inside, in the primitive's own axes and units.

Points come as [3, M], coordinates first, so that each coordinate is contiguous. After the well-known closed forms of
constructive solid geometry (box, capped cone, torus); `dims` are what `parts` writes down.
"""

from __future__ import annotations

import torch
from torch import Tensor


def sphere(p: Tensor, dims: Tensor) -> Tensor:
    """|p| - r. p: [3, M], dims: [3, M] = (r, -, -). Returns [M]."""
    return _length(p[0], p[1], p[2]) - dims[0]


def cube(p: Tensor, dims: Tensor) -> Tensor:
    """A box of half extents `dims` with edges rounded by 0.02."""
    q = p.abs() - (dims - 0.02)
    return _length(*q.clamp(min=0)) + q.amax(0).clamp(max=0) - 0.02


def cylinder(p: Tensor, dims: Tensor) -> Tensor:
    """Axis y; dims = (radius, half height, -)."""
    dx, dy = _length(p[0], p[2]) - dims[0], p[1].abs() - dims[1]
    return torch.maximum(dx, dy).clamp(max=0) + _length(dx.clamp(min=0), dy.clamp(min=0))


def cone(p: Tensor, dims: Tensor) -> Tensor:
    """A capped cone, axis y; dims = (base radius, half height, top radius)."""
    bottom, half, top = dims
    x, y = _length(p[0], p[2]), p[1]
    cap_x = x - torch.minimum(x, torch.where(y < 0, bottom, top))
    cap_y = y.abs() - half
    edge_x, edge_y = top - bottom, 2 * half  # along the slope, base to top
    along = ((top - x) * edge_x + (half - y) * edge_y) / (edge_x.square() + edge_y.square())
    along = along.clamp(0, 1)
    side_x, side_y = x - top + edge_x * along, y - half + edge_y * along
    inside = (side_x < 0) & (cap_y < 0)
    square = torch.minimum(cap_x.square() + cap_y.square(), side_x.square() + side_y.square())
    return torch.where(inside, -1.0, 1.0) * square.sqrt()


def ring(p: Tensor, dims: Tensor) -> Tensor:
    """A torus, axis z; dims = (ring radius, tube radius, -)."""
    return _length(_length(p[0], p[1]) - dims[0], p[2]) - dims[1]


def _length(*components: Tensor) -> Tensor:
    total = components[0].square()
    for component in components[1:]:
        total = torch.addcmul(total, component, component)
    return total.sqrt()


PRIMITIVES = {"sphere": sphere, "cube": cube, "cylinder": cylinder, "cone": cone, "ring": ring}
