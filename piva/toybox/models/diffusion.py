"""The Toybox diffusion model: a small Stable Diffusion on the autoencoder's latents [B,4,16,16].

Loss: E_{t,eps} [ w(t) mean (eps_hat(x_t, t, c) - eps)^2 ], x_t = sqrt(abar_t) x_0 + sqrt(1 - abar_t) eps, with SD's
betas and w(t) = min(snr_t, gamma) / snr_t (Hang et al. 2023, min-SNR for epsilon prediction), snr = abar / (1 - abar).
The text encoder is trained jointly; a share of the captions is dropped, which is what guidance needs.
"""

import json
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from diffusers import AutoencoderKL, DDPMScheduler, StableDiffusionPipeline, UNet2DConditionModel
from diffusers.models.attention_processor import AttnProcessor
from pydantic import Field
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from piva.toybox.models import tokenizer as tokenizers
from piva.toybox.models.training import (
    TrainingSettings,
    average_in_checkpoint,
    computes_in_bfloat16,
    fit,
    forget_folders,
    gaussian,
    keyed_seed,
    pick_device,
    write_atomically,
)
from piva.toybox.models.vae import encode
from piva.toybox.scene import Scene


class Captioned(Protocol):
    """What the diffusion model needs of a training set."""

    images: Any  # uint8 [N,3,64,64], an array or a memory map
    scenes: list[Scene]  # N


class DiffusionSettings(TrainingSettings):
    """Recipe of the text encoder and the UNet."""

    steps: int = Field(5000, ge=1, description="Optimiser steps.")
    learning_rate: float = Field(1e-3, gt=0, description="Peak learning rate, after warm-up; a cosine takes it to 0.")
    warmup_steps: int = Field(200, ge=0, description="Steps over which the learning rate rises from 0 to its peak.")
    channels: tuple[int, ...] = Field((64, 96, 128), description="UNet channels per level; a head has 32 of them.")
    layers_per_block: int = Field(1, ge=1, description="Residual (and attention) blocks per level of the UNet.")
    text_width: int = Field(128, ge=32, description="Width of the text encoder, and of cross-attention.")
    text_layers: int = Field(4, ge=1, description="Layers of the text encoder.")
    caption_dropout: float = Field(0.1, ge=0, le=1, description="Share of captions replaced by the empty one.")
    paraphrases: int = Field(4, ge=0, description="Wordings per scene beside the canonical one.")
    min_snr: float | None = Field(5.0, description="gamma of min-SNR weighting; None weighs all t alike.")
    flip: bool = Field(True, description="Trains on mirrored pictures too; no caption says left or right.")


class TextAndUNet(nn.Module):
    """What is trained: text encoder and UNet in one module."""

    def __init__(self, settings: DiffusionSettings, tokenizer: CLIPTokenizer):
        super().__init__()
        heads = [max(1, c // 32) for c in settings.channels]
        levels = len(settings.channels)
        self.text_encoder = CLIPTextModel(
            CLIPTextConfig(
                vocab_size=len(tokenizer),
                hidden_size=settings.text_width,
                intermediate_size=4 * settings.text_width,
                projection_dim=settings.text_width,
                num_hidden_layers=settings.text_layers,
                num_attention_heads=settings.text_width // 32,
                max_position_embeddings=tokenizer.model_max_length,
                bos_token_id=tokenizer.bos_token_id,
                eos_token_id=tokenizer.eos_token_id,
                pad_token_id=tokenizer.pad_token_id,
            )
        )
        self.unet = UNet2DConditionModel(
            sample_size=16,
            in_channels=4,
            out_channels=4,
            block_out_channels=settings.channels,
            down_block_types=("DownBlock2D",) + ("CrossAttnDownBlock2D",) * (levels - 1),
            up_block_types=("CrossAttnUpBlock2D",) * (levels - 1) + ("UpBlock2D",),
            layers_per_block=settings.layers_per_block,
            cross_attention_dim=settings.text_width,
            attention_head_dim=heads,  # diffusers reads the NUMBER of heads from this name
            norm_num_groups=16,
        )

    def forward(self, x_t: Tensor, t: Tensor, ids: Tensor) -> Tensor:
        """eps_hat [B,4,16,16] of x_t [B,4,16,16] at t [B], given token ids [B,L]."""
        return self.unet(x_t, t, self.text_encoder(ids).last_hidden_state).sample


def scheduler() -> DDPMScheduler:
    """Stable Diffusion's betas, epsilon prediction."""
    return DDPMScheduler(
        num_train_timesteps=1000,
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        prediction_type="epsilon",
        clip_sample=False,
        steps_offset=1,
        timestep_spacing="leading",
    )


def cached_latents(vae: AutoencoderKL, vae_folder: Path, data: Captioned, folder: Path, flip: bool) -> Tensor:
    """Scaled posterior means [1 or 2,N,4,16,16] (float16), plain then mirrored, encoded once and kept in `folder`."""
    weights = (vae_folder / "diffusion_pytorch_model.safetensors").read_bytes()
    sample = np.asarray(data.images[:: max(1, len(data.images) // 64)]).tobytes()
    key = keyed_seed(weights, sample, len(data.images), flip)
    path = folder / f"latents-{key:016x}.safetensors"
    if not path.exists():
        everything = torch.arange(len(data.images))
        with torch.autocast(vae.device.type, torch.bfloat16, enabled=computes_in_bfloat16(vae.device, "auto")):
            views = [encode(vae, data.images, everything, flip=f) for f in ([False, True] if flip else [False])]
        write_atomically(path, lambda part: save_file({"latents": torch.stack(views).half()}, part))
    return load_file(path)["latents"]


def snr_weight(abar_t: Tensor, gamma: float | None) -> Tensor:
    """w(t) [B] = min(snr, gamma) / snr of abar_t [B] with snr = abar / (1 - abar); all ones without a gamma."""
    if gamma is None:
        return torch.ones_like(abar_t)
    snr = abar_t / (1 - abar_t)
    return snr.clamp(max=gamma) / snr


def build(settings: DiffusionSettings, tokenizer: CLIPTokenizer) -> TextAndUNet:
    """The untrained model of a recipe, the same for the same seed; leaves the global generator as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        return TextAndUNet(settings, tokenizer)


def train(settings: DiffusionSettings, folder: Path, data: Captioned, vae_folder: Path) -> Path:
    """Trains text encoder and UNet and writes folder/export, a StableDiffusionPipeline folder. Returns that path."""
    folder.mkdir(parents=True, exist_ok=True)
    device = pick_device(settings.device)
    vae = AutoencoderKL.from_pretrained(vae_folder).float().eval()
    latents = cached_latents(vae.to(device), vae_folder, data, folder, settings.flip)
    captions = tokenizers.wordings(data.scenes, settings.paraphrases)
    tokenizer = tokenizers.prepare(folder / "tokenizer", captions)
    ids = tokenizers.token_table(tokenizer, captions)  # [P,N,L]
    no_caption = tokenizers.tokenize(tokenizer, [""])
    model = build(settings, tokenizer).to(device)
    if device.type == "cpu":  # bfloat16 fused attention has a slow backward pass on CPUs
        model.unet.set_attn_processor(AttnProcessor())
        model.text_encoder.set_attn_implementation("eager")
    abar = scheduler().alphas_cumprod

    def batch_loss(step: int, generator: torch.Generator) -> tuple[Tensor, dict[str, float]]:
        def choose(options: int) -> Tensor:
            return torch.randint(options, (settings.batch_size,), generator=generator)

        rows, view, wording, t = (choose(n) for n in (latents.shape[1], len(latents), len(ids), len(abar)))
        x_0 = latents[view, rows].float()  # [B,4,16,16]
        eps = gaussian(tuple(x_0.shape), generator)
        dropped = torch.rand(settings.batch_size, generator=generator) < settings.caption_dropout
        c = torch.where(dropped[:, None], no_caption, ids[wording, rows].long())  # [B,L]
        abar_t = abar[t].view(-1, 1, 1, 1)
        x_t = abar_t.sqrt() * x_0 + (1 - abar_t).sqrt() * eps
        eps_hat = model(x_t.to(device), t.to(device), c.to(device)).float()
        error = (eps_hat - eps.to(device)).square().mean(dim=(1, 2, 3))  # [B]
        w = snr_weight(abar[t], settings.min_snr).to(device)
        return (w * error).mean(), {"mse": error.mean().item()}

    model.load_state_dict(fit("diffusion", model, batch_loss, settings, folder))
    return export(model, vae, tokenizer, folder / "export")


def export(model: TextAndUNet, vae: AutoencoderKL, tokenizer: CLIPTokenizer, folder: Path) -> Path:
    """Writes the pipeline folder, float16 weights; it loads as float32 unless its reader asks for something else."""
    assemble(model.half(), vae.half(), tokenizer).save_pretrained(folder)
    tokenizers.save(tokenizer, folder / "tokenizer")
    forget_folders(folder)
    config = folder / "text_encoder" / "config.json"  # transformers would load the text encoder alone as float16
    config.write_text(json.dumps(json.loads(config.read_text()) | {"dtype": "float32"}, indent=2) + "\n")
    return folder


def assemble(model: TextAndUNet, vae: AutoencoderKL, tokenizer: CLIPTokenizer) -> StableDiffusionPipeline:
    """The plain diffusers pipeline of the trained parts."""
    return StableDiffusionPipeline(
        vae=vae,
        text_encoder=model.text_encoder,
        tokenizer=tokenizer,
        unet=model.unet,
        scheduler=scheduler(),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )


def pipeline_in_checkpoint(settings: DiffusionSettings, folder: Path, vae_folder: Path) -> StableDiffusionPipeline:
    """The pipeline of a training that may still be running, with the averaged weights of its checkpoint."""
    tokenizer = CLIPTokenizer.from_pretrained(folder / "tokenizer")
    model = build(settings, tokenizer)
    model.load_state_dict(average_in_checkpoint(folder))
    return assemble(model.eval(), AutoencoderKL.from_pretrained(vae_folder).float(), tokenizer)
