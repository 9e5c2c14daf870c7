"""Structure distance (Tumanyan et al., "Splicing ViT Features", CVPR 2022): how the parts of an image relate to each
other, whatever they look like.

    d(a, b) = mean_ij (S_ij(a) - S_ij(b))^2        S_ij: cosine of the keys of tokens i and j

Keys are those of layer 11 of DINO ViT-B/8 (Caron et al. 2021). Tokens are the class token and every 8x8 patch; the
heads' keys stand side by side. Images are brought to 224 pixels on the short side (480 at most on the long one),
bilinear with antialiasing as torchvision does by default, and normalised as ImageNet is. PIE-Bench's evaluator
normalises values of 0..255 as if they were 0..1; the `official` profile does too.
"""

from pathlib import Path
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from timm.data.constants import IMAGENET_DEFAULT_MEAN, IMAGENET_DEFAULT_STD
from torch import Tensor
from torchvision.transforms.functional import normalize, resize

from piva.metrics.batch import Batch, Profile, Value, values
from piva.metrics.cache import FeatureCache
from piva.metrics.weights import WeightFile

ARCHITECTURE = "vit_base_patch8_224.dino"
"""timm's name of dino_vitb8."""
NAME = "dino_vitb8"
SHORT_SIDE, LONG_SIDE = 224, 480
ROWS_PER_CALL = 16
"""Ours. An image is 785 tokens, whatever its own size."""


def keys(vit: Any, pixels: Tensor) -> Tensor:
    """Keys of the last layer, [B, 1 + patches, D]; nothing behind them is computed.

    Args:
        vit: timm's VisionTransformer with a class token.
        pixels: [B, 3, H, W], normalised; what is left over at right and bottom by whole patches is not seen.
    """
    patches = vit.patch_embed.proj(pixels)  # [B, D, h, w]
    height, width = patches.shape[-2:]
    tokens = torch.cat([vit.cls_token.expand(len(pixels), -1, -1), patches.flatten(2).transpose(1, 2)], dim=1)
    tokens = tokens + positions(vit.pos_embed, height, width)
    for block in vit.blocks[:-1]:
        tokens = block(tokens)
    last = vit.blocks[-1]
    return last.attn.qkv(last.norm1(tokens)).chunk(3, dim=-1)[1]


def positions(learnt: Tensor, height: int, width: int) -> Tensor:
    """Position embeddings [1, 1 + h w, D] of a grid of patches, interpolated where it is not the learnt one.

    As DINO's own code: bicubic, by a factor of (size + 0.1) / learnt size.

    Args:
        learnt: [1, 1 + n n, D].
    """
    side = int((learnt.shape[1] - 1) ** 0.5)
    if (height, width) == (side, side):
        return learnt
    grid = learnt[:, 1:].reshape(1, side, side, -1).permute(0, 3, 1, 2)
    factors = ((height + 0.1) / side, (width + 0.1) / side)
    grid = F.interpolate(grid, scale_factor=factors, mode="bicubic")  # [1, D, h, w]
    return torch.cat([learnt[:, :1], grid.flatten(2).transpose(1, 2)], dim=1)


def prepared(images: Tensor, profile: Profile) -> Tensor:
    """Pixels as DINO gets them, [B, 3, H', W'], of images [B, 3, H, W] in [0, 1]."""
    scale = 255 if profile == "official" else 1
    small = resize(images * scale, [SHORT_SIDE], max_size=LONG_SIDE, antialias=True)
    return normalize(small, list(IMAGENET_DEFAULT_MEAN), list(IMAGENET_DEFAULT_STD))


def structure_distance(a: Tensor, b: Tensor) -> Tensor:
    """Mean squared difference of self-similarities, in [0, 4], [B].

    Args:
        a, b: keys [B, T, D].
    """
    unit_a, unit_b = F.normalize(a, dim=-1), F.normalize(b, dim=-1)
    difference = unit_a @ unit_a.transpose(1, 2) - unit_b @ unit_b.transpose(1, 2)  # [B, T, T]
    return (difference**2).mean((1, 2))


def load_dino(device: torch.device | str = "cpu", folder: Path | None = None, allow_download: bool = False) -> Any:
    """DINO's ViT-B/8 in evaluation mode.

    Raises:
        MissingWeights: its weights are not on this machine.
    """
    import timm
    from timm.models import load_checkpoint

    path = dino_weights().locate(folder, allow_download)
    vit = timm.create_model(ARCHITECTURE, pretrained=False)
    load_checkpoint(vit, str(path))
    return vit.to(device).eval().requires_grad_(False)


def dino_weights() -> WeightFile:
    """On the hub in timm's form, or as DINO's own torch.hub entry keeps them."""
    from timm.models import get_pretrained_cfg

    facts: Any = get_pretrained_cfg(ARCHITECTURE)
    return WeightFile(f"DINO {NAME}", str(facts.hf_hub_id), ("model.safetensors",), str(facts.url))


class StructureScores:
    """structure_distance against the source.

    Args:
        vit: timm's VisionTransformer, in evaluation mode.
        name: backbone and weights, as the id shows them.
    """

    VERSION: ClassVar[int] = 1

    def __init__(self, vit: Any, name: str = NAME, profile: Profile = "strict") -> None:
        self.vit, self.name, self.profile = vit, name, profile
        scale = "0..255" if profile == "official" else "0..1"
        layer = len(vit.blocks) - 1
        size = f"{SHORT_SIDE}-bilinear"
        self.ids = {"structure_distance": f"structure-distance/{name}/keys-{layer}/{size}/{scale}@{self.VERSION}"}

    def score(self, batch: Batch, cache: FeatureCache) -> dict[str, list[Value]]:
        """See `Metric.score`."""
        names = [(self.name, f"keys {self.profile}", key) for key in batch.src_keys]
        known = {name: kept for name in names if (kept := cache.get(name)) is not None}
        new = [name for name in dict.fromkeys(names) if name not in known]
        for name, row in zip(new, self._keys(batch.src[[names.index(name) for name in new]]), strict=True):
            known[name] = (row,)
            cache.put(name, known[name])
        edited = self._keys(batch.edited)
        pairs = [(row[None], known[name][0][None]) for row, name in zip(edited, names, strict=True)]
        return {"structure_distance": values(torch.cat([structure_distance(*pair) for pair in pairs]))}

    def _keys(self, images: Tensor) -> list[Tensor]:
        """Keys [T, D] of each image."""
        calls = [keys(self.vit, prepared(rows, self.profile)) for rows in images.split(ROWS_PER_CALL) if len(rows)]
        return [row for call in calls for row in call]
