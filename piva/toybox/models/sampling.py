"""Pictures from a Stable Diffusion pipeline: batches of prompts with DDIM, and grids of prompts x seeds."""

from collections.abc import Sequence
from pathlib import Path

import torch
from diffusers import DDIMScheduler, StableDiffusionControlNetPipeline, StableDiffusionPipeline
from PIL import Image
from torch import Tensor

from piva.toybox.models.training import keyed_generator


@torch.no_grad()
def sample(
    pipeline: StableDiffusionPipeline | StableDiffusionControlNetPipeline,
    prompts: Sequence[str],
    seeds: Sequence[int],
    *,
    steps: int = 25,
    guidance: float = 5.0,
    batch_size: int = 64,
    condition: Tensor | None = None,
) -> Tensor:
    """Images [B,3,H,W] in [0,1], one per prompt and seed, with deterministic DDIM whatever the pipeline's scheduler.

    Args:
        pipeline: text to image, with a ControlNet or without.
        prompts: B texts.
        seeds: B numbers; the noise of a picture depends on its own seed alone.
        steps: DDIM steps.
        guidance: scale s of u + s (c - u).
        batch_size: pictures at once.
        condition: [B,3,H,W] in [0,1], what a ControlNet is given; none without one.
    """
    pipeline.scheduler = DDIMScheduler.from_config(pipeline.scheduler.config, set_alpha_to_one=False)
    pipeline.set_progress_bar_config(disable=True)
    pictures = []
    for start in range(0, len(prompts), batch_size):
        part = slice(start, start + batch_size)
        given = {} if condition is None else {"image": condition[part]}
        images = pipeline(
            list(prompts[part]),
            num_inference_steps=steps,
            guidance_scale=guidance,
            generator=[keyed_generator("sample", seed) for seed in seeds[part]],
            output_type="pt",
            **given,
        ).images
        pictures.append(images.float().cpu())
    return torch.cat(pictures)


def save_grid(images: Tensor, columns: int, path: Path, scale: int = 3) -> None:
    """Writes images [B,3,H,W] in [0,1] row by row into one PNG, each pixel `scale` pixels wide."""
    count, _, height, width = images.shape
    rows = -(-count // columns)
    sheet = torch.ones(3, rows * height, columns * width)
    for i, image in enumerate(images):
        y, x = (i // columns) * height, (i % columns) * width
        sheet[:, y : y + height, x : x + width] = image
    pixels = (sheet.clamp(0, 1) * 255).round().byte().permute(1, 2, 0).numpy()
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).resize((columns * width * scale, rows * height * scale), Image.Resampling.NEAREST).save(
        path
    )


def sample_grid(
    pipeline: StableDiffusionPipeline, prompts: Sequence[str], seeds: Sequence[int], path: Path, guidance: float = 5.0
) -> None:
    """Writes a PNG with a row per prompt and a column per seed."""
    rows = [prompt for prompt in prompts for _ in seeds]
    save_grid(sample(pipeline, rows, [*seeds] * len(prompts), guidance=guidance), len(seeds), path)
