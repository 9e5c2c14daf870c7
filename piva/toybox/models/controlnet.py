"""The Toybox depth ControlNet (Zhang et al. 2023): a copy of the UNet's encoder that reads a depth beside the latents.

It is trained with the loss of the diffusion model whose UNet it steers (see `diffusion.py`); UNet and text encoder stay
as they are. Only the ControlNet and the UNet's decoder need a backward pass. Condition: `piva.data.depth`.
"""

from pathlib import Path

import numpy as np
import torch
from diffusers import ControlNetModel, StableDiffusionControlNetPipeline, StableDiffusionPipeline, UNet2DConditionModel
from diffusers.models.attention_processor import AttnProcessor
from pydantic import Field
from torch import Tensor

from piva.data.depth import depth_condition
from piva.toybox.captions import caption
from piva.toybox.models import tokenizer as tokenizers
from piva.toybox.models import weights
from piva.toybox.models.diffusion import Captioned, cached_latents, scheduler, snr_weight
from piva.toybox.models.sampling import sample, save_grid
from piva.toybox.models.training import TrainingSettings, fit, forget_folders, gaussian, pick_device
from piva.toybox.render import render
from piva.toybox.scene import sample_scene
from piva.toybox.training_set import Geometry

SHEET_ROWS = 8


class ControlNetSettings(TrainingSettings):
    """Recipe of the depth ControlNet. Many small steps: its zero convolutions have to leave zero before it learns."""

    steps: int = Field(8000, ge=1, description="Optimiser steps.")
    batch_size: int = Field(32, ge=1, description="Images in a step.")
    learning_rate: float = Field(5e-4, gt=0, description="Peak learning rate, after warm-up; a cosine takes it to 0.")
    warmup_steps: int = Field(200, ge=0, description="Steps over which the learning rate rises from 0 to its peak.")
    embedding_channels: tuple[int, ...] = Field(
        (16, 32, 64), description="Channels of the layers that bring the depth to the latents' size; each halves it."
    )
    caption_dropout: float = Field(
        0.5,
        ge=0,
        le=1,
        description="Share of captions replaced by the empty one, so that the depth is read without one.",
    )
    paraphrases: int = Field(4, ge=0, description="Wordings per scene beside the canonical one.")
    min_snr: float | None = Field(5.0, description="gamma of min-SNR weighting; None weighs all t alike.")
    sheet_every: int = Field(500, ge=1, description="Steps between sheets of samples, in FOLDER/controlnet/sheets.")


def build(settings: ControlNetSettings, unet: UNet2DConditionModel) -> ControlNetModel:
    """A ControlNet that starts as a copy of the UNet's encoder and changes nothing yet; the global generator stays."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        return ControlNetModel.from_unet(unet, conditioning_embedding_out_channels=settings.embedding_channels)


def steered(
    unet: UNet2DConditionModel, controlnet: ControlNetModel, x_t: Tensor, t: Tensor, c: Tensor, condition: Tensor
) -> Tensor:
    """eps_hat [B,4,h,w] of x_t [B,4,h,w] at t [B], given text states [B,L,D] and a depth condition [B,3,H,W]."""
    down, middle = controlnet(x_t, t, c, condition, return_dict=False)
    return unet(x_t, t, c, down_block_additional_residuals=down, mid_block_additional_residual=middle).sample


def with_controlnet(
    pipeline: StableDiffusionPipeline, controlnet: ControlNetModel
) -> StableDiffusionControlNetPipeline:
    """The plain diffusers pipeline that takes a depth condition as its `image`; it shares the parts of `pipeline`."""
    return StableDiffusionControlNetPipeline(
        **pipeline.components, controlnet=controlnet, requires_safety_checker=False
    )


class Sheet:
    """A look at a running training: a row per dev scene with its depth, its render, and samples without and with it.

    Both samples have the same caption and the same noise.
    """

    def __init__(self, pipeline: StableDiffusionPipeline, shown: ControlNetModel, folder: Path):
        scenes = [sample_scene(i, "dev") for i in range(SHEET_ROWS)]
        rendering = render(scenes)
        self.condition, self.renders = depth_condition(rendering.depth), rendering.image
        self.prompts = [caption(scene) for scene in scenes]
        self.free = sample(pipeline, self.prompts, range(SHEET_ROWS))
        self.pipeline, self.folder = with_controlnet(pipeline, shown), folder

    def write(self, step: int, state: dict[str, Tensor]) -> None:
        """Writes folder/<step>.png from the ControlNet's weights `state`."""
        self.pipeline.controlnet.load_state_dict(state)
        led = sample(self.pipeline, self.prompts, range(SHEET_ROWS), condition=self.condition)
        rows = torch.stack([self.condition, self.renders, self.free, led], dim=1)  # [R,4,3,H,W]
        save_grid(rows.flatten(0, 1), 4, self.folder / f"{step:06d}.png")


def train(
    settings: ControlNetSettings, folder: Path, data: Captioned, geometry: Geometry, pipeline_folder: Path
) -> Path:
    """Trains a ControlNet for the pipeline in a folder and writes folder/export (float16). Returns that path."""
    folder.mkdir(parents=True, exist_ok=True)
    device = pick_device(settings.device)
    pipeline = StableDiffusionPipeline.from_pretrained(pipeline_folder).to(device)
    for part in (pipeline.unet, pipeline.text_encoder, pipeline.vae):
        part.requires_grad_(False)
    latents = cached_latents(pipeline.vae, pipeline_folder / "vae", data, folder, flip=False)[0]  # [N,4,16,16]
    ids = tokenizers.token_table(pipeline.tokenizer, tokenizers.wordings(data.scenes, settings.paraphrases))  # [P,N,L]
    no_caption = tokenizers.tokenize(pipeline.tokenizer, [""])
    model, shown = (build(settings, pipeline.unet).to(device) for _ in range(2))
    if device.type == "cpu":  # bfloat16 fused attention has a slow backward pass on CPUs
        pipeline.unet.set_attn_processor(AttnProcessor())
        model.set_attn_processor(AttnProcessor())
    sheet = Sheet(pipeline, shown, folder / "sheets")
    abar = scheduler().alphas_cumprod

    def batch_loss(step: int, generator: torch.Generator) -> tuple[Tensor, dict[str, float]]:
        def choose(options: int) -> Tensor:
            return torch.randint(options, (settings.batch_size,), generator=generator)

        rows, wording, t = (choose(n) for n in (len(latents), len(ids), len(abar)))
        x_0 = latents[rows].float()  # [B,4,16,16]
        eps = gaussian(tuple(x_0.shape), generator)
        dropped = torch.rand(settings.batch_size, generator=generator) < settings.caption_dropout
        words = torch.where(dropped[:, None], no_caption, ids[wording, rows].long())  # [B,L]
        condition = depth_condition(torch.from_numpy(np.array(geometry.depth[rows.numpy()])))
        abar_t = abar[t].view(-1, 1, 1, 1)
        x_t = abar_t.sqrt() * x_0 + (1 - abar_t).sqrt() * eps
        with torch.no_grad():
            c = pipeline.text_encoder(words.to(device)).last_hidden_state
        eps_hat = steered(pipeline.unet, model, x_t.to(device), t.to(device), c, condition.to(device)).float()
        error = (eps_hat - eps.to(device)).square().mean(dim=(1, 2, 3))  # [B]
        w = snr_weight(abar[t], settings.min_snr).to(device)
        return (w * error).mean(), {"mse": error.mean().item()}

    def watch(step: int, average: dict[str, Tensor]) -> None:
        if step % settings.sheet_every == 0 or step == settings.steps:
            sheet.write(step, average)

    model.load_state_dict(fit("controlnet", model, batch_loss, settings, folder, watch))
    model.half().save_pretrained(folder / "export")
    forget_folders(folder / "export")
    return folder / "export"


def load_controlnet(device: torch.device | str = "cpu", folder: Path | None = None) -> ControlNetModel:
    """The shipped ControlNet, or the one in `folder`, in float32 and evaluation mode.

    Raises:
        MissingWeights: there is none.
    """
    return ControlNetModel.from_pretrained(folder or weights.folder("controlnet")).float().to(device).eval()
