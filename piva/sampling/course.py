"""A batch on its way through a schedule: diffusers' own DDIM schedulers around the score engine's rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from diffusers import DDIMInverseScheduler, DDIMScheduler
from torch import Tensor

from piva import noise
from piva.case_history import CaseHistory
from piva.editing import EditInput
from piva.objectives import cfg_guided
from piva.priors import Prior
from piva.scores import Row, ScoreEngine
from piva.step import UNCONDITIONAL, Prompt

OnStep = Callable[[dict[str, Any]], None]


class SamplingCourse:
    """A batch on its way: up the schedule, by noise or by inversion, and down again.

    Args:
        steps: of the sampler over the whole schedule.
        made: how many of them are made, the last ones.
    """

    def __init__(
        self,
        prior: Prior,
        inputs: Sequence[EditInput],
        steps: int,
        made: int,
        seed: int,
        on_step: OnStep | None = None,
        image_every: int = 0,
    ):
        self.prior, self.steps, self.made, self.seed = prior, steps, made, seed
        self.on_step, self.image_every = on_step, image_every
        self.case_ids = [case.case_id for case in inputs]
        self.engine = ScoreEngine(prior, [(case.src, case.tgt) for case in inputs])
        self.z_src = prior.encode(torch.stack([case.image for case in inputs]).to(prior.device))  # [B,C,h,w]
        self.history = CaseHistory()
        self._down = _scheduler(DDIMScheduler, prior)
        self._down.set_timesteps(steps)
        self.timesteps = self._down.timesteps[steps - self.made :].tolist()  # from large to small

    def noised(self) -> Tensor:
        """The sources' latents with noise of the largest timestep, keyed by (seed, case): [B,C,h,w]."""
        key: dict[str, Any] = {"seed": self.seed, "case_ids": self.case_ids, "step": 0, "purpose": "eps"}
        eps = noise.draw_batch(self.z_src.shape[1:], like=self.z_src, **key)
        return self._down.add_noise(self.z_src, eps, torch.tensor(self.timesteps[:1]))

    def inverted(self, prompt: Prompt, guidance: float) -> Tensor:
        """The noise from which the sampler would make the sources under `prompt`, nearly: [B,C,h,w]."""
        up, x = _scheduler(DDIMInverseScheduler, self.prior), self.z_src
        up.set_timesteps(self.steps)
        for t in up.timesteps[: self.made].tolist():
            x = up.step(self._output(x, t, prompt, guidance), t, x).prev_sample
        return x

    def denoised(self, x: Tensor, prompt: Prompt, guidance: float) -> Tensor:
        """What the sampler makes of x, which has noise of the largest timestep, under `prompt`: [B,C,h,w]."""
        before = [0] * len(self.case_ids)
        for k, t in enumerate(self.timesteps):
            made = self._down.step(self._output(x, t, prompt, guidance), t, x)
            x, rows = made.prev_sample, list(self.engine.rows_forward)
            self._log(self.steps - self.made + k, t, x, [n - b for n, b in zip(rows, before, strict=True)], made)
            before = rows
        return x

    def _output(self, x: Tensor, t: int, prompt: Prompt, s: float) -> Tensor:
        """What the network puts out, guided: noise or velocity, which are linear in one another at one x."""
        times = torch.full((len(x),), t, device=x.device)
        if s == 1:
            return self.engine.outputs([Row(x, prompt)], times)[0]
        c, u = self.engine.outputs([Row(x, prompt), Row(x, UNCONDITIONAL)], times)
        return cfg_guided(u, c, s)

    def _log(self, step: int, t: int, x: Tensor, rows: Sequence[int], made: Any) -> None:
        n = len(self.case_ids)
        line: dict[str, Any] = {"step": step, "t": (t,) * n, "rows_forward": tuple(rows), "rows_backward": (0,) * n}
        line["drift_rms"] = (x - self.z_src).square().mean(dim=(1, 2, 3)).sqrt()
        self.history.add(line)
        if self.on_step is not None:
            due = self.image_every and (step + 1) % self.image_every == 0
            self.on_step(line | {"images": self.prior.decode(made.pred_original_sample)} if due else line)


def _scheduler(kind: Any, prior: Prior) -> Any:
    """A scheduler as Stable Diffusion's pipelines set it up, with the prior's own abar: of that no betas are kept."""
    made = kind(
        num_train_timesteps=len(prior.abar), prediction_type=prior.prediction, clip_sample=False,
        set_alpha_to_one=False, steps_offset=1,
    )  # fmt: skip
    made.alphas_cumprod = prior.abar.cpu()
    end = "final_alpha_cumprod" if kind is DDIMScheduler else "initial_alpha_cumprod"
    setattr(made, end, made.alphas_cumprod[0])
    return made
