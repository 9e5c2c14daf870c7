"""Signed distances against slow, obviously right twins: the nearest of many points on the surface."""

import math

import pytest
import torch

from piva.toybox.sdf import PRIMITIVES

DIMS = {
    "sphere": (0.5, 0.0, 0.0),
    "cube": (0.4, 0.3, 0.2),
    "cylinder": (0.3, 0.5, 0.0),
    "cone": (0.5, 0.55, 0.02),
    "ring": (0.4, 0.15, 0.0),
}


def surface_points(kind: str) -> torch.Tensor:
    """A dense cloud [N, 3] on the surface of the primitive."""
    a, b, c = DIMS[kind]
    angle = torch.linspace(0, 2 * math.pi, 241)[:-1]
    share = torch.linspace(0, 1, 121)
    if kind == "sphere":
        polar, around = torch.meshgrid(torch.linspace(0, math.pi, 181), angle, indexing="ij")
        return a * torch.stack([polar.sin() * around.cos(), polar.cos(), polar.sin() * around.sin()], -1).reshape(-1, 3)
    if kind == "ring":
        tube, around = torch.meshgrid(angle, angle, indexing="ij")
        radius = a + b * tube.cos()
        return torch.stack([radius * around.cos(), radius * around.sin(), b * tube.sin()], -1).reshape(-1, 3)
    if kind == "cube":
        grid = torch.linspace(-1, 1, 61)
        u, v = (g.reshape(-1) for g in torch.meshgrid(grid, grid, indexing="ij"))
        one = torch.ones_like(u)
        faces = [torch.stack(face, -1) for s in (-1, 1) for face in ((s * one, u, v), (u, s * one, v), (u, v, s * one))]
        return torch.cat(faces) * torch.tensor([a, b, c])
    top = a if kind == "cylinder" else c
    t, around = (g.reshape(-1) for g in torch.meshgrid(share, angle, indexing="ij"))
    radius = a + (top - a) * t
    side = torch.stack([radius * around.cos(), -b + 2 * b * t, radius * around.sin()], -1)
    discs = [
        torch.stack([t * r * around.cos(), torch.full_like(t, y), t * r * around.sin()], -1)
        for r, y in ((a, -b), (top, b))
    ]
    return torch.cat([side, *discs])


@pytest.mark.parametrize("kind", list(PRIMITIVES))
def test_magnitude_is_the_distance_to_the_nearest_surface_point(kind):
    points = torch.rand(400, 3, generator=torch.Generator().manual_seed(0)) * 2.4 - 1.2
    dims = torch.tensor(DIMS[kind])[:, None].expand(3, 400)
    distance = PRIMITIVES[kind](points.T, dims)
    nearest = torch.cdist(points, surface_points(kind)).amin(1)
    # The cube's edges are rounded by 0.02, and the cloud has gaps of about 0.01.
    assert (distance.abs() - nearest).abs().max() < 0.02


@pytest.mark.parametrize("kind", ["sphere", "cube", "cylinder", "cone"])
def test_negative_inside_positive_outside(kind):
    points = torch.tensor([[0.0, 0.0, 0.0], [2.0, 0.0, 0.0], [0.0, 2.0, 0.0]])
    distance = PRIMITIVES[kind](points.T, torch.tensor(DIMS[kind])[:, None].expand(3, 3))
    assert (distance.sign() == torch.tensor([-1.0, 1.0, 1.0])).all()


def test_a_ring_has_a_hole():
    points = torch.tensor([[0.0, 0.0, 0.0], [0.4, 0.0, 0.0]])
    distance = PRIMITIVES["ring"](points.T, torch.tensor(DIMS["ring"])[:, None].expand(3, 2))
    assert distance.tolist() == pytest.approx([0.25, -0.15])
