"""The gate a perceptual distance has to pass: it grows with growing distortions, and sees a change of an attribute.

For each held-out picture and each kind of distortion: Spearman's rank correlation between level and distance to the
undistorted picture. And for held-out edits: how often the ideal edit is farther from its source than the source moved
by one pixel is.
"""

from collections.abc import Callable
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from piva.toybox.edits import sample_edit
from piva.toybox.models.training import gaussian, keyed_generator
from piva.toybox.render import Rendering, render
from piva.toybox.scene import Split

LEVELS = 8
EDIT_TYPES = tuple("123456789")


class Distance(Protocol):
    """[B] distances of two batches [B,3,H,W] in [0,1]."""

    def __call__(self, a: Tensor, b: Tensor) -> Tensor: ...


def blur(rendering: Rendering, level: int) -> Tensor:
    """Gaussian blur, sigma 0.3 px a level."""
    sigma = 0.3 * level
    radius = 8
    x = torch.arange(-radius, radius + 1, dtype=torch.float32)
    kernel = torch.exp(-(x**2) / (2 * sigma**2))
    kernel = (kernel / kernel.sum()).expand(3, 1, 1, -1)
    padded = F.pad(rendering.image, (radius,) * 4, mode="replicate")
    return F.conv2d(F.conv2d(padded, kernel, groups=3), kernel.transpose(2, 3), groups=3)


def noise(rendering: Rendering, level: int) -> Tensor:
    """The same Gaussian noise at every level, standard deviation 0.015 a level."""
    eps = gaussian(tuple(rendering.image.shape), keyed_generator("gate", "noise"))
    return (rendering.image + 0.015 * level * eps).clamp(0, 1)


def color_shift(rendering: Rendering, level: int) -> Tensor:
    """Warmer: red up and blue down by 0.03 a level."""
    return (rendering.image + 0.03 * level * torch.tensor([1.0, 0.0, -1.0]).view(1, 3, 1, 1)).clamp(0, 1)


def object_shift(rendering: Rendering, level: int) -> Tensor:
    """The objects moved right by `level` pixels, over what the sides of the picture show in the same rows."""
    image = rendering.image
    objects = F.max_pool2d(rendering.objects.float(), 3, stride=1, padding=1) > 0  # anti-aliased edges included
    side = image.shape[-1] // 2
    plate = torch.where(objects, image.roll(side, dims=-1), image)  # objects stand near the middle
    return torch.where(objects.roll(level, dims=-1), image.roll(level, dims=-1), plate)


DISTORTIONS: dict[str, Callable[[Rendering, int], Tensor]] = {
    "blur": blur,
    "noise": noise,
    "color_shift": color_shift,
    "object_shift": object_shift,
}


def spearman(values: Tensor) -> Tensor:
    """Rank correlation [B] in [-1,1] of values [B,L] with 0..L-1; ties are broken by order."""
    ranks = values.argsort(dim=1, stable=True).argsort(dim=1).double()
    levels = torch.arange(values.shape[1], dtype=torch.float64)
    ranks, levels = ranks - ranks.mean(dim=1, keepdim=True), levels - levels.mean()
    return (ranks * levels).sum(dim=1) / (ranks.square().sum(dim=1) * levels.square().sum()).sqrt()


def monotonicity(distance: Distance, rendering: Rendering) -> dict[str, float]:
    """Mean Spearman correlation per distortion over the pictures of a rendering."""
    found = {}
    for name, distort in DISTORTIONS.items():
        values = [distance(rendering.image, distort(rendering, level)).cpu() for level in range(1, LEVELS + 1)]
        found[name] = spearman(torch.stack(values, dim=1)).mean().item()
    return found


def one_pixel_shift(images: Tensor) -> Tensor:
    """The whole picture one pixel to the right; the left column repeats."""
    return F.pad(images, (1, 0, 0, 0), mode="replicate")[..., :-1]


def attribute_sensitivity(distance: Distance, split: Split, per_type: int) -> dict[str, float]:
    """Share of edits, per PIE-Bench type, that score above a one-pixel shift of the picture; and `ratio`.

    `ratio` is the median over all edits of (distance to the ideal edit) / (distance to the shifted source).
    """
    shares: dict[str, float] = {}
    ratios = []
    for type_id in EDIT_TYPES:
        edits = [sample_edit(type_id, i, split) for i in range(per_type)]
        src = render([edit.source for edit in edits]).image
        tgt = render([edit.target for edit in edits]).image
        ratio = (distance(src, tgt) / distance(src, one_pixel_shift(src))).cpu()
        shares[f"type_{type_id}"] = (ratio > 1).float().mean().item()
        ratios.append(ratio)
    return shares | {"all": (torch.cat(ratios) > 1).float().mean().item(), "ratio": torch.cat(ratios).median().item()}
