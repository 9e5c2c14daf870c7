"""LPIPS (Zhang et al. 2018) on the features of any `lpips.LPIPS`, with the features of the source kept.

    d(a, b) = sum_l mean_hw  w_l . (f_l(a) - f_l(b))^2        f_l: unit-length features of layer l

The background score averages the same distances, each layer brought to the image's size, over background pixels.
Features look far across an image, so the source is first put back inside the mask: an edit that leaves the outside
alone scores 0.
"""

from collections.abc import Sequence
from typing import ClassVar

import torch
import torch.nn.functional as F
from lpips import LPIPS, normalize_tensor
from torch import Tensor

from piva.metrics.batch import Batch, Value, average, values
from piva.metrics.cache import FeatureCache, Features

ROWS_PER_CALL = 64


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


class LpipsScores:
    """lpips and lpips_background against the source, and lpips_to_true.

    Args:
        net: in evaluation mode.
        name: backbone and weights, as the ids show them: "lpips-toybox/1f0c7a2e", "squeeze/0.1".
    """

    VERSION: ClassVar[int] = 1

    def __init__(self, net: LPIPS, name: str) -> None:
        self.net, self.name = net, name
        self.ids = {
            "lpips": f"lpips/{name}/native/whole@{self.VERSION}",
            "lpips_background": f"lpips/{name}/native/strict-background-source-inside@{self.VERSION}",
            "lpips_to_true": f"lpips-to-true/{name}/native/whole@{self.VERSION}",
        }

    def score(self, batch: Batch, cache: FeatureCache) -> dict[str, list[Value]]:
        """See `Metric.score`."""
        with_background = [row for row, reason in enumerate(batch.without_background) if reason is None]
        edited, outside = self._features(batch.edited), self._features(batch.outside[with_background])
        src = self._kept(batch.src, batch.src_keys, cache)
        background = torch.full((len(batch),), torch.nan)
        if with_background:
            maps = layer_maps(self.net, outside, _rows(src, with_background))
            background[with_background] = distance_where(maps, ~batch.mask[with_background]).cpu()
        to_true = None
        if batch.true is not None:
            true = self._kept(batch.true, batch.true_keys, cache)
            to_true = distance(layer_maps(self.net, _rows(edited, batch.with_true), true))
        return {
            "lpips": values(distance(layer_maps(self.net, edited, src))),
            "lpips_background": values(background, batch.without_background),
            "lpips_to_true": batch.spread_true(to_true),
        }

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
