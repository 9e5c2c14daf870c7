"""The Toybox autoencoder: AutoencoderKL, [B,3,64,64] <-> latents [B,4,16,16], convolutional, about a million weights.

Loss: mean |x - y| + edge_weight mean |dx - dy| (d: differences of neighbouring pixels) + kl_weight KL, KL summed over
the latents of an image. Without attention it is convolutional, so most steps train on small crops.
"""

import json
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from diffusers import AutoencoderKL
from pydantic import Field
from torch import Tensor

from piva.toybox.models.training import TrainingSettings, fit, gaussian, pick_device


class Images(Protocol):
    """What the autoencoder needs of a training set."""

    images: Any  # uint8 [N,3,H,W], an array or a memory map


class VAESettings(TrainingSettings):
    """Recipe of the autoencoder."""

    steps: int = Field(4500, ge=1, description="Optimiser steps.")
    batch_size: int = Field(32, ge=1, description="Crops in a step; whole images: a quarter of it.")
    learning_rate: float = Field(2e-3, gt=0, description="Peak learning rate, after warm-up; a cosine takes it to 0.")
    weight_decay: float = Field(0.0, ge=0, description="Decoupled weight decay (AdamW).")
    ema_decay: float = Field(0.998, ge=0, lt=1, description="Decay of the running average of the weights.")
    channels: tuple[int, ...] = Field((32, 64, 64), description="Channels per level; all but the first halve.")
    layers_per_block: int = Field(1, ge=1, description="Residual blocks per level of the encoder.")
    crop: int = Field(32, ge=8, description="Side of the training crops in pixels.")
    whole_share: float = Field(0.15, ge=0, le=1, description="Share of the steps, the last ones, on whole images.")
    kl_weight: float = Field(1e-7, ge=0, description="Weight of the summed KL; at 1e-5 all channels but one died.")
    edge_weight: float = Field(0.5, ge=0, description="Weight of the difference between the images' gradients.")


def build(settings: VAESettings) -> AutoencoderKL:
    """An untrained autoencoder; the global generator must be seeded by the caller."""
    levels = len(settings.channels)
    return AutoencoderKL(
        in_channels=3,
        out_channels=3,
        latent_channels=4,
        sample_size=64,
        down_block_types=("DownEncoderBlock2D",) * levels,
        up_block_types=("UpDecoderBlock2D",) * levels,
        block_out_channels=settings.channels,
        layers_per_block=settings.layers_per_block,
        norm_num_groups=8,
        mid_block_add_attention=False,
    )


def image_batch(images: Any, indices: Tensor) -> Tensor:
    """Float images [B,3,H,W] in [0,1] of a uint8 array [N,3,H,W]."""
    return torch.as_tensor(np.asarray(images[indices.numpy()])).float() / 255


def busy_crops(images: Tensor, side: int, generator: torch.Generator) -> Tensor:
    """One crop [B,3,side,side] per image: of three random ones the busiest, so that objects outweigh sky and ground."""
    height, width = images.shape[-2:]
    top = torch.randint(height - side + 1, (3, len(images)), generator=generator)
    left = torch.randint(width - side + 1, (3, len(images)), generator=generator)
    crops = []
    for image, rows, columns in zip(images, top.T.tolist(), left.T.tolist(), strict=True):
        options = [image[:, r : r + side, c : c + side] for r, c in zip(rows, columns, strict=True)]
        crops.append(max(options, key=lambda crop: crop.std().item()))
    return torch.stack(crops)


def edge_distance(a: Tensor, b: Tensor) -> Tensor:
    """Mean absolute difference of the horizontal and vertical finite differences of two batches [B,3,H,W]."""
    return (a.diff(dim=-1) - b.diff(dim=-1)).abs().mean() + (a.diff(dim=-2) - b.diff(dim=-2)).abs().mean()


def train(settings: VAESettings, folder: Path, data: Images) -> Path:
    """Trains the autoencoder, sets its scaling factor and writes it to folder/export (float16). Returns that path."""
    device = pick_device(settings.device)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        vae = build(settings).to(device)
    whole_from = round(settings.steps * (1 - settings.whole_share))

    def batch_loss(step: int, generator: torch.Generator) -> tuple[Tensor, dict[str, float]]:
        whole = step >= whole_from
        count = max(1, settings.batch_size // 4) if whole else settings.batch_size
        pixels = image_batch(data.images, torch.randint(len(data.images), (count,), generator=generator))
        if not whole:
            pixels = busy_crops(pixels, settings.crop, generator)
        x = (2 * pixels - 1).to(device)  # the VAE's range
        posterior = vae.encode(x).latent_dist
        noise = gaussian(tuple(posterior.mean.shape), generator).to(device)
        z = posterior.mean + posterior.std * noise
        y = vae.decode(z).sample.float()
        kl = posterior.kl().float().mean()  # summed over an image's latents
        loss = (x - y).abs().mean() + settings.edge_weight * edge_distance(x, y) + settings.kl_weight * kl
        with torch.no_grad():
            mse = ((x - y) / 2).square().mean(dim=(1, 2, 3))  # in [0,1] units
            psnr = (-10 * mse.log10()).mean().item()
            stds = {f"std_{i}": s for i, s in enumerate(posterior.mean.float().std(dim=(0, 2, 3)).tolist())}
        return loss, {"psnr": psnr, "kl": kl.item(), **stds}

    vae.load_state_dict(fit("vae", vae, batch_loss, settings, folder))
    vae.eval()
    stds = latent_stds(vae, data)
    vae.register_to_config(scaling_factor=1 / stds.square().mean().sqrt().item())
    export = folder / "export"
    vae.half().save_pretrained(export)
    (folder / "latents.json").write_text(json.dumps({"std_per_channel": stds.tolist()}) + "\n", encoding="utf-8")
    return export


@torch.no_grad()
def latent_stds(vae: AutoencoderKL, data: Images, count: int = 512) -> Tensor:
    """Standard deviation per channel [4] of the posterior means of the first `count` images, unscaled."""
    latents = encode(vae, data.images, torch.arange(min(count, len(data.images))), scaled=False)
    return latents.std(dim=(0, 2, 3))


@torch.no_grad()
def encode(vae: AutoencoderKL, images: Any, indices: Tensor, *, scaled: bool = True, flip: bool = False) -> Tensor:
    """Posterior means [B,4,H/4,W/4] of the images at `indices`, times the scaling factor unless told otherwise."""
    chunks = []
    for part in indices.split(64):
        pixels = image_batch(images, part)
        pixels = pixels.flip(-1) if flip else pixels
        chunks.append(vae.encode((2 * pixels - 1).to(vae.device, vae.dtype)).latent_dist.mean.float().cpu())
    return torch.cat(chunks) * (vae.config.scaling_factor if scaled else 1.0)


@torch.no_grad()
def round_trip(vae: AutoencoderKL, images: Tensor) -> Tensor:
    """Images [B,3,H,W] in [0,1] through the autoencoder and back, clamped to [0,1]."""
    latents = vae.encode(2 * images - 1).latent_dist.mean
    return (vae.decode(latents).sample / 2 + 0.5).clamp(0, 1)
