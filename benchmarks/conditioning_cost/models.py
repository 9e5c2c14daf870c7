"""The models that are measured: a shape at every size, and a prior of that shape with random numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from diffusers import ControlNetModel
from torch import Tensor

from benchmarks.conditioning_cost.options import Kind, Options
from benchmarks.models import prior_facts
from piva import noise
from piva.auxiliary.settings import AuxiliarySettings
from piva.config import PriorConfig
from piva.errors import ConfigError
from piva.methods.dds import DDS
from piva.methods.piva import Piva
from piva.priors.shapes import STABLE_DIFFUSION_1_5, PriorShape, WeightlessAuxiliaries, WeightlessPrior
from piva.priors.stable_diffusion import StableDiffusionPrior
from piva.schedule import alphas_cumprod

GROUPS = 32  # of the UNet's group norms: widths are multiples of it
SCHEDULER = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}  # SD 1.5's
METHODS: dict[Kind, Any] = {
    "none": DDS(),
    "lora": Piva(),
    "lora-camera": Piva(aux=AuxiliarySettings(camera=True)),
    "controlnet": Piva(aux=AuxiliarySettings(kind="controlnet")),
    "controlnet-lora": Piva(aux=AuxiliarySettings(kind="controlnet-lora", controlnet="made")),
    "controlnet-blank": Piva(aux=AuxiliarySettings(kind="controlnet", depth="blank")),
}


def shape_of(size: str, options: Options) -> PriorShape:
    """The shape that a size names.

    Raises:
        ConfigError: a share that is not positive.
        PreflightError: a model that is not on this machine.
    """
    share = share_of(size)
    if share is None:
        return prior_facts(PriorConfig(model=size, device="cpu")).shape
    if not 0 < share < math.inf:
        raise ConfigError(f"--sizes {size}: a share of the width is above 0")
    return scaled(share, options.latent)


def share_of(size: str) -> float | None:
    """The share of SD 1.5's widths that a size is; None where it names a model."""
    try:
        return float(size)
    except ValueError:
        return None


def scaled(share: float, latent: int) -> PriorShape:
    """SD 1.5 with a UNet so many times as wide: every block to the nearest multiple of 32, at least 32."""
    full = STABLE_DIFFUSION_1_5
    wanted = [share * width / GROUPS for width in full.unet["block_out_channels"]]
    widths = tuple(GROUPS * max(1, math.floor(groups + 0.5)) for groups in wanted)
    unet = dict(full.unet) | {"block_out_channels": widths, "sample_size": latent}
    return replace(full, name=f"{full.name} x {share:g}", unet=unet)


class RandomPrior(WeightlessPrior):
    """A prior with random numbers in its UNet, and in the ControlNet that LoRA adapts.

    Text encoder and VAE have none and are not asked for anything: memory that nobody writes to is not taken.
    """

    def __init__(self, shape: PriorShape, dtype: torch.dtype, device: torch.device):
        super().__init__(shape, dtype)
        self.device = device
        _with_numbers(self.unet, device)
        if device.type != "cpu":
            self.unet.to(memory_format=torch.channels_last)
        self.auxiliaries = _RandomAuxiliaries(self.unet, shape.scale, device)
        self.abar = alphas_cumprod(SCHEDULER)

    def embed(self, prompts: Sequence[str]) -> Tensor:
        """Embeddings [B,L,D], normal numbers that a prompt always has."""
        shape = self.text_encoder.config.max_position_embeddings, self.text_encoder.config.hidden_size
        drawn = [noise.draw(shape, seed=0, case_id=prompt, step=0, purpose="embedding") for prompt in prompts]
        return torch.stack(drawn).to(self.device, self.dtype)

    adapter = StableDiffusionPrior.adapter


class _RandomAuxiliaries(WeightlessAuxiliaries):
    def frozen(self, settings: AuxiliarySettings) -> ControlNetModel:
        """The ControlNet that LoRA adapts."""
        is_new = not self._frozen
        net = super().frozen(settings)
        return _with_numbers(net, self.device) if is_new else net


def _with_numbers(network: Any, device: torch.device) -> Any:
    """`network`, on the device, with every layer as PyTorch starts it."""
    for module in network.modules():
        if hasattr(module, "reset_parameters"):
            module.reset_parameters()
    return network.to(device)
