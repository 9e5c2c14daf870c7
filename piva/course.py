"""The course of an edit, a step at a time: no loop around it, no log, no pictures.

On tensors with numbers a step can be timed; without numbers, what it takes can be counted (`piva.memory`,
`piva.flops`). It is the step of `piva.modules.image_editing`, which tests hold it to.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, cast

import torch
from torch import Tensor

from piva.auxiliary.camera import POSE
from piva.auxiliary.training import AuxiliaryTraining
from piva.noise import Draw, DrawPlan
from piva.priors import Prior
from piva.priors.shapes import WeightlessPrior
from piva.schedule import weight
from piva.scores import ScoreEngine
from piva.step import Step


class Course:
    """An edit of latents, each step when it is asked for.

    Args:
        method: settings of a method; a stored psi is there untrained.
        plan: where draws come from; its `like` is the source's latents [B,C,h,w].
        captions: (src, tgt) of every case.
        depth: [B,1,H,W], for auxiliaries that read it.
        cameras: [B,16] poses, for those with a camera embedding.
        engine: makes the score engine.
    """

    def __init__(
        self,
        prior: Prior,
        method: Any,
        plan: DrawPlan,
        captions: Sequence[tuple[str, str]],
        depth: Tensor | None = None,
        cameras: Tensor | None = None,
        engine: Callable[..., ScoreEngine] = ScoreEngine,
    ):
        self.method, self.plan, self.z = method, plan, plan.like.clone()
        self.adapters = {name: prior.adapter(method.aux, plan.seed, plan.case_ids) for name in method.auxiliaries}
        self.training: AuxiliaryTraining | None = None
        if self.adapters:
            stored = {"psi"} if method.aux.psi == "stored" else set()
            trained = {name: adapter for name, adapter in self.adapters.items() if name not in stored}
            self.training = AuxiliaryTraining(method.aux, trained, plan, prior.half)
        self.engine = engine(prior, captions, self.adapters, self.training, depth=depth, cameras=cameras)

    def step(self, index: int) -> None:
        """One update of the latents, and the auxiliaries' training steps that go with it."""
        draw = self.plan.at(index)
        step = Step(
            index=index, z=self.z.clone(), z_src=self.plan.like, t=draw.t, timesteps=draw.timesteps, abar=draw.abar,
            abars=self.plan.abars, eps=draw.eps, w=weight(draw.abar, self.method.weighting),
            draw=lambda purpose: self.plan.normal(index, purpose), progress=self.plan.progress(index),
        )  # fmt: skip
        self.z -= self.method.step_size * self.method.direction(step, self.engine.ask(step))
        if self.training is not None:
            self.training.finish_step(self.engine, step)


class _DrawsWithoutNumbers(DrawPlan):
    """Room for timesteps and noise. To the host every timestep is the largest, where methods take most rows."""

    def at(self, step: int, purpose: str = "") -> Draw:
        n = len(self.like)
        t, abar = torch.empty(n, dtype=torch.int64), torch.empty(n, 1, 1, 1)
        return Draw(t, abar, torch.empty_like(self.like), (len(self.abars) - 1,) * n)

    def _normal(self, step: int, purpose: str) -> Tensor:
        return torch.empty_like(self.like)


def course_without_numbers(
    prior: WeightlessPrior, method: Any, z_src: Tensor, engine: Callable[..., ScoreEngine] = ScoreEngine
) -> Course:
    """The course of an edit of these latents [B,C,h,w]; made and used within FakeTensorMode."""
    n = len(z_src)
    plan = _DrawsWithoutNumbers(0, ("",) * n, 0, 0, torch.empty(1000), z_src)
    shows_depth = bool(method.auxiliaries) and method.aux.kind != "lora"
    shows_cameras = bool(method.auxiliaries) and method.aux.camera
    depth = torch.empty(n, 1, *prior.image_size) if shows_depth else None
    cameras = torch.empty(n, POSE) if shows_cameras else None
    return Course(cast(Prior, prior), method, plan, [("source", "target")] * n, depth, cameras, engine)
