"""Fitting a radiance field to photographs, as a Lightning module: draw pixels, render their rays, compare, step."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import lightning as L
import torch
import torch.nn.functional as F
from torch import Tensor

from piva.data.scenes import Views
from piva.modules.reconstruction_settings import ReconstructionSettings
from piva.noise import to_device, uniform
from piva.rendering.cameras import Rays, rays_at
from piva.rendering.volume import opacity_entropy
from piva.representations.radiance_field import RadianceField

REFRESH_EVERY = 50
"""Steps between two looks at which cells hold anything."""


class SceneReconstruction(L.LightningModule):
    """One update of the field a batch of the loader, whose batches are the step numbers.

    Args:
        views: to be fitted; with a fourth channel, they are put on a colour drawn for every ray, and so is the field.
        case_id: of the keyed draws.
        on_step: called with every step's number and loss [], which lies on the device.
    """

    def __init__(
        self,
        settings: ReconstructionSettings,
        scene: RadianceField,
        views: Views,
        case_id: str,
        on_step: Callable[[int, Tensor], None] | None = None,
    ):
        super().__init__()
        self.automatic_optimization = False
        self.settings, self.scene, self.case_id, self.on_step = settings, scene, case_id, on_step
        self.views = views
        scene.field.grow(0.0)
        self.optimizer = self._optimizer()

    def configure_optimizers(self) -> None:
        """Its own optimiser: a field that grows has new parameters."""

    def training_step(self, index: int, batch_idx: int) -> None:
        """One update."""
        share = index / self.settings.steps
        if self.scene.field.grow(share):
            self.optimizer = self._optimizer()
            self._refresh(share)
        elif index % REFRESH_EVERY == 0:
            self._refresh(share)
        for group in self.optimizer.param_groups:
            group["lr"] = group["first_lr"] * self.settings.lr_last**share
        loss = self._loss(index)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self.optimizer.step()
        if self.on_step is not None:
            self.on_step(index, loss.detach())

    def snapshot(self) -> dict[str, Tensor]:
        """Everything that the next step depends on, by name; tensors are the module's own."""
        tensors = {f"scene.{name}": value for name, value in self.scene.state_dict().items()}
        for number, state in self.optimizer.state_dict()["state"].items():
            tensors |= {f"adam.{number}.{name}": value for name, value in state.items()}
        return tensors

    def restore(self, tensors: Mapping[str, Tensor], steps_done: int) -> None:
        """Go on from a snapshot that was taken after so many steps."""
        self.scene.field.grow((steps_done - 1) / self.settings.steps)
        self.scene.occupancy.cells = tensors["scene.occupancy.cells"]
        self.scene.load_state_dict({name[6:]: value for name, value in tensors.items() if name.startswith("scene.")})
        self.optimizer = self._optimizer()
        state: dict[int, dict[str, Tensor]] = {}
        for name, value in tensors.items():
            if name.startswith("adam."):
                _, number, what = name.split(".")
                state.setdefault(int(number), {})[what] = value
        self.optimizer.load_state_dict(self.optimizer.state_dict() | {"state": state})

    def _loss(self, index: int) -> Tensor:
        """Mean squared difference of the drawn pixels' colours, and the regularisers: []."""
        rays, wanted, background, jitter = self._batch(index)
        seen = self.scene.render_rays(rays, background, jitter)
        loss = F.mse_loss(seen.color, wanted)
        if self.settings.roughness:
            loss = loss + self.settings.roughness * self.scene.field.roughness(seen.points)
        if self.settings.distortion:
            loss = loss + self.settings.distortion * seen.distortion()
        if self.settings.opacity:
            loss = loss + self.settings.opacity * opacity_entropy(seen.opacity).mean()
        if self.settings.ground and not self.scene.space.bounded and background is None:
            below = rays.directions[:, 2] < 0  # the world's z is up
            loss = loss + self.settings.ground * ((1 - seen.opacity) * below).mean()
        return loss

    def _batch(self, index: int) -> tuple[Rays, Tensor, Tensor | None, Tensor]:
        """Rays [N], their pixels' colours [N,3], the backgrounds [N,3] behind transparent ones, jitter [N]."""
        images, device = self.views.images, self.views.images.device
        n_views, channels, height, width = images.shape
        key: dict[str, Any] = {"seed": self.settings.seed, "case_id": self.case_id, "step": index}
        drawn = to_device(uniform((7, self.settings.rays), 0, 1, **key, purpose="rays"), device)
        view, row, column = ((drawn[i] * n).long() for i, n in enumerate((n_views, height, width)))
        rays = rays_at(self.views.cameras, view, torch.stack([column, row], dim=-1) + 0.5)
        pixels = images[view, :, row, column]  # [N,C]
        if channels == 3:
            return rays, pixels, None, drawn[3]
        background, opacity = drawn[4:].T, pixels[:, 3:]
        return rays, torch.lerp(background, pixels[:, :3], opacity), background, drawn[3]

    def _refresh(self, share: float) -> None:
        if share >= self.settings.cull_from:
            self.scene.refresh_occupancy()

    def _optimizer(self) -> torch.optim.Adam:
        field, settings = self.scene.field, self.settings
        rates = {"raw_density": settings.lr_density, "raw_color": settings.lr_color}
        groups: list[dict[str, Any]] = [
            {"params": [p], "first_lr": rates.get(name, settings.lr_network)} for name, p in field.named_parameters()
        ]
        groups += [{"params": [p], "first_lr": settings.lr_color} for p in self.scene.background.parameters()]
        fused = all(p.device.type in ("cpu", "cuda") for group in groups for p in group["params"])
        return torch.optim.Adam(groups, lr=settings.lr_color, betas=(0.9, 0.99), eps=1e-15, fused=fused)
