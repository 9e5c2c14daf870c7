"""The Toybox autoencoder: AutoencoderKL, [B,3,64,64] <-> latents [B,4,16,16], convolutional, about a million weights.

Loss: mean |x - y| + edge_weight mean |dx - dy| + color_weight mean (mean_4x4 x - mean_4x4 y)^2 + kl_weight KL, with d
the differences of neighbouring pixels and KL summed over the latents of an image. Absolute differences alone let small
objects take on another hue, which the colour term, quadratic in what a latent cell covers, does not. Without attention
the autoencoder is convolutional, so most steps train on small crops.
"""

import json
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
import torch.nn.functional as F
from diffusers import AutoencoderKL
from pydantic import Field
from torch import Tensor

from piva.toybox.models.training import TrainingSettings, fit, forget_folders, gaussian, pick_device


class Images(Protocol):
    """What the autoencoder needs of a training set."""

    images: Any  # uint8 [N,3,H,W], an array or a memory map


class VAESettings(TrainingSettings):
    """Recipe of the autoencoder."""

    steps: int = Field(6000, ge=1, description="Optimiser steps.")
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
    color_weight: float = Field(20.0, ge=0, description="Weight of the squared difference of 4x4 pixel means.")
    start: Path | None = Field(None, description="Folder of an autoencoder to start from.")
    decoder_only: bool = Field(False, description="Leaves the encoder, and so the latents, as they are in `start`.")


def build(settings: VAESettings) -> AutoencoderKL:
    """An untrained autoencoder."""
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


def initial(settings: VAESettings) -> AutoencoderKL:
    """The autoencoder a training starts with; leaves the global generator as it was."""
    if settings.start is not None:
        vae = AutoencoderKL.from_pretrained(settings.start).float()
    else:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(settings.seed)
            vae = build(settings)
    if settings.decoder_only:
        vae.encoder.requires_grad_(False)
        vae.quant_conv.requires_grad_(False)
    return vae


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


def color_distance(a: Tensor, b: Tensor, cell: int = 4) -> Tensor:
    """Mean squared difference of the means over cells of `cell` x `cell` pixels of two batches [B,3,H,W]."""
    return (F.avg_pool2d(a, cell) - F.avg_pool2d(b, cell)).square().mean()


def reconstruction_loss(x: Tensor, y: Tensor, settings: VAESettings) -> Tensor:
    """The loss above without its KL, of originals and reconstructions [B,3,H,W] in [-1,1]."""
    edges, colors = edge_distance(x, y), color_distance(x, y)
    return (x - y).abs().mean() + settings.edge_weight * edges + settings.color_weight * colors


def progress(x: Tensor, y: Tensor, latents: Tensor) -> dict[str, float]:
    """Mean PSNR in dB of images in [-1,1], and the standard deviation per latent channel: a dead one shows at once."""
    mse = ((x - y) / 2).square().mean(dim=(1, 2, 3))
    stds = latents.std(dim=(0, 2, 3)).tolist()
    return {"psnr": (-10 * mse.log10()).mean().item(), **{f"std_{i}": std for i, std in enumerate(stds)}}


def train(settings: VAESettings, folder: Path, data: Images) -> Path:
    """Trains the autoencoder, sets its scaling factor and writes it to folder/export (float16). Returns that path."""
    device = pick_device(settings.device)
    vae = initial(settings).to(device)
    whole_from = round(settings.steps * (1 - settings.whole_share))

    def batch_loss(step: int, generator: torch.Generator) -> tuple[Tensor, dict[str, float]]:
        whole = step >= whole_from
        count = max(1, settings.batch_size // 4) if whole else settings.batch_size
        pixels = image_batch(data.images, torch.randint(len(data.images), (count,), generator=generator))
        if not whole:
            pixels = busy_crops(pixels, settings.crop, generator)
        x = (2 * pixels - 1).to(device)  # the VAE's range
        with torch.set_grad_enabled(not settings.decoder_only):
            posterior = vae.encode(x).latent_dist
        noise = gaussian(tuple(posterior.mean.shape), generator).to(device)
        z = posterior.mean + posterior.std * noise
        y = vae.decode(z).sample.float()
        kl = posterior.kl().float().mean()  # summed over an image's latents
        loss = reconstruction_loss(x, y, settings) + settings.kl_weight * kl
        return loss, {"kl": kl.item(), **progress(x, y.detach(), posterior.mean.detach().float())}

    vae.load_state_dict(fit("vae", vae, batch_loss, settings, folder))
    vae.eval()
    stds = latent_stds(vae, data)
    if not settings.decoder_only:
        vae.register_to_config(scaling_factor=1 / stds.square().mean().sqrt().item())
    export = folder / "export"
    vae.half().save_pretrained(export)
    forget_folders(export)
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
