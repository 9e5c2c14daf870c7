"""The editing loop over a radiance field, as a Lightning module: render, encode, ask, step along the direction.

Each step looks through V cameras. Its views are to the score engine what cases are in 2D, with auxiliaries of their own
for the scene, not for the view. Source views are renders of a frozen copy of the field from the same cameras.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import lightning as L
import torch
from torch import Tensor, nn

from piva.auxiliary.training import AuxiliaryTraining
from piva.data.depth import scaled_inverse_depth
from piva.modules.image_editing import GOES_ON, STOPPED, Method
from piva.modules.scene_settings import SceneEditSettings
from piva.modules.snapshots import given_back, taken
from piva.noise import DrawPlan, to_device, uniform
from piva.priors import Prior
from piva.rendering.cameras import Cameras
from piva.rendering.view_plan import Chosen, ViewPlan
from piva.rendering.volume import opacity_entropy
from piva.representations.radiance_field import RadianceField, Render
from piva.schedule import weight
from piva.scores import ScoreEngine
from piva.step import Step

REFRESH_EVERY = 25
"""Steps between two looks at which cells hold anything. Ours."""


class SourceViews:
    """What is known of the source from a camera: its latent and its depth; kept for the captured cameras.

    Args:
        scene: the frozen field.
        background: [3] behind transparent pixels, or None for the field's own.
        digest: of the field and its cameras; names its views in the cache of rows.
    """

    def __init__(self, scene: RadianceField, prior: Prior, background: Tensor | None, digest: str):
        self.scene, self.prior, self.background, self.digest = scene, prior, background, digest
        self._known: dict[int, tuple[Tensor, Tensor]] = {}

    @torch.no_grad()
    def at(self, chosen: Chosen) -> tuple[Tensor, Tensor]:
        """Latents [V,C,h,w] and scaled inverse depths [V,1,H,W] of the step's cameras."""
        captured = [(i, view) for i, view in enumerate(chosen.views) if view is not None]
        if not captured:
            return self._look(chosen.cameras)
        for i, view in captured:
            if view not in self._known:  # each by itself: a latent's last bits hang on what is encoded with it
                self._known[view] = self._look(chosen.cameras[[i]])
        pairs = [self._known[view] for _, view in captured]
        return torch.cat([latent for latent, _ in pairs]), torch.cat([depth for _, depth in pairs])

    def _look(self, cameras: Cameras) -> tuple[Tensor, Tensor]:
        render = self.scene.render(cameras, self.background)
        return self.prior.encode(render.image), scaled_inverse_depth(render.depth)


@dataclass(frozen=True, eq=False)
class Views:
    """A step's views, rendered and encoded."""

    render: Render
    z: Tensor  # [V,C,h,w], with gradient to the field
    z_src: Tensor  # [V,C,h,w]


class SceneEditing(L.LightningModule):
    """One update of the field a batch of the loader, whose batches are the step numbers.

    The first update whose gradient is not finite is not made, nor is any after it: the field stays as it was.
    The prior stays outside the module tree: the engine holds it.

    Args:
        scene: the field that is edited, in place; a copy of the source's.
        source: of the frozen source.
        views: where the steps' cameras come from.
        adapters: the auxiliaries of the scene, by name.
        reads_depth: they are told the depth of what they are shown; otherwise the engine keeps the depth it has.
        on_step: called with every step's log; its tensors are on the device, one value per view.
    """

    def __init__(
        self,
        method: Method,
        settings: SceneEditSettings,
        steps: int,
        scene: RadianceField,
        source: SourceViews,
        views: ViewPlan,
        engine: ScoreEngine,
        plan: DrawPlan,
        adapters: Mapping[str, nn.Module],
        training: AuxiliaryTraining | None = None,
        reads_depth: bool = False,
        on_step: Callable[[dict[str, Any]], None] | None = None,
    ):
        super().__init__()
        self.automatic_optimization = False
        self.method, self.settings, self.steps = method, settings, steps
        self.scene, self.source, self.views, self.engine, self.plan = scene, source, views, engine, plan
        self.auxiliaries = nn.ModuleDict(adapters)
        self.training_of_auxiliaries, self.reads_depth = training, reads_depth
        self.on_step = on_step
        self.optimizer = field_optimizer(scene, settings)
        self._source_numbers = [p.detach() for p in source.scene.parameters()] if settings.anchor else []
        self.steps_done = 0
        self.stopped_at: Tensor  # [] the step whose update was not made any more, or GOES_ON
        goes_on = torch.tensor(GOES_ON, device=engine.prior.device)
        self.register_buffer("stopped_at", goes_on, persistent=False)
        self._make_room()

    def configure_optimizers(self) -> None:
        """Its own optimiser, so that a checkpoint of its own holds it."""

    def training_step(self, index: int, batch_idx: int) -> None:
        """One update of the field, and the auxiliaries' training steps that go with it."""
        if index % REFRESH_EVERY == 0:
            if int(self.stopped_at) != GOES_ON:
                self.trainer.should_stop = True
                return
            self._make_room()
        for group in self.optimizer.param_groups:
            group["lr"] = group["first_lr"] * self.settings.lr_last ** (index / self.steps)
        before = list(self.engine.rows_forward), list(self.engine.rows_backward)
        views = self.look(index)
        step = self._step(index, views)
        direction = self.method.direction(step, self.engine.ask(step))
        self._descend(views, direction)
        if self.training_of_auxiliaries is not None:
            self.training_of_auxiliaries.finish_step(self.engine, step)
        self.steps_done = index + 1
        self._log_step(step, direction, before)

    def look(self, index: int) -> Views:
        """The views of a step; the engine is told their depths, poses and names."""
        chosen = self.views.at(index)
        z_src = self.look_at_source(chosen, index)
        render = self.scene.render(chosen.cameras, self.source.background)
        if self.reads_depth:
            self.engine.depth = scaled_inverse_depth(render.depth.detach())
        return Views(render, self.engine.prior.encode(render.image), z_src)

    def look_at_source(self, chosen: Chosen, index: int) -> Tensor:
        """The source's latents [V,C,h,w] from these cameras; to the engine, the field is the source's for now."""
        z_src, depth_src = self.source.at(chosen)
        self.engine.cameras = poses(chosen.cameras)
        orbit = (index, "orbit", len(chosen.views))  # which hangs on how many are drawn together
        self.engine.sources = [
            (self.source.digest, view if view is not None else orbit, self.plan.seed, case)
            for view, case in zip(chosen.views, self.plan.case_ids, strict=True)
        ]
        if self.reads_depth:
            self.engine.depth = self.engine.depth_src = depth_src
        return z_src

    def on_fit_start(self) -> None:
        """Warm the auxiliaries up on the source, where the edit starts."""
        training = self.training_of_auxiliaries
        if training is not None and not self.steps_done:
            for k in range(training.settings.warmup_steps):
                z_src = self.look_at_source(self.views.at(k), k)
                training.fresh_pass(self.engine, z_src, z_src, k, "warm-up/")
            training.losses = {}

    def _step(self, index: int, views: Views) -> Step:
        draw = self.plan.at(index)
        return Step(
            index=index, z=views.z.detach(), z_src=views.z_src, t=draw.t, timesteps=draw.timesteps, abar=draw.abar,
            abars=self.plan.abars, eps=draw.eps, w=weight(draw.abar, self.method.weighting),
            draw=lambda purpose: self.plan.normal(index, purpose), progress=self.plan.progress(index),
        )  # fmt: skip

    def _descend(self, views: Views, direction: Tensor) -> None:
        """direction^T dz/dtheta, the mean over the views, and the regularisers' gradients; then Adam."""
        self.optimizer.zero_grad(set_to_none=True)
        regulariser = self._regulariser(views)
        tensors, gradients = [views.z], [direction / len(direction)]
        if regulariser is not None:
            tensors, gradients = [*tensors, regulariser], [*gradients, torch.ones_like(regulariser)]
        torch.autograd.backward(tensors, gradients)
        guarded_step(self.optimizer, self.stopped_at, self.steps_done)

    def _regulariser(self, views: Views) -> Tensor | None:
        settings, terms = self.settings, []
        if settings.opacity:
            terms.append(settings.opacity * opacity_entropy(views.render.opacity).mean())
        if settings.roughness:
            terms.append(settings.roughness * self.scene.field.roughness(self._points()))
        if settings.anchor:
            pairs = zip(self.scene.parameters(), self._source_numbers, strict=True)
            terms.append(settings.anchor * torch.stack([(p - q).square().mean() for p, q in pairs]).sum())
        return torch.stack(terms).sum() if terms else None

    def _points(self) -> Tensor:
        """Random places [4096,3] in the field's cube, new ones for each step."""
        key: dict[str, Any] = {"seed": self.plan.seed, "case_id": self.plan.case_ids[0], "step": self.steps_done}
        return to_device(uniform((4096, 3), -1, 1, **key, purpose="roughness"), self.engine.prior.device)

    def snapshot(self) -> dict[str, Tensor]:
        """Everything that the next step depends on, by name; tensors are the module's own."""
        return taken(self._modules_kept(), self._optimizers()) | {STOPPED: self.stopped_at}

    def restore(self, tensors: Mapping[str, Tensor], steps_done: int) -> None:
        """Go on from a snapshot that was taken after so many steps."""
        self.steps_done = steps_done
        given_back(tensors, self._modules_kept(), self._optimizers())
        self.stopped_at.copy_(tensors[STOPPED])

    def _modules_kept(self) -> dict[str, nn.Module]:
        return {"scene": self.scene, "auxiliaries": self.auxiliaries}

    def _optimizers(self) -> dict[str, torch.optim.Optimizer]:
        training = self.training_of_auxiliaries
        found: dict[str, torch.optim.Optimizer] = {"field_adam": self.optimizer}
        if training is not None and training.optimizer is not None:
            found["auxiliary_adam"] = training.optimizer
        return found

    def _make_room(self) -> None:
        self.scene.refresh_occupancy(margin=self.settings.margin)

    def _log_step(self, step: Step, direction: Tensor, before: tuple[list[int], list[int]]) -> None:
        """One dict a step, as in 2D. Sizes are root mean squares of a view's elements, [V]."""
        if self.on_step is None:
            return
        line: dict[str, Any] = {"step": step.index, "t": step.timesteps, "direction_rms": _rms(direction)}
        line |= {f"{name}_rms": _rms(term) for name, term in step.notes.items()}
        line["drift_rms"] = _rms(step.z - step.z_src)
        if self.training_of_auxiliaries is not None:
            line |= {f"{name}_loss": loss for name, loss in self.training_of_auxiliaries.losses.items()}
        counts = self.engine.rows_forward, self.engine.rows_backward
        for name, now, old in zip(("rows_forward", "rows_backward"), counts, before, strict=True):
            line[name] = tuple(n - o for n, o in zip(now, old, strict=True))
        self.on_step(line)


def poses(cameras: Cameras) -> Tensor:
    """What a camera embedding reads: the rows of the camera-to-world matrices, [V,16]."""
    last = cameras.c2w.new_tensor([0.0, 0.0, 0.0, 1.0]).expand(len(cameras), 1, 4)
    return torch.cat([cameras.c2w, last], dim=1).flatten(1)


def field_optimizer(scene: RadianceField, settings: SceneEditSettings) -> torch.optim.Adam:
    """Adam over a field's numbers, each kind at its own rate."""
    rates = {"raw_density": settings.lr_density, "raw_color": settings.lr_color}
    groups: list[dict[str, Any]] = [
        {"params": [p], "first_lr": rates.get(name, settings.lr_network)} for name, p in scene.field.named_parameters()
    ]
    groups += [{"params": [p], "first_lr": settings.lr_color} for p in scene.background.parameters()]
    fused = all(p.device.type in ("cpu", "cuda") for group in groups for p in group["params"])
    return torch.optim.Adam(groups, lr=settings.lr_color, betas=(0.9, 0.99), eps=1e-15, fused=fused)


def guarded_step(optimizer: torch.optim.Adam, stopped_at: Tensor, step: int, loss: Tensor | None = None) -> None:
    """Adam's step, unless the edit has stopped; a fused Adam sees to that on the device, and nobody waits for it.

    Its updates are bounded by the learning rates: with finite gradients the field stays finite. A sum is finite only
    if what it sums is, and takes a thirtieth of the time of looking at every number.

    Args:
        stopped_at: [] GOES_ON, or the step whose update was not made; written where this one's is not.
        loss: [] to be finite as well, where there is one: that of |x - NaN| has a gradient.
    """
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    finite = torch.stack([p.grad.sum() for p in parameters if p.grad is not None]).isfinite().all()
    finite = finite if loss is None else finite & loss.detach().isfinite()
    stopped_at.masked_fill_(~finite & (stopped_at == GOES_ON), step)
    stopped = stopped_at != GOES_ON
    if optimizer.defaults["fused"]:
        optimizer.found_inf = stopped.float()  # type: ignore[attr-defined]  # as a GradScaler skips a step
        optimizer.step()
    elif not stopped:
        optimizer.step()


def _rms(values: Tensor) -> Tensor:
    """Root mean square of each view: [V,C,H,W] -> [V]."""
    return values.detach().square().mean(dim=(1, 2, 3)).sqrt()
