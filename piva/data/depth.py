"""Depth as depth ControlNets read it: inverse depth, scaled to [0, 1] per view, near = 1, in three equal channels.

That is what Stable Diffusion's depth ControlNets were trained on (MiDaS gives inverse depth up to scale and shift).
"""

import torch
from torch import Tensor

FLAT = 1e-6
"""A view whose inverse depths differ by less has no near and far; in 1 / scene units, ours."""


def scaled_inverse_depth(depth: Tensor) -> Tensor:
    """(1/d - 1/d_far) / (1/d_near - 1/d_far) per view: [B,1,H,W] in [0,1], 1 at its nearest pixel, 0 at its farthest.

    Args:
        depth: [B,1,H,W], positive, larger is farther, any unit; the sky may be infinite. A flat view is 0 everywhere.
    """
    inverse = 1 / depth.to(torch.float32)
    far, near = inverse.amin(dim=(1, 2, 3), keepdim=True), inverse.amax(dim=(1, 2, 3), keepdim=True)
    return (inverse - far) / (near - far).clamp(min=FLAT)


def depth_condition(depth: Tensor) -> Tensor:
    """What a depth ControlNet is given: `scaled_inverse_depth` of depth [B,1,H,W], as [B,3,H,W] in [0,1]."""
    return scaled_inverse_depth(depth).expand(-1, 3, -1, -1)
