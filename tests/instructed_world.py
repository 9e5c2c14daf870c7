"""InstructPix2Pix for tests: a tiny pipeline of the real classes, and a prior whose edits are known."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch
from diffusers import StableDiffusionInstructPix2PixPipeline, StableDiffusionPipeline, UNet2DConditionModel
from scene_world import ball_case
from torch import Tensor

from piva.data.scenes import Views
from piva.scenes.editing import SceneCase


def save_tiny_instructed(plain: Path, folder: Path) -> Path:
    """The tiny Stable Diffusion in `plain` with a random UNet of eight input channels, as an InstructPix2Pix folder."""
    parts = StableDiffusionPipeline.from_pretrained(plain).components
    with torch.random.fork_rng():
        torch.manual_seed(1)
        unet = UNet2DConditionModel.from_config({**parts["unet"].config, "in_channels": 8})
        torch.nn.init.normal_(unet.conv_out.weight, std=0.1)
        for name, weight in unet.named_parameters():
            if "attn2.to_out" in name or "attn2.to_v" in name or name == "conv_in.weight":
                weight.data.mul_(3)
    pipeline = StableDiffusionInstructPix2PixPipeline(**{**parts, "unet": unet}, requires_safety_checker=False)
    pipeline.save_pretrained(folder, safe_serialization=True)
    return folder


class TintPrior:
    """Latents are pictures in [-1,1]; every edit ends in a picture of one colour, whatever it starts from.

    The network's answer is the noise between x_t and that picture. Without text it is the same: guidance changes
    nothing.
    """

    name, fingerprint, prediction, half = "tint", "tint", "epsilon", False
    image_size, latent_shape, device = (32, 32), (3, 32, 32), torch.device("cpu")

    def __init__(self, color: Sequence[float] = (0.1, 0.2, 0.9)):
        self.color = torch.tensor(color).view(1, 3, 1, 1)
        self.abar = torch.linspace(0.99999, 0.01, 1000)
        self.cut_prompts: dict[str, str] = {}
        self.given: list[tuple[Tensor, list[int]]] = []
        """Of every call: what pictures it was given, and t."""

    def encode(self, images: Tensor) -> Tensor:
        return 2 * images - 1

    condition = encode

    def decode(self, latents: Tensor) -> Tensor:
        return ((latents + 1) / 2).clamp(0, 1)

    def embed(self, prompts: Sequence[str]) -> Tensor:
        return torch.tensor([[[float(len(prompt))]] for prompt in prompts])

    def predict(self, x: Tensor, t: Tensor, embedding: Tensor) -> Tensor:
        x_t, given = x.chunk(2, dim=1)
        self.given.append((given, t.tolist()))
        abar = self.abar[t].view(-1, 1, 1, 1)
        return (x_t - abar.sqrt() * (2 * self.color - 1)) / (1 - abar).sqrt()


def instructed_case(instruction: str = "make it blue") -> SceneCase:
    """The ball with photographs of it, 48x64, from its six cameras."""
    case = ball_case()
    with torch.no_grad():
        images = case.source.render(case.cameras).image
    views = Views(case.cameras, images, tuple(f"{k}.png" for k in range(len(images))))
    return replace(case, instruction=instruction, captured=views)
