"""A prior's shape: the widths of its networks, without their weights; and such a prior to count with.

What an edit costs in memory follows from shapes alone. `WeightlessPrior` runs the code of the real prior over
parameters that have a size and no numbers, on a machine that need not hold the weights, or have a GPU.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from diffusers import AutoencoderKL, ControlNetModel, UNet2DConditionModel
from torch import Tensor, nn
from transformers import CLIPTextConfig, CLIPTextModel

from piva.auxiliary.controlnet import StackedControlNet, blueprint
from piva.auxiliary.kinds import Auxiliaries
from piva.auxiliary.lora import StackedLoRA
from piva.auxiliary.settings import AuxiliarySettings
from piva.priors.stable_diffusion import StableDiffusionPrior


@dataclass(frozen=True)
class PriorShape:
    """Configurations of a Stable Diffusion pipeline's networks, as diffusers and transformers write them."""

    name: str
    unet: Mapping[str, Any]
    vae: Mapping[str, Any]
    text_encoder: Mapping[str, Any]

    @classmethod
    def of(cls, prior: StableDiffusionPrior) -> PriorShape:
        """The shape of a loaded prior."""
        unet, vae, text_encoder = prior.unet.config, prior.vae.config, prior.text_config
        return cls(prior.name, dict(unet), dict(vae), text_encoder.to_dict())

    @property
    def scale(self) -> int:
        """Pixels of an image per number of its latent, along a side."""
        return int(2 ** (len(self.vae["block_out_channels"]) - 1))

    @property
    def image_size(self) -> tuple[int, int]:
        """(H, W) of the images the model was trained on."""
        size = self.unet["sample_size"]
        height, width = (size, size) if isinstance(size, int) else size
        return height * self.scale, width * self.scale


STABLE_DIFFUSION_1_5 = PriorShape(
    name="stable-diffusion-1.5",  # Rombach et al., 2022: 860 M, 84 M and 123 M parameters
    unet={
        "sample_size": 64, "in_channels": 4, "out_channels": 4, "layers_per_block": 2, "cross_attention_dim": 768,
        "attention_head_dim": 8, "block_out_channels": (320, 640, 1280, 1280),
        "down_block_types": ("CrossAttnDownBlock2D",) * 3 + ("DownBlock2D",),
        "up_block_types": ("UpBlock2D",) + ("CrossAttnUpBlock2D",) * 3,
    },
    vae={
        "sample_size": 512, "in_channels": 3, "out_channels": 3, "layers_per_block": 2, "latent_channels": 4,
        "block_out_channels": (128, 256, 512, 512), "scaling_factor": 0.18215,
        "down_block_types": ("DownEncoderBlock2D",) * 4, "up_block_types": ("UpDecoderBlock2D",) * 4,
    },
    text_encoder={
        "vocab_size": 49408, "hidden_size": 768, "intermediate_size": 3072, "num_hidden_layers": 12,
        "num_attention_heads": 12, "max_position_embeddings": 77, "projection_dim": 768,
    },
)  # fmt: skip

SHAPES: dict[str, PriorShape] = {shape.name: shape for shape in (STABLE_DIFFUSION_1_5,)}
"""Shapes that are known without the model."""


class WeightlessPrior(StableDiffusionPrior):
    """The real prior's code and number types over parameters without numbers; made and used within FakeTensorMode.

    Args:
        dtype: what the UNet and the text encoder run in; the VAE runs in float32.
        image_size: (H, W); None is the size the model was trained for.

    Raises:
        ConfigError: for a size that the VAE cannot halve as often as it does.
    """

    def __init__(self, shape: PriorShape, dtype: torch.dtype, image_size: tuple[int, int] | None = None):
        self.name, self.device, self.dtype, self.half = shape.name, torch.device("cpu"), dtype, dtype == torch.float16
        with torch.device("meta"):
            unet = UNet2DConditionModel.from_config(shape.unet)
            vae = AutoencoderKL.from_config(shape.vae)
            text_encoder = CLIPTextModel(CLIPTextConfig.from_dict(dict(shape.text_encoder)))
        self.unet, self.text_encoder = _weightless(unet, dtype), _weightless(text_encoder, dtype)
        self.vae = _weightless(vae, torch.float32)
        self.prediction = "epsilon"
        self._take_size(image_size)
        self._embeddings, self.cut_prompts = OrderedDict(), {}
        self.auxiliaries = WeightlessAuxiliaries(self.unet, shape.scale, self.device)

    def embed(self, prompts: Sequence[str]) -> Tensor:
        """Room for the embeddings [B,L,D]."""
        config = self.text_encoder.config
        return torch.empty(len(prompts), config.max_position_embeddings, config.hidden_size, dtype=self.dtype)

    def adapter(
        self, settings: AuxiliarySettings, seed: int, case_ids: Sequence[str]
    ) -> StackedLoRA | StackedControlNet:
        """Room for auxiliaries of these cases, without their start."""
        return self.auxiliaries.room(settings, len(case_ids))


_ANY = None, None


class WeightlessAuxiliaries(Auxiliaries):
    """Auxiliaries whose ControlNets, whatever their name, have the shape of one made from the UNet."""

    def net(self, settings: AuxiliarySettings) -> ControlNetModel:
        """A ControlNet without numbers."""
        if _ANY not in self._nets:
            self._nets[_ANY] = blueprint(self.unet, self.scale)
        return self._nets[_ANY]

    def frozen(self, settings: AuxiliarySettings) -> ControlNetModel:
        """The same, with room for them."""
        if _ANY not in self._frozen:
            self._frozen[_ANY] = _weightless(blueprint(self.unet, self.scale), self.unet.dtype)
        return self._frozen[_ANY]


def _weightless(module: Any, dtype: torch.dtype) -> Any:
    """`module`, frozen, with parameters of `dtype` in place of those it has on the meta device."""
    for part in module.modules():
        for name, parameter in list(part.named_parameters(recurse=False)):
            empty = torch.empty(parameter.shape, dtype=dtype)
            part.register_parameter(name, nn.Parameter(empty, requires_grad=False))
    return module.eval()
