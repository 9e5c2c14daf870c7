"""Instruct-NeRF2NeRF's loop over a radiance field, as a Lightning module: replace a picture now and then, fit them all.

Pictures are the captured ones until they are replaced; a replaced one is replaced again when its turn comes. The loss
of a step is mean |seen - picture| + lpips_weight LPIPS(seen, picture) over random patches of random views.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import lightning as L
import torch
from torch import Tensor

from piva.instructed.in2n import IN2N
from piva.instructed.sampler import InstructedSampler
from piva.modules.image_editing import GOES_ON, STOPPED
from piva.modules.scene_editing import REFRESH_EVERY, field_optimizer, guarded_step
from piva.modules.scene_settings import SceneEditSettings
from piva.modules.snapshots import given_back, taken
from piva.noise import draw_batch, to_device, uniform, uniform_t
from piva.rendering.cameras import Cameras, Rays, rays_at
from piva.rendering.view_plan import CapturedViews
from piva.representations.radiance_field import RadianceField

Perceptual = Callable[[Tensor, Tensor], Tensor]
"""LPIPS [P] of two stacks of pictures [P,3,h,w] in [0,1], with gradient to the first."""
_PICTURES, _REPLACED = "dataset.pictures", "dataset.replaced"


class DatasetUpdate(L.LightningModule):
    """One update of the field a batch of the loader, whose batches are the step numbers.

    The first update whose gradient is not finite is not made, nor is any after it: the field stays as it was.

    Args:
        scene: the field that is edited, in place; a copy of the source's.
        cameras: N captured ones, of the prior's image size.
        captured: [N,3,H,W] in [0,1], what they saw.
        background: [3] behind transparent pixels, or None for the field's own.
        perceptual: LPIPS; None where it has no weight.
        case_id: of the keyed draws, with `seed`.
        on_step: called with every step's log.
    """

    def __init__(
        self,
        method: IN2N,
        settings: SceneEditSettings,
        steps: int,
        scene: RadianceField,
        cameras: Cameras,
        captured: Tensor,
        background: Tensor | None,
        sampler: InstructedSampler,
        instruction: str,
        perceptual: Perceptual | None,
        seed: int,
        case_id: str,
        on_step: Callable[[dict[str, Any]], None] | None = None,
    ):
        super().__init__()
        self.automatic_optimization = False
        self.method, self.settings, self.steps, self.scene = method, settings, steps, scene
        self.cameras, self.captured, self.background = cameras, captured, background
        self.sampler, self.instruction, self.perceptual = sampler, instruction, perceptual
        self.seed, self.case_id, self.on_step = seed, case_id, on_step
        self.order = CapturedViews(cameras, 1, seed, case_id)
        self.pictures = captured.clone()  # [N,3,H,W], fitted
        self.replaced = torch.zeros(len(captured), dtype=torch.bool)  # [N]
        self.optimizer = field_optimizer(scene, settings)
        self.steps_done = 0
        self.stopped_at: Tensor  # [] the step whose update was not made any more, or GOES_ON
        self.register_buffer("stopped_at", torch.tensor(GOES_ON, device=captured.device), persistent=False)
        self._make_room()

    def configure_optimizers(self) -> None:
        """Its own optimiser, so that a checkpoint of its own holds it."""

    def training_step(self, index: int, batch_idx: int) -> None:
        """A picture replaced where it is time, and one update of the field."""
        if index % REFRESH_EVERY == 0:
            if int(self.stopped_at) != GOES_ON:
                self.trainer.should_stop = True
                return
            self._make_room()
        for group in self.optimizer.param_groups:
            group["lr"] = group["first_lr"] * self.settings.lr_last ** (index / self.steps)
        before = self.sampler.rows
        if index % self.method.edit_every == 0:
            self.replace(index)
        l1, lpips = self.losses(index)
        loss = l1 + self.method.lpips_weight * lpips
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        guarded_step(self.optimizer, self.stopped_at, index, loss)
        self.steps_done = index + 1
        if self.on_step is not None:
            line = {"step": index, "l1": l1.detach()[None], "lpips": lpips.detach()[None]}
            line |= {"replaced": (float(self.replaced.float().mean()),)}
            self.on_step(line | {"rows_forward": (self.sampler.rows - before,), "rows_backward": (0,)})

    def view_of(self, index: int) -> int:
        """The view that a step's edit replaces: each once a round, in an order of its own for every round."""
        (view,) = self.order.at(index // self.method.edit_every).views
        assert view is not None
        return view

    @torch.no_grad()
    def replace(self, index: int) -> None:
        """Puts the edit of what a view shows now in its picture's place."""
        view, key = self.view_of(index), {"seed": self.seed, "step": index}
        seen = self.scene.render(self.cameras[view], self.background).image  # [1,3,H,W]
        total = len(self.sampler.prior.abar)
        low, high = int(total * self.method.noise_min), int(total * self.method.noise_max)
        top = uniform_t(low, high, case_id=self.case_id, purpose="edit-t", **key)
        like = self.sampler.prior.encode(seen)
        eps = draw_batch(like.shape[1:], case_ids=[self.case_id], purpose="edit-eps", like=like, **key)
        given = self.captured[view : view + 1]
        self.pictures[view] = self.sampler.edited(given, [self.instruction], eps, seen.clamp(0, 1), top)[0]
        self.replaced[view] = True

    def losses(self, index: int) -> tuple[Tensor, Tensor]:
        """L1 [] and LPIPS [] of the step's patches, with gradient to the field."""
        rays, wanted = self.batch(index)
        behind = None if self.background is None else self.background
        seen = self.scene.render_rays(rays, behind).color  # [P*h*w,3]
        patch = self.method.patch
        shown, pictures = (x.view(-1, patch, patch, 3).permute(0, 3, 1, 2) for x in (seen, wanted))
        l1 = (shown - pictures).abs().mean()
        if self.perceptual is None:
            return l1, l1.new_zeros(())
        return l1, self.perceptual(shown.clamp(0, 1), pictures).mean()

    def batch(self, index: int) -> tuple[Rays, Tensor]:
        """Rays [P*h*w] of the step's patches and their pictures' colours [P*h*w,3], row by row."""
        n, _, height, width = self.pictures.shape
        patch, count = self.method.patch, self.method.patches
        key: dict[str, Any] = {"seed": self.seed, "case_id": self.case_id, "step": index}
        drawn = uniform((3, count), 0, 1, **key, purpose="patches")
        places = (n, height - patch + 1, width - patch + 1)
        view, top, left = (to_device((d * m).long(), self.pictures.device) for d, m in zip(drawn, places, strict=True))
        within = torch.arange(patch, device=self.pictures.device)
        row = (top[:, None, None] + within[:, None]).expand(count, patch, patch).reshape(-1)
        column = (left[:, None, None] + within).expand(count, patch, patch).reshape(-1)
        views = view.repeat_interleave(patch**2)
        rays = rays_at(self.cameras, views, torch.stack([column, row], dim=-1) + 0.5)
        return rays, self.pictures[views, :, row, column]

    def snapshot(self) -> dict[str, Tensor]:
        """Everything that the next step depends on, by name: of the pictures, those that were replaced."""
        tensors = taken({"scene": self.scene}, {"field_adam": self.optimizer}) | {STOPPED: self.stopped_at}
        return tensors | {_REPLACED: self.replaced, _PICTURES: self.pictures[self.replaced]}

    def restore(self, tensors: Mapping[str, Tensor], steps_done: int) -> None:
        """Go on from a snapshot that was taken after so many steps."""
        self.steps_done = steps_done
        given_back(tensors, {"scene": self.scene}, {"field_adam": self.optimizer})
        self.stopped_at.copy_(tensors[STOPPED])
        self.replaced = tensors[_REPLACED].cpu()
        self.pictures[self.replaced] = tensors[_PICTURES].to(self.pictures)

    def _make_room(self) -> None:
        self.scene.refresh_occupancy(margin=self.settings.margin)
