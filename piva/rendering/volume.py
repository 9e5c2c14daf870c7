"""Volume rendering of packed samples: only places that were kept take part, those of all rays in one row.

    tau_i   = sigma_i delta_i                          optical thickness of step i
    alpha_i = 1 - exp(-tau_i)                          share of the light that the step stops     (NeRF eq. 3)
    T_i     = prod_{j<i} (1 - alpha_j) = exp(-sum_{j<i} tau_j)     share that reaches it
    w_i     = T_i alpha_i
    C = sum w_i c_i      O = sum w_i      Z = (sum w_i z_i + eps z_far) / (O + eps)

Notation: M samples of N rays, in the order of their rays and from near to far in each; sigma [M] density, delta [M]
length of the step, c [M,3] colour, z [M] depth. A place that was left out counts as empty.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

DEPTH_EPS = 1e-6
"""A ray that stops less light than this has the background's depth."""


@dataclass(frozen=True, eq=False)
class Packed:
    """Which rays M samples belong to."""

    ray: Tensor  # [M] int64, never falls
    rays: int  # N

    def first(self) -> Tensor:
        """Index of the first sample of each sample's ray, [M]."""
        counts = torch.bincount(self.ray, minlength=self.rays)
        return (counts.cumsum(0) - counts)[self.ray]


def before(values: Tensor, packed: Packed) -> Tensor:
    """Sum of the values nearer the camera on the same ray, [M]: sum_{j<i} v_j.

    On a CPU the running sum goes over all rays, in float64, so that nothing is lost when a ray's start is taken off.
    Elsewhere rays are summed by themselves: MPS has no float64, and CUDA's running sums differ in their last bits from
    one time to the next, so that a picture that is rendered again on the way back would have other samples.
    """
    if values.device.type != "cpu":
        return _before_by_doubling(values, packed)
    running = values.double().cumsum(0) - values
    return (running - running[packed.first()]).to(values.dtype)


def _before_by_doubling(values: Tensor, packed: Packed) -> Tensor:
    """The same for each ray by itself, over twice as far a way in each round.

    (Hillis and Steele, "Data parallel algorithms", 1986.)
    """
    place = torch.arange(len(values), device=values.device) - packed.first()  # [M] of a sample on its ray
    rounds = int(place.amax()).bit_length() if len(place) else 0
    total = torch.where(place >= 1, F.pad(values, (1, 0))[:-1], 0)
    for reach in (1 << k for k in range(rounds)):
        total = total + torch.where(place > reach, F.pad(total, (reach, 0))[: len(total)], 0)
    return total


def weights(sigma: Tensor, delta: Tensor, packed: Packed) -> tuple[Tensor, Tensor]:
    """(w_i, T_i), each [M]."""
    tau = sigma * delta
    alpha = -torch.expm1(-tau)
    transmittance = torch.exp(-before(tau, packed))
    return transmittance * alpha, transmittance


def gathered(values: Tensor, packed: Packed) -> Tensor:
    """Sums over each ray's samples: [M] -> [N], [M,C] -> [N,C]; a ray without samples has 0."""
    return values.new_zeros(packed.rays, *values.shape[1:]).index_add(0, packed.ray, values)


def expected_depth(w: Tensor, z: Tensor, opacity: Tensor, z_far: Tensor, packed: Packed) -> Tensor:
    """Z, [N]: the mean depth of what stops the ray.

    Args:
        z: [M] depths along the optical axis.
        opacity: [N].
        z_far: [N] depth of a ray that nothing stops.
    """
    return (gathered(w * z, packed) + DEPTH_EPS * z_far) / (opacity + DEPTH_EPS)


def distortion(w: Tensor, s: Tensor, width: Tensor, packed: Packed) -> Tensor:
    """Distortion loss of each ray, [N] (mip-NeRF 360 eq. 15): small when a ray stops in one place.

        sum_ij w_i w_j |s_i - s_j| + 1/3 sum_i w_i^2 width_i

    s rises along a ray, so the double sum is 2 sum_i w_i (s_i sum_{j<i} w_j - sum_{j<i} w_j s_j).

    Args:
        s: [M] middles of the steps, in a coordinate that goes from 0 to 1 along a ray.
        width: [M] of the steps, in the same coordinate.
    """
    pairs = 2 * w * (s * before(w, packed) - before(w * s, packed))
    return gathered(pairs + w.square() * width / 3, packed)


def opacity_entropy(opacity: Tensor) -> Tensor:
    """-O log O - (1 - O) log(1 - O) of each ray, [N]: 0 where a ray is stopped wholly or not at all, at most log 2."""
    o = opacity.clamp(1e-5, 1 - 1e-5)
    return -(o * o.log() + (1 - o) * (1 - o).log())
