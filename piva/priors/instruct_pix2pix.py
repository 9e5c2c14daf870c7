"""InstructPix2Pix models as priors: by folder or hub id, or the built-in Toybox's.

The UNet takes two latents side by side: the noised one, and that of the picture to edit, unscaled. Everything else is
Stable Diffusion's.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from piva.config import PriorConfig
from piva.errors import ConfigError
from piva.keys import file_hash
from piva.priors.facts import PriorFacts
from piva.priors.location import Location, locate
from piva.priors.pipelines import Components, content_hash, read_pipeline
from piva.priors.stable_diffusion import StableDiffusionPrior


def locate_instructed(*arguments: Any, **options: Any) -> Location:
    """As `piva.priors.location.locate`; of "toybox" the fingerprint covers the difference to the diffusion model too.

    Raises:
        ConfigError: for a checkpoint in one file, whose configuration nobody gives.
    """
    place = locate(*arguments, **options)
    if place.checkpoint is not None:
        raise ConfigError(f"--prior.model {place.checkpoint}: of InstructPix2Pix give a folder or a hub id")
    if place.name != "toybox":
        return place
    learned = file_hash(toybox_difference())[:32]
    return replace(place, name="toybox-instruct-pix2pix", fingerprint=f"{content_hash(place.folder)}+{learned}")


def toybox_difference() -> Path:
    """File of what the Toybox's InstructPix2Pix adds to its diffusion model. Raises MissingWeights."""
    from piva.toybox.models.instruct_pix2pix import WEIGHTS
    from piva.toybox.models.weights import folder

    return folder("instruct_pix2pix") / WEIGHTS


class InstructPix2PixPrior(StableDiffusionPrior):
    """The frozen model; see `StableDiffusionPrior`.

    Args:
        difference: low-rank difference to the pipeline in the folder, which is then Stable Diffusion's.
    """

    def __init__(self, folder: Path, *, difference: Path | None = None, **options: Any):
        self.difference = difference
        super().__init__(folder, **options)

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
    ) -> InstructPix2PixPrior:
        """A prior from "toybox", a folder or a hub id. Raises as `StableDiffusionPrior.load` does."""
        place = locate_instructed(model, revision, config, device, dtype, allow_download)
        return cls(**vars(place), difference=toybox_difference() if model == "toybox" else None, **options)

    def _components(self) -> Components:
        if self.difference is None:
            return read_pipeline(self.folder, self.dtype, inputs=2)
        from safetensors.torch import load_file

        from piva.toybox.models.instruct_pix2pix import InstructedUNet
        from piva.toybox.models.low_rank import merge

        parts = read_pipeline(self.folder, torch.float32)
        merge(InstructedUNet(parts.text_encoder, parts.unet), load_file(self.difference))
        for part in (parts.unet, parts.text_encoder):
            nn.Module.to(
                part, self.dtype
            )  # diffusers' own warns of layers to be kept in float32, of which there is none
        return parts

    @torch.no_grad()
    def condition(self, images: Tensor) -> Tensor:
        """What the UNet is given of pictures to edit, [B,3,H,W] in [0,1]: the posterior's mode, unscaled [B,C,h,w]."""
        mode: Tensor = self.vae.encode(images.to(self.device, torch.float32) * 2 - 1).latent_dist.mode()
        return mode


class InstructPix2PixFacts(PriorFacts):
    """An InstructPix2Pix prior that is not loaded; see `PriorFacts`."""

    def __init__(self, config: PriorConfig):
        super().__init__(config, locate_instructed)
