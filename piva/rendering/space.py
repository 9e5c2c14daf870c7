"""Field coordinates: every field lives in the cube u in [-1,1]^3, whatever the scene's size.

    bounded     u = y                 y = (x - center) / scale; the scene lies in |y| <= 1
    unbounded   u = contract(y) / 2   everything has a place: the inner cube |y| <= 1 takes up |u| <= 1/2

Contraction of mip-NeRF 360 (eq. 10) with the largest coordinate as norm, so that it fills the cube:

    contract(y) = y                      where |y|_inf <= 1
                = (2 - 1/|y|) y / |y|    beyond

Density is measured per unit of u, so that a voxel far away is no more opaque at the start than one nearby.
Rays are cut into steps of equal length in s, the contracted distance from the ray's point nearest to the center:
a step is `step` units of u nearby, and longer far away as the square of the distance.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from piva.rendering.cameras import Cameras, Rays, focus

NEAR = 0.3
"""Of scale: nothing nearer to a camera is seen."""
FAR = 100.0
"""Of scale: where rays of an unbounded scene end, and what is behind any scene."""
MARGIN = 1e-4
"""Around a box, in field coordinates: against rounding."""


def contract(y: Tensor) -> Tensor:
    """[...,3] anywhere -> within the cube |.|_inf < 2; the identity within |y|_inf <= 1."""
    norm = y.abs().amax(dim=-1, keepdim=True).clamp_min(1)
    return (2 - 1 / norm) / norm * y


def contracted_distance(tau: Tensor) -> Tensor:
    """The same along a line: tau in (-inf, inf) -> s in (-2, 2)."""
    norm = tau.abs().clamp_min(1)
    return (2 - 1 / norm) / norm * tau


def distance_of(s: Tensor) -> Tensor:
    """Inverse of `contracted_distance`."""
    size = s.abs()
    return torch.where(size <= 1, s, s.sign() / (2 - size).clamp_min(1e-6))


@dataclass(frozen=True, eq=False)
class Steps:
    """N rays cut into steps, of which K rays have S each that are worth a look."""

    ray: Tensor  # [K] which of the N rays
    first: Tensor  # [K] number of the first of the S steps on its ray
    edges: Tensor  # [K,S+1,3] where steps meet, in field coordinates
    distance: Tensor  # [K,S+1] the same along the ray, scene units
    inside: Tensor  # [K,S] bool: the step's middle is on the ray's way through the scene
    count: int  # steps of the ray that has most, those not worth a look too
    far: Tensor  # [N] distance of what is behind the scene


class Space(nn.Module):
    """Where the scene is.

    Args:
        center: [3] of the cube, in the world.
        scale: half its side, in scene units.
        bounded: nothing is outside the cube; otherwise it is what lies uncontracted.
    """

    center: Tensor
    scale: Tensor

    def __init__(self, center: Tensor, scale: float, bounded: bool):
        super().__init__()
        self.bounded = bounded
        self.register_buffer("center", center.float())
        self.register_buffer("scale", torch.tensor(float(scale)))

    def to_field(self, points: Tensor) -> Tensor:
        """World points [...,3] in field coordinates."""
        y = (points - self.center) / self.scale
        return y if self.bounded else contract(y) / 2

    @property
    def reach(self) -> float:
        """Longest way of a ray through the scene, in s: the cube's diagonal, or from -2 to 2."""
        return 2 * 3**0.5 if self.bounded else 4.0

    def steps(self, rays: Rays, samples: int, box: Tensor | None = None) -> Steps:
        """The rays [N] in steps as long as the field's cube divided by `samples`.

        Args:
            box: [2,3] lower and upper corner, field coordinates: in a bounded scene no step outside is worth a look.
                The others are where they would be without it.
        """
        length = (2.0 if self.bounded else 4.0) / samples  # in s
        offset = (rays.origins - self.center) / self.scale  # [N,3] camera, in y
        if self.bounded:
            start, stop = _through_box(offset, rays.directions, offset.new_tensor([[-1.0] * 3, [1.0] * 3]))
            middle = torch.zeros_like(start)
        else:
            middle = -(offset * rays.directions).sum(-1)  # [N] tau = 0: the point nearest to the center
            start = contracted_distance(NEAR - middle)
            stop = torch.full_like(start, float(contracted_distance(torch.tensor(FAR))))
        far = self.scale * stop.new_full(stop.shape, FAR)
        enter, leave = start, stop
        if self.bounded and box is not None:
            enter, leave = _through_box(offset, rays.directions, box + box.new_tensor([[-MARGIN], [MARGIN]]))
        first = ((enter - start) / length).floor().clamp_min(0)  # [N]
        meets = leave > enter
        most = torch.where(meets, (leave - start) / length - first, 1).amax().clamp_min(1)
        count, total = torch.stack([most, ((stop - start) / length).amax().clamp_min(1)]).ceil().int().tolist()
        ray = torch.arange(len(start), device=start.device) if box is None else meets.nonzero()[:, 0]
        places = first[ray, None] + torch.arange(count + 1, device=start.device)
        s = start[ray, None] + length * places  # [K,S+1]
        tau = (s if self.bounded else distance_of(s.clamp_max(2 - 1e-4))) + middle[ray, None]
        edges = offset[ray, None] + tau[..., None] * rays.directions[ray, None]  # [K,S+1,3]
        inside = s[:, :-1] + length / 2 < stop[ray, None]
        edges = edges if self.bounded else contract(edges) / 2
        return Steps(ray, first[ray], edges, tau * self.scale, inside, total, far)


def _through_box(origin: Tensor, direction: Tensor, box: Tensor) -> tuple[Tensor, Tensor]:
    """Where rays [N] enter and leave a box of corners [2,3], as distances [N]; equal where they miss it."""
    inverse = 1 / torch.where(direction.abs() < 1e-9, 1e-9, direction)
    one, other = (box[0] - origin) * inverse, (box[1] - origin) * inverse
    near = torch.minimum(one, other).amax(-1).clamp_min(NEAR)
    far = torch.maximum(one, other).amin(-1)
    return near, torch.maximum(near, far)


def unbounded_space(cameras: Cameras) -> Space:
    """The space of a capture: centered where its cameras look, its inner cube as large as what they see there."""
    center = focus(cameras)
    away = (cameras.positions - center).norm(dim=-1)
    half_view = cameras.height / 2 / cameras.focal[:, 1]  # tangent of half the vertical field of view
    return Space(center, float((away * half_view).median()), bounded=False)
