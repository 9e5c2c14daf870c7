"""Depth as a picture."""

from torch import Tensor

from piva.representations.radiance_field import Render


def nearness(render: Render) -> Tensor:
    """[V,1,H,W]: opacity over depth, 0 in the background; the same scale for every view."""
    return render.opacity / render.depth.clamp_min(1e-6)


def inverse_depth(render: Render) -> Tensor:
    """[V,1,H,W] in [0,1]: opacity over depth, the nearest pixel of each view is 1 and the background 0."""
    near = nearness(render)
    return near / near.amax(dim=(1, 2, 3), keepdim=True).clamp_min(1e-6)
