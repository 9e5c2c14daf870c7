"""The Toybox InstructPix2Pix (Brooks et al. 2023): the diffusion model, taught to follow instructions about pictures.

The UNet's first layer takes four channels more: the latents of the picture to edit, the mode of the autoencoder,
unscaled. Loss: that of the diffusion model (see `diffusion.py`) on the picture after the edit, given the one before it
and the instruction. Of the conditions, 5% of the rows lose the text, 5% the picture (zeros), and 5% both. It is kept as
a low-rank difference to the shipped diffusion model, text encoder included: most words of instructions are new to it.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import torch
from diffusers import DDIMScheduler, StableDiffusionInstructPix2PixPipeline, StableDiffusionPipeline
from diffusers.models.attention_processor import AttnProcessor
from pydantic import Field
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from piva.toybox.instructed import instructed_edit
from piva.toybox.models import low_rank, weights
from piva.toybox.models import tokenizer as tokenizers
from piva.toybox.models.diffusion import Captioned, cached_latents, scheduler, snr_weight
from piva.toybox.models.sampling import save_grid
from piva.toybox.models.training import TrainingSettings, fit, gaussian, keyed_generator, pick_device
from piva.toybox.render import render

WEIGHTS = "difference.safetensors"
SHEET_ROWS = 8
TEXT_GUIDANCE, IMAGE_GUIDANCE = 7.5, 1.5
"""What the paper's and the pipeline's defaults are."""


class Edited(Captioned, Protocol):
    """The pictures of a training set after an edit each."""

    instructions: list[str]  # N


class InstructPix2PixSettings(TrainingSettings):
    """Recipe of the InstructPix2Pix model."""

    steps: int = Field(4000, ge=1, description="Optimiser steps.")
    batch_size: int = Field(32, ge=1, description="Edits in a step.")
    learning_rate: float = Field(2e-3, gt=0, description="Peak learning rate, after warm-up; a cosine takes it to 0.")
    weight_decay: float = Field(0.0, ge=0, description="Decoupled weight decay (AdamW).")
    ema_decay: float = Field(0.998, ge=0, lt=1, description="Decay of the running average of the weights.")
    rank: int = Field(12, ge=1, description="Rank of the difference in every layer.")
    dropout: float = Field(
        0.05, ge=0, le=0.3, description="Share of rows without text; as many lose the picture, and as many both."
    )
    min_snr: float | None = Field(5.0, description="gamma of min-SNR weighting; None weighs all t alike.")
    sheet_every: int = Field(500, ge=1, description="Steps between sheets of edits, in FOLDER/instruct_pix2pix/sheets.")


class InstructedUNet(nn.Module):
    """Text encoder and UNet with eight input channels in one module."""

    def __init__(self, text_encoder: Any, unet: Any):
        super().__init__()
        self.text_encoder, self.unet = text_encoder, unet
        widen(unet)

    def forward(self, x_t: Tensor, t: Tensor, ids: Tensor, z_src: Tensor) -> Tensor:
        """eps_hat [B,4,h,w] of x_t [B,4,h,w] at t [B], given token ids [B,L] and the picture's latents [B,4,h,w]."""
        return self.unet(torch.cat([x_t, z_src], dim=1), t, self.text_encoder(ids).last_hidden_state).sample


@torch.no_grad()
def widen(unet: Any) -> None:
    """Gives a UNet four more input channels, in place, that change nothing yet."""
    old = unet.conv_in
    unet.conv_in = nn.Conv2d(8, old.out_channels, old.kernel_size, padding=old.padding).to(old.weight)
    unet.conv_in.weight.zero_()
    unet.conv_in.weight[:, :4] = old.weight
    unet.conv_in.bias.copy_(old.bias)
    unet.register_to_config(in_channels=8)


def build(settings: InstructPix2PixSettings, pipeline: StableDiffusionPipeline) -> InstructedUNet:
    """The model a training starts with, out of the pipeline's own parts."""
    model = InstructedUNet(pipeline.text_encoder, pipeline.unet)
    low_rank.adapt(model, settings.rank, settings.seed, whole=("unet.conv_in",))
    return model


def dropped(count: int, share: float, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Which rows lose the text and which the picture, bool [count] each: `share` the one, the other, and both."""
    u = torch.rand(count, generator=generator)
    return u < 2 * share, (u >= share) & (u < 3 * share)


class Sheet:
    """A look at a running training: rows of a dev picture, its true edit, and the edit by the averaged weights."""

    def __init__(self, pipeline: StableDiffusionPipeline, settings: InstructPix2PixSettings, folder: Path):
        edits = [instructed_edit(i, "dev") for i in range(SHEET_ROWS)]
        self.src, self.tgt = (render([getattr(e, side) for e in edits]).image for side in ("source", "target"))
        self.instructions = [edit.instruction for edit in edits]
        self.shown, self.pipeline, self.folder = build(settings, pipeline), with_image(pipeline), folder

    def write(self, step: int, state: dict[str, Tensor]) -> None:
        """Writes folder/<step>.png from the model's weights `state`."""
        self.shown.load_state_dict(state)
        found = edit_pictures(self.pipeline, self.src, self.instructions, range(SHEET_ROWS))
        save_grid(torch.stack([self.src, self.tgt, found], dim=1).flatten(0, 1), 3, self.folder / f"{step:06d}.png")


def train(
    settings: InstructPix2PixSettings, folder: Path, data: Captioned, edited: Edited, pipeline_folder: Path
) -> Path:
    """Trains the difference to the pipeline in a folder and writes folder/export (float16). Returns that path."""
    folder.mkdir(parents=True, exist_ok=True)
    device = pick_device(settings.device)
    pipeline, looked_at = (StableDiffusionPipeline.from_pretrained(pipeline_folder).to(device) for _ in range(2))
    vae, vae_folder = pipeline.vae, pipeline_folder / "vae"
    before = cached_latents(vae, vae_folder, data, folder, flip=False)[0]  # [N,4,16,16]
    after = cached_latents(vae, vae_folder, edited, folder, flip=False)[0]
    ids = tokenizers.tokenize(pipeline.tokenizer, edited.instructions)  # [N,L]
    no_text = tokenizers.tokenize(pipeline.tokenizer, [""])
    model = build(settings, pipeline)
    if device.type == "cpu":  # bfloat16 fused attention has a slow backward pass on CPUs
        model.unet.set_attn_processor(AttnProcessor())
        model.text_encoder.set_attn_implementation("eager")
    sheet = Sheet(looked_at, settings, folder / "sheets")
    abar = scheduler().alphas_cumprod

    def batch_loss(step: int, generator: torch.Generator) -> tuple[Tensor, dict[str, float]]:
        def choose(options: int) -> Tensor:
            return torch.randint(options, (settings.batch_size,), generator=generator)

        rows, t = choose(len(ids)), choose(len(abar))
        x_0 = after[rows].float()  # [B,4,16,16]
        eps = gaussian(tuple(x_0.shape), generator)
        no_words, no_picture = dropped(settings.batch_size, settings.dropout, generator)
        c = torch.where(no_words[:, None], no_text, ids[rows])  # [B,L]
        z_src = before[rows].float() / vae.config.scaling_factor * ~no_picture.view(-1, 1, 1, 1)
        abar_t = abar[t].view(-1, 1, 1, 1)
        x_t = abar_t.sqrt() * x_0 + (1 - abar_t).sqrt() * eps
        eps_hat = model(x_t.to(device), t.to(device), c.to(device), z_src.to(device)).float()
        error = (eps_hat - eps.to(device)).square().mean(dim=(1, 2, 3))  # [B]
        return (snr_weight(abar[t], settings.min_snr).to(device) * error).mean(), {"mse": error.mean().item()}

    def watch(step: int, average: dict[str, Tensor]) -> None:
        if step % settings.sheet_every == 0 or step == settings.steps:
            sheet.write(step, average)

    model.load_state_dict(fit("instruct_pix2pix", model, batch_loss, settings, folder, watch))
    export = folder / "export"
    export.mkdir(exist_ok=True)
    save_file(low_rank.difference(model), export / WEIGHTS, metadata={"format": "pt"})
    return export


def with_image(pipeline: StableDiffusionPipeline) -> StableDiffusionInstructPix2PixPipeline:
    """The plain diffusers pipeline that edits an `image`; it shares the parts of `pipeline`."""
    return StableDiffusionInstructPix2PixPipeline(**pipeline.components, requires_safety_checker=False)


def load_instruct_pix2pix(
    device: torch.device | str = "cpu", folder: Path | None = None, pipeline_folder: Path | None = None
) -> StableDiffusionInstructPix2PixPipeline:
    """The shipped model, or that in `folder`, merged into the diffusion model it was trained on; float32.

    Raises:
        MissingWeights: there is none.
    """
    pipeline = StableDiffusionPipeline.from_pretrained(pipeline_folder or weights.folder("diffusion"))
    model = InstructedUNet(pipeline.text_encoder, pipeline.unet)
    low_rank.merge(model, load_file((folder or weights.folder("instruct_pix2pix")) / WEIGHTS))
    return with_image(pipeline).to(device)


@torch.no_grad()
def edit_pictures(
    pipeline: StableDiffusionInstructPix2PixPipeline,
    images: Tensor,
    instructions: Sequence[str],
    seeds: Sequence[int],
    *,
    steps: int = 25,
    guidance: float = TEXT_GUIDANCE,
    image_guidance: float = IMAGE_GUIDANCE,
    batch_size: int = 64,
) -> Tensor:
    """Edits [B,3,H,W] in [0,1] of images of the same kind, from noise, with deterministic DDIM.

    Args:
        pipeline: any InstructPix2Pix pipeline.
        images: [B,3,H,W] in [0,1], to edit.
        instructions: B texts.
        seeds: B numbers; the noise of a picture depends on its own seed alone.
        steps: DDIM steps.
        guidance: s_T.
        image_guidance: s_I.
        batch_size: pictures at once.
    """
    pipeline.scheduler = DDIMScheduler.from_config(pipeline.scheduler.config, set_alpha_to_one=False)
    pipeline.set_progress_bar_config(disable=True)
    found = []
    for start in range(0, len(images), batch_size):
        part = slice(start, start + batch_size)
        made: Any = pipeline(
            list(instructions[part]),
            image=images[part],
            num_inference_steps=steps,
            guidance_scale=guidance,
            image_guidance_scale=image_guidance,
            generator=[keyed_generator("edit", seed) for seed in seeds[part]],
            output_type="pt",
        )
        found.append(made.images.float().cpu())
    return torch.cat(found)
