"""Drift of colour and detail: what a distillation does to an image besides the edit.

The paper's complaint about DDS is that colours over-saturate and detail is lost. All images are [B, 3, H, W] in [0, 1];
every map is [B, H, W] or smaller by a border, every score one value per row, [B].
"""

from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from piva.metrics.batch import Batch, Missing, Value, average, values
from piva.metrics.cache import FeatureCache

HALF_LEVEL = 0.5 / 255
"""A value this near to 0 or 1 is stored as 0 or 255: an image and its PNG have the same clipped pixels."""
FLAT_ENERGY = 1e-10
"""Ours. Below this mean squared Laplacian an image has no detail to compare with (one pixel off by one
8-bit level in a flat 64x64 image gives about 1e-7)."""

FLAT = "the reference is flat: it has no detail to compare with"
NO_INTERIOR = "no background pixel has only background around it"


def saturation(images: Tensor) -> Tensor:
    """HSV saturation of every pixel, (max - min) / max, 0 for black. [B, H, W]."""
    high, low = images.amax(1), images.amin(1)
    return torch.where(high > 0, (high - low) / high.clamp_min(torch.finfo(images.dtype).tiny), 0)


def clipped(images: Tensor) -> Tensor:
    """1 where any channel is stored as 0 or as full, else 0. [B, H, W]."""
    return ((images < HALF_LEVEL) | (images > 1 - HALF_LEVEL)).any(1).to(images.dtype)


def laplacian_energy(images: Tensor) -> Tensor:
    """Square of the four-neighbour Laplacian, mean over channels, without the outermost pixels. [B, H-2, W-2]."""
    middle = images[..., 1:-1, 1:-1]
    around = images[..., :-2, 1:-1] + images[..., 2:, 1:-1] + images[..., 1:-1, :-2] + images[..., 1:-1, 2:]
    return ((around - 4 * middle) ** 2).mean(1)


def interior(where: Tensor) -> Tensor:
    """True where the whole stencil of the Laplacian lies in `where`. bool [B, H, W] -> bool [B, H-2, W-2]."""
    plus = torch.tensor([[0, 1, 0], [1, 1, 1], [0, 1, 0]], dtype=torch.float32, device=where.device)
    return F.conv2d(where[:, None].float(), plus[None, None])[:, 0] > 4.5


def saturation_shift(edited: Tensor, reference: Tensor, where: Tensor | None = None) -> Tensor:
    """Mean saturation, edited minus reference, in [-1, 1]."""
    return average(saturation(edited), where) - average(saturation(reference), where)


def clipped_fraction(edited: Tensor, reference: Tensor, where: Tensor | None = None) -> Tensor:
    """Share of clipped pixels, edited minus reference, in [-1, 1]."""
    return average(clipped(edited), where) - average(clipped(reference), where)


def detail_ratio(edited: Tensor, reference: Tensor, where: Tensor | None = None) -> Tensor:
    """Energy of the Laplacian, edited over reference; infinite where the reference is flat, NaN over no pixel."""
    inner = None if where is None else interior(where)
    energy = average(laplacian_energy(reference), inner)
    ratio = average(laplacian_energy(edited), inner) / energy
    return torch.where(energy < FLAT_ENERGY, torch.inf, ratio)


class DriftScores:
    """saturation_shift, clipped_fraction and detail_ratio: whole, `_background` and `_to_true`."""

    VERSION: ClassVar[int] = 1

    def __init__(self) -> None:
        kinds = {"saturation_shift": "hsv", "clipped_fraction": "8-bit", "detail_ratio": "laplacian-4"}
        regions = {"": "whole", "_background": "strict-background", "_to_true": "whole-to-true"}
        self.ids = {
            f"{name}{suffix}": f"{name.replace('_', '-')}/{kind}/{region}@{self.VERSION}"
            for name, kind in kinds.items()
            for suffix, region in regions.items()
        }

    def score(self, batch: Batch, cache: FeatureCache) -> dict[str, list[Value]]:
        """See `Metric.score`."""
        edited, src, gone, background = batch.edited, batch.src, batch.without_background, ~batch.mask
        result: dict[str, list[Value]] = {}
        for name, shift in (("saturation_shift", saturation_shift), ("clipped_fraction", clipped_fraction)):
            result[name] = values(shift(edited, src))
            result[f"{name}_background"] = values(shift(edited, src, background), gone)
            to_true = None if batch.true is None else shift(edited[batch.with_true], batch.true)
            result[f"{name}_to_true"] = batch.spread_true(to_true)
        result["detail_ratio"] = _ratios(values(detail_ratio(edited, src)))
        result["detail_ratio_background"] = _ratios(values(detail_ratio(edited, src, background), gone))
        to_true = None if batch.true is None else detail_ratio(edited[batch.with_true], batch.true)
        result["detail_ratio_to_true"] = _ratios(batch.spread_true(to_true))
        return result


def _ratios(scores: list[Value]) -> list[Value]:
    """NaN is the average over no pixel, infinity a flat reference."""
    reasons = {True: NO_INTERIOR, False: FLAT}
    return [
        score if isinstance(score, Missing) or abs(score) < float("inf") else Missing(reasons[score != score])
        for score in scores
    ]
