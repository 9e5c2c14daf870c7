"""Features of a UNet: what the self-attention layers of its up blocks put out. CDS compares them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from diffusers import UNet2DConditionModel
from torch import Tensor, nn

from piva.errors import ConfigError
from piva.priors import Tap


class SelfAttentionFeatures:
    """Taken while `watched`; otherwise a call of the UNet does not notice.

    Raises:
        ConfigError: the up blocks have no self-attention.
    """

    def __init__(self, unet: UNet2DConditionModel):
        self._tap: Tap | None = None
        self._size = (0, 0)
        layers = [module for name, module in unet.up_blocks.named_modules() if name.endswith(".attn1")]
        if not layers:
            raise ConfigError("this prior's UNet has no self-attention in its up blocks, which the method compares")
        for layer in layers:
            layer.register_forward_hook(self._take)

    @contextmanager
    def watched(self, tap: Tap, size: tuple[int, int]) -> Iterator[None]:
        """Within, `tap` takes the features of calls with latents of `size` (h, w)."""
        self._tap, self._size = tap, size
        try:
            yield
        finally:
            self._tap = None

    def _take(self, _layer: nn.Module, _inputs: tuple[Tensor, ...], out: Tensor) -> None:
        if self._tap is None:
            return
        height, width = self._size
        while height * width > out.shape[1]:  # each block halves, and rounds up
            height, width = (height + 1) // 2, (width + 1) // 2
        maps = out[: self._tap.rows].transpose(1, 2).unflatten(2, (height, width))  # [rows,D,h,w]
        self._tap.maps.append(maps.float())
