"""CLIP scores: alignment with the target prompt, direction of the change, identity, leakage.

I(x), T(c) are unit-length features of an image and of a prompt; cos is their product. Values are plain cosines: some
public code clamps at 0 and multiplies by 100 (PIE-Bench's evaluator) or by 2.5, and some takes the direction's absolute
value. In the `official` profile clip_text and clip_text_region are clamped at 0 too.
"""

from collections.abc import Sequence
from typing import ClassVar, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from piva.metrics.batch import Batch, Profile, Value, values
from piva.metrics.cache import FeatureCache

Key = tuple[str, str, str]

ROWS_PER_CALL = 64
LEAST_CHANGE = 1e-4
"""Ours. Unit features closer than this differ by rounding, so that their difference has no direction."""
LEAST_GAIN = 0.01
"""Ours. With a smaller gain in cosine, its share from outside the mask is noise."""

SAME_TEXT = "source and target prompt have the same CLIP feature: there is no direction"
SAME_IMAGE = "edited and source image have the same CLIP feature: there is no direction"
NO_GAIN = f"the edit gains less than {LEAST_GAIN} in clip_text: there is nothing to share out"


class ClipModel(Protocol):
    """Image and text features [B, D], of any length; images [B, 3, H, W] in [0, 1] are resized by the model."""

    def encode_image(self, images: Tensor) -> Tensor: ...

    def encode_text(self, texts: list[str]) -> Tensor: ...


def direction(edited: Tensor, src: Tensor, text_tgt: Tensor, text_src: Tensor) -> Tensor:
    """cos(I(edit) - I(src), T(tgt) - T(src)) in [-1, 1], [B]: signed, 0 where a difference vanishes (Gal et al. 2022).

    Args:
        edited, src, text_tgt, text_src: unit-length features [B, D].
    """
    return F.cosine_similarity(edited - src, text_tgt - text_src, dim=1)


def leakage(edited: Tensor, outside: Tensor, src: Tensor, text_tgt: Tensor) -> Tensor:
    """Share of the gain in cos(I, T(tgt)) that is still there with the source put back inside the mask, [B].

    0: all of the gain comes from the edit region; 1: none of it. Below 0 and above 1 both happen.

    Args:
        edited, outside, src, text_tgt: unit-length features [B, D]; outside: of the edit with the source inside the
            mask.
    """
    before, after, kept = (cosine(image, text_tgt) for image in (src, edited, outside))
    return (kept - before) / (after - before)


class ClipScores:
    """clip_text, clip_text_region, clip_direction, clip_image and leakage.

    Args:
        clip: in evaluation mode.
        name: backbone, weights and input size, as the ids show them: "ViT-L-14/openai/224-bicubic".
    """

    VERSION: ClassVar[int] = 1

    def __init__(self, clip: ClipModel, name: str, profile: Profile = "strict") -> None:
        self.clip, self.name = clip, name
        self.lowest, cosine = (0.0, "official-cosine-from-0") if profile == "official" else (-1.0, "cosine")
        self.ids = {
            "clip_text": f"clip-score/{name}/{cosine}@{self.VERSION}",
            "clip_text_region": f"clip-score/{name}/{cosine}/black-outside-mask@{self.VERSION}",
            "clip_direction": f"clip-direction/{name}/signed-cosine@{self.VERSION}",
            "clip_image": f"clip-image/{name}/cosine@{self.VERSION}",
            "leakage": f"leakage/{name}/source-inside-mask/gain-{LEAST_GAIN}@{self.VERSION}",
        }

    def score(self, batch: Batch, cache: FeatureCache) -> dict[str, list[Value]]:
        """See `Metric.score`."""
        text_tgt = self.text_features([case.tgt_prompt for case in batch.inputs], cache)
        text_src = self.text_features([case.src_prompt for case in batch.inputs], cache)
        edited, region, outside, src = self._images(batch, cache)
        gain = cosine(edited, text_tgt) - cosine(src, text_tgt)
        no_direction = [
            SAME_TEXT if text < LEAST_CHANGE else SAME_IMAGE if image < LEAST_CHANGE else None
            for text, image in zip(_distance(text_tgt, text_src), _distance(edited, src), strict=True)
        ]
        no_leak = [
            reason or (NO_GAIN if g < LEAST_GAIN else None)
            for reason, g in zip(batch.without_background, gain.tolist(), strict=True)
        ]
        return {
            "clip_text": values(cosine(edited, text_tgt).clamp_min(self.lowest)),
            "clip_text_region": values(cosine(region, text_tgt).clamp_min(self.lowest), batch.without_region),
            "clip_direction": values(direction(edited, src, text_tgt, text_src), no_direction),
            "clip_image": values(cosine(edited, src)),
            "leakage": values(leakage(edited, outside, src, text_tgt), no_leak),
        }

    def image_features(self, images: Tensor) -> Tensor:
        """Unit features [B, D] of images [B, 3, H, W]."""
        return torch.cat([F.normalize(self.clip.encode_image(rows)) for rows in images.split(ROWS_PER_CALL)])

    def _images(self, batch: Batch, cache: FeatureCache) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Unit features of edit, edit x mask, edit outside the mask, and source, each [B, D], in one pass.

        Without a mask, or with one that covers the frame, the middle two are the edit's own, and cost nothing.
        """
        keys = [(self.name, "image", key) for key in batch.src_keys]
        kept = _known(keys, cache)
        new = [key for key in dict.fromkeys(keys) if key not in kept]
        split = [row for row, reason in enumerate(batch.without_background) if reason is None]
        inside = (batch.edited * batch.mask[:, None])[split]
        crops = torch.cat([batch.edited, inside, batch.outside[split], batch.src[[keys.index(key) for key in new]]])
        encoded = self.image_features(crops)
        edited, some_region, some_outside, src = encoded.split([len(batch), len(split), len(split), len(new)])
        region, outside = edited.clone(), edited.clone()
        region[split], outside[split] = some_region, some_outside
        for key, feature in zip(new, src, strict=True):
            kept[key] = feature
            cache.put(key, (feature,))
        return edited, region, outside, torch.stack([kept[key] for key in keys])

    def text_features(self, prompts: list[str], cache: FeatureCache) -> Tensor:
        """Unit features [B, D]; each prompt is encoded once."""
        keys = [(self.name, "text", prompt) for prompt in prompts]
        kept = _known(keys, cache)
        new = [key for key in dict.fromkeys(keys) if key not in kept]
        if new:
            encoded = F.normalize(self.clip.encode_text([prompt for _, _, prompt in new]))
            for key, feature in zip(new, encoded, strict=True):
                kept[key] = feature
                cache.put(key, (feature,))
        return torch.stack([kept[key] for key in keys])


def cosine(a: Tensor, b: Tensor) -> Tensor:
    """Cosine of unit-length rows [B, D], [B]: rounding must not carry it past 1."""
    return (a * b).sum(1).clamp(-1, 1)


def _distance(a: Tensor, b: Tensor) -> list[float]:
    return (a - b).norm(dim=1).tolist()


def _known(keys: Sequence[Key], cache: FeatureCache) -> dict[Key, Tensor]:
    """What the cache has."""
    return {key: features[0] for key in keys if (features := cache.get(key)) is not None}
