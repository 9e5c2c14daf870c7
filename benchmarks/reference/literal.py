"""DDS and Piva 2D, literally: one image, the equations in the order they are written in, and nothing to make them fast.

It stands for public code: where that spends its time is known from reading it, none of it was taken over.

- One image at a time. Its prompts are embedded for every edit, and nothing is kept between steps or edits.
- A UNet call for each branch, e(x_t, tgt) and e(x^_t, src), with the rows u and c side by side: no public code splits
  these two. PDS calls per branch, and so does what grew out of threestudio; the authors' notebook of DDS has the four
  rows in one call and no graph, which is what `careful` does.
- Gradients are on while the prior is asked. x_t hangs on theta, so every row at x_t keeps a graph that nobody uses;
  the direction reaches theta through a pseudo loss.
- psi and phi are two whole copies of the UNet with peft's LoRA. A step scores each in a call of its own, then trains
  each in a further one, with a plain AdamW for each.

Timesteps, noise and the start of the LoRA are the package's keyed ones, so that the edit is the one that
`piva.editing.edit_batch` makes, up to rounding. Which t and eps psi and phi train on follows `aux.phi`: the step's own
(fused), or fresh ones after the step (fresh).
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

import torch
from peft import LoraConfig, get_peft_model, set_peft_model_state_dict
from torch import Tensor, nn

from piva.auxiliary.lora import StackedLoRA, adapted_layers
from piva.auxiliary.settings import AuxiliarySettings
from piva.editing import EditInput
from piva.errors import ConfigError
from piva.noise import Draw, DrawPlan
from piva.objectives import (
    add_noise,
    cfg_guided,
    dds_direction,
    eps_hat,
    identity_direction,
    training_target,
)
from piva.priors.stable_diffusion import StableDiffusionPrior
from piva.schedule import weight


@dataclass(frozen=True, eq=False)
class LiteralOutput:
    """An edited image and what it cost."""

    image: Tensor  # [3,H,W] in [0,1], on the CPU
    rows_scored: int  # UNet rows whose output is a score
    rows_trained: int  # and those with a backward pass


def edit(
    prior: StableDiffusionPrior, method: Any, case: EditInput, *, steps: int, seed: int, careful: bool = False
) -> LiteralOutput:
    """One case, edited with DDS or Piva.

    Args:
        prior: no adapters may be at work in it. (Hooks that `prior.adapter` leaves would cost this code a little time.)
        method: settings, `piva.methods.dds.DDS` or `piva.methods.piva.Piva`.
        careful: the prior's four rows in one call, and no graph while scoring; otherwise as above.

    Raises:
        ConfigError: the auxiliaries are no LoRA; or psi is stored, where public code trains it alongside.
    """
    return _Edit(prior, method, case, steps, seed, careful).run()


class _Edit:
    """One edit under way."""

    def __init__(self, prior: StableDiffusionPrior, method: Any, case: EditInput, steps: int, seed: int, careful: bool):
        self.prior, self.method, self.steps, self.careful = prior, method, steps, careful
        self.rows_scored = self.rows_trained = 0
        self.text = {"src": _embed(prior, case.src), "tgt": _embed(prior, case.tgt), "": _embed(prior, "")}
        self.z_src = prior.encode(case.image[None])  # [1,C,h,w]
        self.theta = self.z_src.clone().requires_grad_()
        self.sgd = torch.optim.SGD([self.theta], lr=method.step_size)
        t_range = (method.t_min, method.t_max)
        self.plan = DrawPlan(seed, (case.case_id,), *t_range, prior.abar.cpu(), self.z_src, method.t_law, steps)
        self.auxiliaries: dict[str, _Auxiliary] = {}
        if method.auxiliaries:
            if method.aux.kind != "lora":
                raise ConfigError(f"the literal Piva knows LoRA alone: --method.aux.kind lora, not {method.aux.kind}")
            if method.aux.psi == "stored":
                raise ConfigError("the literal Piva trains psi alongside the edit: --method.aux.psi alongside")
            start = _lora_start(prior, method.aux, seed, case.case_id)
            self.auxiliaries = {name: _Auxiliary(prior.unet, method.aux, start) for name in method.auxiliaries}

    def run(self) -> LiteralOutput:
        if self.auxiliaries:
            for k in range(self.method.aux.warmup_steps):
                self._train(self.z_src, self.plan.at(k, "warm-up/"))
        for index in range(self.steps):
            self._step(index)
        image = self.prior.decode(self.theta.detach())[0].float().cpu()
        return LiteralOutput(image, self.rows_scored, self.rows_trained)

    def _step(self, index: int) -> None:
        """theta <- theta - step_size x direction; then psi and phi learn, on theta as it was."""
        draw, z_before = self.plan.at(index), self.theta.detach().clone()
        with torch.set_grad_enabled(not self.careful):
            direction = self._direction(draw)
        loss = (direction.detach() * self.theta).sum()  # its gradient is the direction
        loss.backward()
        self.sgd.step()
        self.sgd.zero_grad()
        if self.auxiliaries:
            aux = self.method.aux
            fused = aux.phi == "fused" and aux.steps_per_iteration > 0
            fresh = [self.plan.at(index, f"aux-{k}/") for k in range(aux.steps_per_iteration - fused)]
            for training_draw in [draw, *fresh] if fused else fresh:
                self._train(z_before, training_draw)

    def _direction(self, draw: Draw) -> Tensor:
        """w { e(x_t, tgt) - e(x^_t, src) + lam [ eps_psi(x_t, src) - eps_phi(x_t, tgt) ] }; DDS without the last."""
        x_t = add_noise(self.theta, draw.eps, draw.abar)
        x_t_src = add_noise(self.z_src, draw.eps, draw.abar)
        x_src_branch = x_t if getattr(self.method, "source_branch", "source") == "current" else x_t_src
        s_src = getattr(self.method, "guidance_src", None)
        tgt = (x_t, "tgt", self.method.guidance)
        src = (x_src_branch, "src", self.method.guidance if s_src is None else s_src)
        if self.careful:
            e_tgt, e_src = self._guided([tgt, src], draw)
        else:
            (e_tgt,), (e_src,) = self._guided([tgt], draw), self._guided([src], draw)
        direction = dds_direction(e_tgt, e_src)
        if self.auxiliaries:
            x_psi = x_t if self.method.psi_at == "current" else x_t_src
            eps_psi, eps_phi = self._auxiliary("psi", x_psi, "src", draw), self._auxiliary("phi", x_t, "tgt", draw)
            direction = direction + identity_direction(eps_psi, eps_phi, self.method.lam)
        return weight(draw.abar, self.method.weighting) * direction

    def _guided(self, branches: list[tuple[Tensor, str, float]], draw: Draw) -> list[Tensor]:
        """e(x, c) = u + s (c - u) of each branch (x, c, s): [1,C,h,w], all in one call."""
        x = torch.cat([x for x, _, _ in branches for _ in ("u", "c")])  # [2n,C,h,w]
        text = torch.cat([self.text[caption] for _, prompt, _ in branches for caption in ("", prompt)])  # [2n,L,D]
        self.rows_scored += len(x)
        eps = eps_hat(self._call(self.prior.unet, x, draw.t, text), x, draw.abar, self.prior.prediction)
        pairs = zip(eps.chunk(len(branches)), branches, strict=True)
        return [cfg_guided(pair[:1], pair[1:], s) for pair, (_, _, s) in pairs]

    def _auxiliary(self, name: str, x: Tensor, caption: str, draw: Draw) -> Tensor:
        """eps_psi or eps_phi(x, c), without guidance, in a call of its own: [1,C,h,w]."""
        self.rows_scored += 1
        output = self._call(self.auxiliaries[name].unet, x, draw.t, self.text[caption])
        return eps_hat(output, x, draw.abar, self.prior.prediction)

    def _train(self, z: Tensor, draw: Draw) -> None:
        """min || network(z_t, t, c) - target ||^2, one AdamW step: psi on the source under src, phi on z under tgt."""
        for name, latent, caption in (("psi", self.z_src, "src"), ("phi", z, "tgt")):
            auxiliary = self.auxiliaries[name]
            self.rows_trained += 1
            x_t = add_noise(latent, draw.eps, draw.abar)
            output = self._call(auxiliary.unet, x_t, draw.t, self.text[caption])
            target = training_target(latent, draw.eps, draw.abar, self.prior.prediction)
            nn.functional.mse_loss(output, target).backward()
            auxiliary.adamw.step()
            auxiliary.adamw.zero_grad()

    def _call(self, unet: nn.Module, x: Tensor, t: Tensor, text: Tensor) -> Tensor:
        """The UNet's output [n,C,h,w] for inputs x [n,C,h,w] at t [1] under prompts [n,L,D]."""
        return unet(x.to(self.prior.dtype), t.expand(len(x)), text, return_dict=False)[0].float()


class _Auxiliary:
    """A whole copy of the UNet with peft's LoRA, and AdamW over its A and B."""

    def __init__(self, unet: nn.Module, settings: AuxiliarySettings, start: dict[str, Tensor]):
        config = LoraConfig(
            r=settings.rank, lora_alpha=settings.alpha, target_modules=list(settings.target_modules), lora_dropout=0.0
        )
        self.unet = get_peft_model(copy.deepcopy(unet), config)
        set_peft_model_state_dict(self.unet, start)
        trainable = [p for p in self.unet.parameters() if p.requires_grad]
        self.adamw = torch.optim.AdamW(trainable, lr=settings.lr, weight_decay=settings.weight_decay)


def _lora_start(prior: StableDiffusionPrior, settings: AuxiliarySettings, seed: int, case_id: str) -> dict[str, Tensor]:
    """The A and B, under peft's names, that psi and phi of this case start from."""
    stack = StackedLoRA(adapted_layers(prior.unet, settings.target_modules), settings, 1, prior.device)
    stack.initialise(seed, [case_id])
    return stack.weights(0)


def _embed(prior: StableDiffusionPrior, prompt: str) -> Tensor:
    """The text encoder's last hidden states [1,L,D], encoded anew."""
    length = prior.tokenizer.model_max_length
    tokens = prior.tokenizer([prompt], padding="max_length", max_length=length, truncation=True, return_tensors="pt")
    return prior.text_encoder(tokens["input_ids"].to(prior.device))[0]
