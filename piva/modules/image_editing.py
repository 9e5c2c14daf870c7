"""The editing loop over latents, as a Lightning module: ask, step along the direction, train the auxiliaries, log."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

import lightning as L
import torch
from torch import Tensor, nn

from piva.auxiliary.training import AuxiliaryTraining
from piva.case_history import CaseHistory
from piva.modules.snapshots import below, given_back, taken
from piva.noise import DrawPlan
from piva.representations.latent import LatentImages
from piva.schedule import weight
from piva.scores import ScoreEngine
from piva.step import Ask, Step

LOOK_EVERY = 25
"""Steps between two looks whether any case goes on; a look waits for the device. Ours."""
GOES_ON = -1
"""In the place of the step at which a case stopped."""
STOPPED = "stopped_at"
"""Their name in a snapshot."""


class Method(Protocol):
    """What the loop needs of a method; its settings are its fields."""

    step_size: float
    weighting: Any

    def direction(self, step: Step, ask: Ask) -> Tensor:
        """[B,C,H,W]; descent on it edits."""
        ...


class ImageEditing(L.LightningModule):
    """theta <- theta - step_size x direction, once a batch of the loader, whose batches are the step numbers.

    A case whose latent would leave the finite numbers keeps the one before, from then on; the others do not notice.
    The prior stays outside the module tree (it would land in checkpoints): the engine holds it.

    Args:
        adapters: the auxiliaries, as the module's own parameters.
        on_step: called with every step's log; its tensors are on the device, one value per case.
    """

    def __init__(
        self,
        method: Method,
        representation: LatentImages,
        engine: ScoreEngine,
        plan: DrawPlan,
        adapters: Mapping[str, nn.Module],
        training: AuxiliaryTraining | None = None,
        on_step: Callable[[dict[str, Any]], None] | None = None,
    ):
        super().__init__()
        self.automatic_optimization = False
        self.method, self.representation, self.engine, self.plan = method, representation, engine, plan
        self.auxiliaries = nn.ModuleDict(adapters)
        self.training_of_auxiliaries = training
        self.on_step = on_step
        self.z_src = representation().detach().clone()
        self.history = CaseHistory()
        self.steps_done = 0
        self.stopped_at: Tensor  # [B] the step whose update a case did not take any more; GOES_ON where there is none
        goes_on = torch.full((len(self.z_src),), GOES_ON, device=self.z_src.device)
        self.register_buffer("stopped_at", goes_on, persistent=False)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Plain SGD: its learning rate is the method's step_size."""
        return torch.optim.SGD(self.representation.parameters(), lr=self.method.step_size)

    def on_fit_start(self) -> None:
        """Warm the auxiliaries up; the trainer's own start is over by now."""
        if self.training_of_auxiliaries is not None and not self.steps_done:
            self.training_of_auxiliaries.warm_up(self.engine, self.z_src)

    def training_step(self, index: int, batch_idx: int) -> None:
        """One update of theta, and the auxiliaries' training steps that go with it."""
        if index and index % LOOK_EVERY == 0 and bool((self.stopped_at != GOES_ON).all()):
            self.trainer.should_stop = True
            return
        optimizer = self.optimizers(use_pl_optimizer=False)
        before = list(self.engine.rows_forward), list(self.engine.rows_backward)
        z = self.representation()
        step = self._step(index, z.detach())
        direction = self.method.direction(step, self.engine.ask(step))
        z.backward(gradient=direction)
        optimizer.step()  # type: ignore[union-attr]
        optimizer.zero_grad(set_to_none=True)  # type: ignore[union-attr]
        self._hold_back(z, step)
        if self.training_of_auxiliaries is not None:
            self.training_of_auxiliaries.finish_step(self.engine, step)
        self.steps_done = index + 1
        self._log_step(step, direction, before)

    @torch.no_grad()
    def _hold_back(self, z: Tensor, step: Step) -> None:
        """Cases that have stopped, or stop now, keep the latent before the update; the device is not waited for."""
        finite = z.isfinite().flatten(1).all(dim=1)
        self.stopped_at.masked_fill_(~finite & (self.stopped_at == GOES_ON), step.index)
        going = (self.stopped_at == GOES_ON).view(-1, 1, 1, 1)
        z.copy_(torch.where(going, z, step.z))

    def snapshot(self) -> dict[str, Tensor]:
        """Everything that the next step depends on, and the log, by name; tensors are the module's own."""
        log = {f"history.{name}": values for name, values in self.history.tensors().items()}
        return taken(self._modules_kept(), self._optimizers_kept()) | log | {STOPPED: self.stopped_at}

    def restore(self, tensors: Mapping[str, Tensor], steps_done: int) -> None:
        """Go on from a snapshot that was taken after so many steps."""
        self.steps_done = steps_done
        given_back(tensors, self._modules_kept(), self._optimizers_kept())
        self.history.restore(below(tensors, "history"))
        self.stopped_at.copy_(tensors[STOPPED])

    def _modules_kept(self) -> dict[str, nn.Module]:
        return {"representation": self.representation, "auxiliaries": self.auxiliaries}

    def _optimizers_kept(self) -> dict[str, torch.optim.Optimizer]:
        """Plain SGD has no state."""
        training = self.training_of_auxiliaries
        return {} if training is None or training.optimizer is None else {"auxiliary_adam": training.optimizer}

    def _step(self, index: int, z: Tensor) -> Step:
        draw = self.plan.at(index)
        return Step(
            index=index, z=z.clone(), z_src=self.z_src, t=draw.t, timesteps=draw.timesteps, abar=draw.abar,
            abars=self.plan.abars, eps=draw.eps, w=weight(draw.abar, self.method.weighting),
            draw=lambda purpose: self.plan.normal(index, purpose), progress=self.plan.progress(index),
        )  # fmt: skip

    def _log_step(self, step: Step, direction: Tensor, before: tuple[list[int], list[int]]) -> None:
        """One dict a step. Sizes are root mean squares of a case's elements, [B]; no value is read from the device."""
        counts = self.engine.rows_forward, self.engine.rows_backward
        line: dict[str, Any] = {"step": step.index, "t": step.timesteps, "direction_rms": _rms(direction)}
        line |= {f"{name}_rms": _rms(term) for name, term in step.notes.items()}
        line["drift_rms"] = _rms(self.representation().detach() - self.z_src)
        if self.training_of_auxiliaries is not None:
            line |= {f"{name}_loss": loss for name, loss in self.training_of_auxiliaries.losses.items()}
        for name, now, old in zip(("rows_forward", "rows_backward"), counts, before, strict=True):
            line[name] = tuple(n - o for n, o in zip(now, old, strict=True))
        self.history.add(line)
        if self.on_step is not None:
            self.on_step(line)


def _rms(values: Tensor) -> Tensor:
    """Root mean square of each case: [B,C,H,W] -> [B]."""
    return values.detach().square().mean(dim=(1, 2, 3)).sqrt()
