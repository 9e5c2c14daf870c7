"""Stable Diffusion 1.x and 2.x as a prior: by folder, hub id or checkpoint file, or the built-in Toybox."""

from __future__ import annotations

import warnings
from collections import OrderedDict
from collections.abc import Sequence
from contextlib import nullcontext
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from diffusers import UNet2DConditionModel
from diffusers.models.attention_processor import AttnProcessor, AttnProcessor2_0
from torch import Tensor

from piva.auxiliary.controlnet import StackedControlNet
from piva.auxiliary.kinds import Auxiliaries
from piva.auxiliary.lora import StackedLoRA
from piva.auxiliary.settings import AuxiliarySettings
from piva.config import PriorConfig
from piva.errors import ConfigError, PreflightError
from piva.objectives import PREDICTIONS
from piva.priors import Segment, Tap
from piva.priors.features import SelfAttentionFeatures
from piva.priors.location import Location, fingerprint, locate, sizes
from piva.priors.pipelines import Components, read_checkpoint, read_pipeline
from piva.schedule import alphas_cumprod

_KEPT_PROMPTS, _ENCODED_TOGETHER = 1024, 64
SLICED_FROM = 64 * 64
"""Latents of so many positions go through the VAE one image at a time: at 512x512 a batch of them takes more memory
than the edit itself."""


class StableDiffusionPrior:
    """The frozen model. The UNet and the text encoder run in `dtype`, the VAE in float32; latents are float32.

    Args:
        folder: a diffusers Stable Diffusion pipeline, weights in safetensors; beside `checkpoint` its configuration.
        name: what it is called in records.
        fingerprint: of its weights; None hashes the files when first asked for.
        checkpoint: all weights in one .safetensors file, as the original code names them.
        device: where it runs.
        dtype: what the UNet runs in.
        channels_last: memory order of the UNet's weights; None: on an accelerator (on CPUs it was no faster).
        compile: compile the UNet.
        attention: how the UNet's attention is computed: sdpa, eager, sliced, or as diffusers does (auto).
        image_size: (H, W), multiples of the VAE's factor; None is what the model was trained for.
    """

    def __init__(
        self,
        folder: Path,
        *,
        name: str,
        fingerprint: str | None = None,
        checkpoint: Path | None = None,
        device: torch.device,
        dtype: torch.dtype = torch.float32,
        channels_last: bool | None = None,
        compile: bool = False,
        attention: str = "auto",
        image_size: tuple[int, int] | None = None,
    ):
        self.folder, self.name, self.device, self.dtype = folder, name, device, dtype
        self.half = dtype == torch.float16
        self._fingerprint, self._checkpoint = fingerprint, checkpoint
        self.text_encoder: Any
        self.unet, self.vae, self.text_encoder, self.tokenizer, scheduler = self._components()
        self.text_config = self.text_encoder.config  # stays when the encoder goes
        for part in (self.unet, self.vae, self.text_encoder):
            part.eval().requires_grad_(False).to(device)
        if channels_last or (channels_last is None and device.type != "cpu"):
            self.unet.to(memory_format=torch.channels_last)
        _set_attention(self.unet, attention)
        if compile:
            self.unet.compile()
        self.prediction = scheduler.get("prediction_type", "epsilon")
        if self.prediction not in PREDICTIONS:
            raise PreflightError(f"{name} predicts {self.prediction!r}; {' and '.join(PREDICTIONS)} can be used")
        self.abar = alphas_cumprod(scheduler)
        self._take_size(image_size)
        self._embeddings: OrderedDict[str, Tensor] = OrderedDict()
        self.cut_prompts: dict[str, str] = {}

    def _components(self) -> Components:
        if self._checkpoint is not None:
            return read_checkpoint(self._checkpoint, self.folder, self.dtype)
        return read_pipeline(self.folder, self.dtype)

    def _take_size(self, image_size: tuple[int, int] | None) -> None:
        """Image and latent size: those asked for, or those the model was trained for."""
        self._sizes = sizes(self.name, self.unet.config, self.vae.config, image_size)
        self.image_size, self.latent_shape = self._sizes.image, self._sizes.latent
        if self.latent_shape[1] * self.latent_shape[2] >= SLICED_FROM:
            self.vae.enable_slicing()

    @classmethod
    def from_config(cls, config: PriorConfig) -> StableDiffusionPrior:
        """The prior the configuration names."""
        return cls.load(**config.model_dump(exclude={"drop_text_encoder"}))

    @classmethod
    def load(
        cls,
        model: str = "toybox",
        revision: str | None = None,
        config: str | None = None,
        device: str = "auto",
        dtype: str = "auto",
        allow_download: bool = False,
        **options: Any,
    ) -> StableDiffusionPrior:
        """A prior from "toybox", a folder, a checkpoint file, or a hub id; `options` are the constructor's.

        A hub model, or the configuration of a checkpoint, is only looked for on this machine unless told otherwise.

        Raises:
            PreflightError: when the model, or the device, is not there; one sentence, and no wait for a network.
            ConfigError: when the settings do not fit the model.
        """
        return cls(**vars(locate(model, revision, config, device, dtype, allow_download)), **options)

    @cached_property
    def fingerprint(self) -> str:
        """Of everything that can change a score: weights and configuration, the dtype, and the image size."""
        place = Location(self.folder, self.name, self.device, self.dtype, self._fingerprint, self._checkpoint)
        return fingerprint(place, self._sizes)

    def encode(self, images: Tensor) -> Tensor:
        """Posterior means times the scaling factor [B,C,h,w] of images [B,3,H,W] in [0,1].

        Images that require grad get it; the VAE's own weights never do.
        """
        posterior = self.vae.encode(images.to(self.device, torch.float32) * 2 - 1).latent_dist
        return posterior.mean * self.vae.config.scaling_factor

    @torch.no_grad()
    def decode(self, latents: Tensor) -> Tensor:
        """Images [B,3,H,W] in [0,1], float32, of latents [B,C,h,w], wherever these lie."""
        z = latents.to(self.device, torch.float32) / self.vae.config.scaling_factor
        images = self.vae.decode(z, return_dict=False)[0]
        return ((images + 1) / 2).clamp(0, 1)

    @torch.no_grad()
    def embed(self, prompts: Sequence[str]) -> Tensor:
        """The text encoder's last hidden states [B,L,D]; a prompt seen before is not encoded again.

        Raises:
            ConfigError: a new prompt, after the text encoder was dropped.
        """
        missing = [prompt for prompt in dict.fromkeys(prompts) if prompt not in self._embeddings]
        if missing:
            self._remember(missing)
        found = torch.stack([self._embeddings[prompt] for prompt in prompts])
        while len(self._embeddings) > _KEPT_PROMPTS and self.text_encoder is not None:
            self._embeddings.popitem(last=False)
        return found.to(self.device)

    def drop_text_encoder(self, prompts: Sequence[str] = ()) -> None:
        """Encode these prompts, then free the text encoder. Embeddings lie in main memory from now on, and all stay."""
        missing = [prompt for prompt in dict.fromkeys(prompts) if prompt not in self._embeddings]
        for start in range(0, len(missing), _ENCODED_TOGETHER):
            self._remember(missing[start : start + _ENCODED_TOGETHER])
        self._embeddings = OrderedDict((prompt, states.cpu()) for prompt, states in self._embeddings.items())
        self.text_encoder = None

    @torch.no_grad()
    def _remember(self, prompts: list[str]) -> None:
        if self.text_encoder is None:
            raise ConfigError(f"--prior.drop-text-encoder: it was dropped before it met the prompt {prompts[0]!r}")
        for prompt, states in zip(prompts, self._encode_text(prompts), strict=True):
            self._embeddings[prompt] = states

    def _encode_text(self, prompts: list[str]) -> Tensor:
        longest = min(self.tokenizer.model_max_length, self.text_encoder.config.max_position_embeddings)
        tokens = self.tokenizer(prompts, padding="max_length", max_length=longest, truncation=True, return_tensors="pt")
        for prompt, length in zip(prompts, self.tokenizer(prompts, verbose=False)["input_ids"], strict=True):
            if len(length) > longest:
                start = prompt if len(prompt) < 60 else prompt[:57] + "..."
                self.cut_prompts[prompt] = f"has {len(length)} tokens, of which {self.name} reads {longest}"
                warnings.warn(f"prompt {start!r} {self.cut_prompts[prompt]}", stacklevel=2)
        mask = tokens["attention_mask"].to(self.device)
        uses_mask = getattr(self.text_encoder.config, "use_attention_mask", False)
        return self.text_encoder(tokens["input_ids"].to(self.device), attention_mask=mask if uses_mask else None)[0]

    def predict(
        self, x: Tensor, t: Tensor, embedding: Tensor, segments: Sequence[Segment] = (), tap: Tap | None = None
    ) -> Tensor:
        """The UNet's output [R,C,h,w], float32; the last rows go through the adapters of the segments."""
        x, t = x.to(self.device, self.dtype), t.to(self.device)
        watched = nullcontext() if tap is None else self.features.watched(tap, x.shape[-2:])
        with self.auxiliaries.at_work(segments, x, t, embedding) as residuals, watched:
            return self.unet(x, t, embedding, return_dict=False, **residuals)[0].float()

    @cached_property
    def features(self) -> SelfAttentionFeatures:
        """Where features are taken; nothing is watched until a method asks for them."""
        return SelfAttentionFeatures(self.unet)

    @cached_property
    def auxiliaries(self) -> Auxiliaries:
        """What psi and phi share."""
        return Auxiliaries(self.unet, 2 ** (len(self.vae.config.block_out_channels) - 1), self.device)

    def adapter(
        self, settings: AuxiliarySettings, seed: int, case_ids: Sequence[str]
    ) -> StackedLoRA | StackedControlNet:
        """New auxiliaries for these cases; unless they start from a given ControlNet, they change nothing yet."""
        return self.auxiliaries.adapter(settings, seed, case_ids)


def _set_attention(unet: UNet2DConditionModel, attention: str) -> None:
    """diffusers' own ways. (`set_attention_backend` does nothing for this UNet, whose processors read no backend.)"""
    if attention == "sdpa":
        unet.set_attn_processor(AttnProcessor2_0())
    elif attention == "eager":
        unet.set_attn_processor(AttnProcessor())
    elif attention == "sliced":
        unet.set_attention_slice("max")  # one head of one row at a time
