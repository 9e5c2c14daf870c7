"""LPIPS (Zhang et al. 2018) on the features of any `lpips.LPIPS`, with the features of the source kept.

    d(a, b) = sum_l mean_hw  w_l . (f_l(a) - f_l(b))^2        f_l: unit-length features of layer l

The background score averages the same distances, each layer brought to the image's size, over background pixels.
Features look far across an image, so the source is first put back inside the mask: an edit that leaves the outside
alone scores 0. In the `official` profile it is the plain distance of both images with black inside the mask.
"""

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

import torch
import torch.nn.functional as F
import torchvision
from lpips import LPIPS, normalize_tensor
from torch import Tensor

from piva.metrics.batch import Batch, Profile, Value, average, content, values
from piva.metrics.cache import FeatureCache, Features
from piva.metrics.weights import WeightFile

ROWS_PER_CALL = 64
LINEAR_WEIGHTS = "0.1"
"""Version of the linear layers, which are in the `lpips` package."""
TRUNKS = {"alex": "AlexNet_Weights", "vgg": "VGG16_Weights", "squeeze": "SqueezeNet1_1_Weights"}
"""Name of a net -> torchvision's name of its trunk's weights."""


def features(net: LPIPS, images: Tensor) -> Features:
    """Unit-length features of each layer, [B, C_l, H_l, W_l].

    Args:
        images: [B, 3, H, W] in [0, 1].
    """
    layers = net.net.forward(net.scaling_layer(2 * images - 1))
    return tuple(normalize_tensor(layer) for layer in layers)


def layer_maps(net: LPIPS, a: Features, b: Features) -> list[Tensor]:
    """Distance at each place of each layer, [B, 1, H_l, W_l]; channels have weight 1 in a net without linear layers."""
    squares = [(f - g) ** 2 for f, g in zip(a, b, strict=True)]
    if net.lpips:
        return [lin(square) for lin, square in zip(net.lins, squares, strict=True)]
    return [square.sum(1, keepdim=True) for square in squares]


def distance(maps: Sequence[Tensor]) -> Tensor:
    """LPIPS of the whole image, [B]."""
    return torch.stack([layer.flatten(1).mean(1) for layer in maps]).sum(0)


def distance_where(maps: Sequence[Tensor], where: Tensor) -> Tensor:
    """LPIPS averaged over the pixels where bool [B, H, W] is true, [B]; NaN where it is true nowhere."""
    size = where.shape[-2:]
    per_pixel = sum(F.interpolate(layer, size=size, mode="bilinear", align_corners=False) for layer in maps)
    assert isinstance(per_pixel, Tensor)
    return average(per_pixel, where)


def load_net(
    net: str, device: torch.device | str = "cpu", folder: Path | None = None, allow_download: bool = False
) -> LPIPS:
    """LPIPS on `net` (alex, vgg or squeeze) in evaluation mode: ImageNet's trunk, the package's linear layers.

    Raises:
        MissingWeights: the trunk's weights are not on this machine.
    """
    path = trunk_weights(net).locate(folder, allow_download)
    with warnings.catch_warnings():  # torchvision on lpips' way of asking for no weights
        warnings.simplefilter("ignore")
        distance = LPIPS(net=net, version=LINEAR_WEIGHTS, pnet_rand=True, verbose=False)
    trunk = torch.load(path, map_location="cpu", weights_only=True)
    names = {name: f"features.{name.partition('.')[2]}" for name in distance.net.state_dict()}  # slice3.5.bias: 5.bias
    distance.net.load_state_dict({name: trunk[theirs] for name, theirs in names.items()})
    return distance.to(device).eval().requires_grad_(False)


def trunk_weights(net: str) -> WeightFile:
    """torchvision's ImageNet weights, where torch.hub keeps them."""
    return WeightFile(f"LPIPS {net}", url=getattr(torchvision.models, TRUNKS[net]).IMAGENET1K_V1.url)


class LpipsScores:
    """lpips and lpips_background against the source, and lpips_to_true.

    Args:
        net: in evaluation mode.
        name: backbone and weights, as the ids show them: "lpips-toybox/1f0c7a2e", "squeeze/0.1".
    """

    VERSION: ClassVar[int] = 1

    def __init__(self, net: LPIPS, name: str, profile: Profile = "strict") -> None:
        self.net, self.name, self.profile = net, name, profile
        inside = {"strict": "strict-background-source-inside", "official": "official-background"}[profile]
        self.ids = {
            "lpips": f"lpips/{name}/native/whole@{self.VERSION}",
            "lpips_background": f"lpips/{name}/native/{inside}@{self.VERSION}",
            "lpips_to_true": f"lpips-to-true/{name}/native/whole@{self.VERSION}",
        }

    def score(self, batch: Batch, cache: FeatureCache) -> dict[str, list[Value]]:
        """See `Metric.score`."""
        edited, src = self._features(batch.edited), self._kept(batch.src, batch.src_keys, cache)
        background = torch.full((len(batch),), torch.nan)
        rows = [row for row, reason in enumerate(batch.without_background) if reason is None]
        if rows:
            background[rows] = self._background(batch, rows, src, cache).cpu()
        to_true = None
        if batch.true is not None:
            true = self._kept(batch.true, batch.true_keys, cache)
            to_true = distance(layer_maps(self.net, _rows(edited, batch.with_true), true))
        return {
            "lpips": values(distance(layer_maps(self.net, edited, src))),
            "lpips_background": values(background, batch.without_background),
            "lpips_to_true": batch.spread_true(to_true),
        }

    def _background(self, batch: Batch, rows: list[int], src: Features, cache: FeatureCache) -> Tensor:
        """Distances outside the mask of the rows that have an outside, [len(rows)]."""
        if self.profile == "strict":
            maps = layer_maps(self.net, self._features(batch.outside[rows]), _rows(src, rows))
            return distance_where(maps, ~batch.mask[rows])
        black = batch.src_without_region[rows]
        known = self._kept(black, [content(image) for image in black], cache)
        return distance(layer_maps(self.net, self._features(batch.edited_without_region[rows]), known))

    def _features(self, images: Tensor) -> Features:
        calls = [features(self.net, rows) for rows in images.split(ROWS_PER_CALL)] if len(images) else []
        return tuple(torch.cat(layer) for layer in zip(*calls, strict=True))

    def _kept(self, images: Tensor, keys: list[str], cache: FeatureCache) -> Features:
        """Features of images that do not depend on the edit; only those not in the cache are computed."""
        known = {key: cache.get((self.name, "lpips", key)) for key in keys}
        rows = {key: row for key, row in known.items() if row is not None}
        new = [key for key in known if key not in rows]
        computed = self._features(images[[keys.index(key) for key in new]])
        for place, key in enumerate(new):
            rows[key] = tuple(layer[place] for layer in computed)
            cache.put((self.name, "lpips", key), rows[key])
        return tuple(torch.stack(layer) for layer in zip(*(rows[key] for key in keys), strict=True))


def _rows(layers: Features, rows: list[int]) -> Features:
    return tuple(layer[rows] for layer in layers)
