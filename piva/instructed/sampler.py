"""Editing pictures with an InstructPix2Pix prior: diffusers' DDIM, from noise or from a noised picture."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import torch
from diffusers import DDIMScheduler
from torch import Tensor

from piva.objectives import instructed_guided


class InstructedPrior(Protocol):
    """What the sampler needs of a prior (`piva.priors.instruct_pix2pix`)."""

    abar: Tensor
    prediction: str
    device: torch.device

    def encode(self, images: Tensor) -> Tensor: ...

    def condition(self, images: Tensor) -> Tensor: ...

    def decode(self, latents: Tensor) -> Tensor: ...

    def embed(self, prompts: Sequence[str]) -> Tensor: ...

    def predict(self, x: Tensor, t: Tensor, embedding: Tensor) -> Tensor: ...


class InstructedSampler:
    """Edits pictures by instruction.

    Args:
        guidance: s_T, towards the instruction.
        guidance_image: s_I, towards the picture to edit.
        steps: of DDIM in an edit.

    Attributes:
        rows: UNet rows that a picture took so far, all without gradient.
    """

    def __init__(self, prior: InstructedPrior, guidance: float, guidance_image: float, steps: int):
        self.prior, self.guidance, self.guidance_image, self.steps = prior, guidance, guidance_image, steps
        self.rows = 0

    @torch.no_grad()
    def edited(
        self, pictures: Tensor, instructions: Sequence[str], eps: Tensor, start: Tensor | None = None, top: int = 0
    ) -> Tensor:
        """Edits [B,3,H,W] in [0,1].

        Args:
            pictures: [B,3,H,W] in [0,1], which the instructions speak of.
            instructions: B texts.
            eps: noise [B,C,h,w].
            start: pictures [B,3,H,W] that are noised and sampled back; None starts from eps alone.
            top: the schedule's timesteps that are used, from 0 up; 0: all of them. (DDIM's first step is at the
                largest of `steps` evenly spaced ones below it, as Instruct-NeRF2NeRF has it.)
        """
        prior = self.prior
        scheduler = self._scheduler(top or len(prior.abar))
        x = eps if start is None else scheduler.add_noise(prior.encode(start), eps, scheduler.timesteps[:1])
        z_src, c = prior.condition(pictures), prior.embed([*instructions, *[""] * len(pictures)])
        text, nothing = c.chunk(2)
        states = torch.cat([nothing, nothing, text])  # [3B,L,D], the rows of u, i, c
        given = torch.cat([torch.zeros_like(z_src), z_src, z_src])
        for t in scheduler.timesteps.tolist():
            rows = torch.cat([x.repeat(3, 1, 1, 1), given], dim=1)  # [3B,2C,h,w]
            times = torch.full((len(rows),), t, device=prior.device)
            u, i, c_t = prior.predict(rows, times, states).chunk(3)
            self.rows += 3
            x = scheduler.step(instructed_guided(u, i, c_t, self.guidance_image, self.guidance), t, x).prev_sample
        return prior.decode(x)

    def _scheduler(self, top: int) -> Any:
        """diffusers' DDIM over the timesteps below `top`, with the prior's own abar: of that no betas are kept."""
        made: Any = DDIMScheduler(
            num_train_timesteps=top, prediction_type=self.prior.prediction, clip_sample=False,
            set_alpha_to_one=False, steps_offset=1,
        )  # fmt: skip
        made.alphas_cumprod = self.prior.abar.cpu()
        made.final_alpha_cumprod = made.alphas_cumprod[0]
        made.set_timesteps(self.steps)
        return made
