"""Pixel fidelity: MSE, PSNR, SSIM, of the whole image and of the background alone.

In the `strict` profile a background score is an average over background pixels only. SSIM looks through an 11-pixel
window, so for its background score the source is first put back inside the mask: an edit that leaves the outside alone
scores 1. In the `official` profile it is the score of both images with black inside the mask, over the whole frame.
All images are [B, 3, H, W] in [0, 1]; every function returns one value per row, [B].
"""

from typing import ClassVar

import torch
from torch import Tensor
from torchmetrics.functional.image import structural_similarity_index_measure

from piva.metrics.batch import Batch, Missing, Profile, Value, average, values
from piva.metrics.cache import FeatureCache

SSIM_REACH = 5
"""Half of the window that a Gaussian of sigma 1.5 is cut to: 3.5 sigma each way."""
EQUAL = "the images are equal: PSNR is infinite"
TOO_SMALL = f"SSIM needs images of more than {SSIM_REACH} pixels a side"


def mse(a: Tensor, b: Tensor, where: Tensor | None = None) -> Tensor:
    """Mean squared difference over pixels and channels, optionally over the pixels where bool [B, H, W] is true."""
    return average((a - b) ** 2, where)


def psnr(a: Tensor, b: Tensor, where: Tensor | None = None) -> Tensor:
    """10 log10(1 / MSE) in dB; infinite for equal images."""
    return -10 * torch.log10(mse(a, b, where))


def ssim(a: Tensor, b: Tensor, where: Tensor | None = None) -> Tensor:
    """Mean structural similarity (Wang et al. 2004: Gaussian window, sigma 1.5), averaged over pixels and channels.

    Pixels at the border count, seen through a reflected image; so equal images score 1 with any `where`.
    """
    _, per_pixel = structural_similarity_index_measure(
        a, b, gaussian_kernel=True, sigma=1.5, data_range=1.0, reduction="none", return_full_image=True
    )  # [B, 3, H, W]
    return average(per_pixel, where)


class FidelityScores:
    """psnr, ssim, mse (each also `_background`) against the source, and psnr_to_true."""

    VERSION: ClassVar[int] = 1

    def __init__(self, profile: Profile = "strict") -> None:
        self.profile = profile
        inside = {"strict": "strict-background-source-inside", "official": "official-background"}[profile]
        kinds = {
            "mse": "mse/0..1/whole",
            "mse_background": f"mse/0..1/{profile}-background",
            "psnr": "psnr/0..1/whole",
            "psnr_background": f"psnr/0..1/{profile}-background",
            "psnr_to_true": "psnr-to-true/0..1/whole",
            "ssim": "ssim/gauss-1.5-11/0..1/whole",
            "ssim_background": f"ssim/gauss-1.5-11/0..1/{inside}",
        }
        self.ids = {name: f"{kind}@{self.VERSION}" for name, kind in kinds.items()}

    def score(self, batch: Batch, cache: FeatureCache) -> dict[str, list[Value]]:
        """See `Metric.score`."""
        to_true = None if batch.true is None else psnr(batch.edited[batch.with_true], batch.true)
        whole: list[Value] = [Missing(TOO_SMALL)] * len(batch)
        if _large(batch):
            whole = values(ssim(batch.edited, batch.src))
        return self._background(batch) | {
            "mse": values(mse(batch.edited, batch.src)),
            "psnr": _finite(values(psnr(batch.edited, batch.src))),
            "ssim": whole,
            "psnr_to_true": _finite(batch.spread_true(to_true)),
        }

    def _background(self, batch: Batch) -> dict[str, list[Value]]:
        gone, where = batch.without_background, None
        pair = shown = batch.edited_without_region, batch.src_without_region
        if self.profile == "strict":
            where = ~batch.mask
            pair, shown = (batch.edited, batch.src), (batch.outside, batch.src)
        outside: list[Value] = [Missing(TOO_SMALL)] * len(batch)
        if _large(batch):
            outside = values(ssim(*shown, where), gone)
        return {
            "mse_background": values(mse(*pair, where), gone),
            "psnr_background": _finite(values(psnr(*pair, where), gone)),
            "ssim_background": outside,
        }


def _large(batch: Batch) -> bool:
    """Whether SSIM's window fits into the images."""
    return min(batch.src.shape[-2:]) > SSIM_REACH


def _finite(scores: list[Value]) -> list[Value]:
    return [Missing(EQUAL) if score == float("inf") else score for score in scores]
