"""Training of the auxiliaries: the prior's ordinary diffusion loss, without guidance, on the renders they model.

    min E_{t,eps} || network(z_t, t, c) - target ||^2     phi: z the current latent, c = tgt; psi: the source's, c = src

Losses are averaged over a case's elements and summed over cases, so that no case feels the others. psi and phi
train on the same t and eps, so that what differs between them is not noise.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from piva.auxiliary.settings import AuxiliarySettings
from piva.noise import Draw, DrawPlan
from piva.objectives import add_noise, training_target
from piva.priors import Adapter
from piva.scores import Row, ScoreEngine
from piva.step import SOURCE, TARGET, Prompt, Step

PROMPTS: dict[str, Prompt] = {"psi": SOURCE, "phi": TARGET}
_LOSS_SCALE = 2.0**12  # ours: float16 gradients of a mean over a latent underflow without


class AuxiliaryTraining:
    """Trains `adapters` (psi, phi or both), each case with optimiser states of its own.

    Args:
        adapters: name -> the adapters that train; one that is only scored is left out.
        plan: where t and eps of the passes come from that do not share the step's.
        half: the network runs in float16: the loss is scaled by a constant, and where the gradient of a case
            overflows all the same, it counts as zero for that case: AdamW's momentum and decay still move it. (A shared
            GradScaler would skip the step of every case and halve the scale of all.)
    """

    def __init__(
        self, settings: AuxiliarySettings, adapters: Mapping[str, Adapter], plan: DrawPlan, half: bool = False
    ):
        self.settings, self.plan = settings, plan
        self.names = [name for name in adapters if settings.lr > 0]
        self.losses: dict[str, Tensor] = {}  # [B], of the latest pass
        self.fused = settings.phi == "fused" and settings.steps_per_iteration > 0 and bool(self.names)
        parameters = [p for name in self.names for p in adapters[name].parameters()]
        options = {"lr": settings.lr, "weight_decay": settings.weight_decay, "fused": True}
        self.optimizer = torch.optim.AdamW(parameters, **options) if parameters else None
        self.parameters, self.half = parameters, half

    def score(self, engine: ScoreEngine, step: Step) -> list[tuple[Row, Tensor]]:
        """The fused pass: what the auxiliaries put out at the step's rows, which they train on at once."""
        if not self.fused:
            return []
        inputs = {"psi": (step.z_src, step.x_t_src), "phi": (step.z, step.x_t)}
        return self._pass(engine, step, inputs)

    def finish_step(self, engine: ScoreEngine, step: Step) -> None:
        """After the edit's own update: apply the fused pass, then train on fresh draws, on the latents before it."""
        if self.fused:
            self._update()
        for k in range(self.settings.steps_per_iteration - self.fused):
            self.fresh_pass(engine, step.z_src, step.z, step.index, f"aux-{k}/")

    def fresh_pass(self, engine: ScoreEngine, z_src: Tensor, z: Tensor, step: int, purpose: str) -> None:
        """One training step with t and eps of its own: psi on z_src [B,C,H,W], phi on z."""
        if not self.names:
            return
        draw = self.plan.at(step, purpose)
        x = {"psi": add_noise(z_src, draw.eps, draw.abar), "phi": add_noise(z, draw.eps, draw.abar)}
        self._pass(engine, draw, {"psi": (z_src, x["psi"]), "phi": (z, x["phi"])})
        self._update()

    def warm_up(self, engine: ScoreEngine, z_src: Tensor) -> None:
        """Train on the source latent, where the edit starts, before its first step."""
        for k in range(self.settings.warmup_steps):
            self.fresh_pass(engine, z_src, z_src, k, "warm-up/")
        self.losses = {}  # the log is of the edit's steps

    def _pass(
        self, engine: ScoreEngine, draw: Draw | Step, inputs: Mapping[str, tuple[Tensor, Tensor]]
    ) -> list[tuple[Row, Tensor]]:
        """Forward and backward of one row per auxiliary and case; `inputs` are (z, x_t)."""
        rows = [Row(inputs[name][1], PROMPTS[name], name, of_source=name == "psi") for name in self.names]
        outputs = engine.outputs(rows, draw.t)
        for row, output in zip(rows, outputs, strict=True):
            target = training_target(inputs[row.auxiliary or ""][0], draw.eps, draw.abar, engine.prior.prediction)
            self.losses[row.auxiliary or ""] = (output - target).square().mean(dim=(1, 2, 3))
        loss = torch.stack([self.losses[name].sum() for name in self.names]).sum()
        (loss * _LOSS_SCALE if self.half else loss).backward()
        self.losses = {name: loss.detach() for name, loss in self.losses.items()}
        return [(row, output.detach()) for row, output in zip(rows, outputs, strict=True)]

    def _update(self) -> None:
        if self.optimizer is None:
            return
        if self.half:
            unscale_by_case([p.grad for p in self.parameters if p.grad is not None])
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)


def unscale_by_case(grads: Sequence[Tensor]) -> None:
    """Divide gradients [N,...] by the loss scale, in place; a case with a non-finite number in one has zeros in all."""
    finite = torch.stack([grad.flatten(1).isfinite().all(dim=1) for grad in grads]).all(dim=0)  # [N]
    for grad in grads:
        factor = (finite / _LOSS_SCALE).to(grad.dtype).view(-1, *[1] * (grad.dim() - 1))
        grad.nan_to_num_(0.0, 0.0, 0.0).mul_(factor)
