"""The floor: the UNet rows of a step, packed as well as they can be, and nothing else."""

from __future__ import annotations

import gc
from itertools import cycle, islice

import torch
from torch import Tensor

from benchmarks.speed.contenders import Contender, Rows
from benchmarks.speed.world import World
from piva import noise
from piva.priors import Segment


def floor_seconds(world: World, contender: Contender, rows: Rows, size: int, steps: int) -> float:
    """Seconds a step and case when `size` cases go together: a call without gradient, and one with its backward pass.

    The adapters are those of the contender; they are the only parameters that a gradient is kept for. Everything the
    calls need is ready before the clock starts.
    """
    calls = Calls(world, contender, rows, size)
    calls.step()  # the first call of a shape prepares its kernels
    gc.collect()
    started = world.now()
    for _ in range(steps):
        calls.step()
    return (world.now() - started) / steps / size


class Calls:
    """The two calls of a step, with their inputs: the rows of `size` cases through the contender's adapters."""

    def __init__(self, world: World, contender: Contender, rows: Rows, size: int):
        self.prior, self.rows = world.prior, rows
        cases = list(islice(cycle(world.cases), size))
        prompts = [prompt for case in cases for prompt in (case.tgt, "", case.src)]
        names = [case.id for case in cases]
        self.frozen = self._inputs((rows.prior + rows.psi) * size, prompts)
        self.trained = self._inputs(rows.trained * size, prompts)
        adapted = rows.psi + rows.trained
        settings = contender.first.aux if adapted else None
        adapters = [world.prior.adapter(settings, k, names) for k in range(adapted)]  # type: ignore[arg-type]
        self.psi = [Segment(adapter, rows.prior * size) for adapter in adapters[: rows.psi]]
        self.segments = [Segment(adapter, k * size) for k, adapter in enumerate(adapters[rows.psi :])]
        self.parameters = [p for segment in self.segments for p in segment.adapter.parameters()]

    def _inputs(self, n: int, prompts: list[str]) -> tuple[Tensor, Tensor, Tensor] | None:
        """x [n,C,h,w], t [n] and embeddings [n,L,D] of a call; None for no rows."""
        if n == 0:
            return None
        keys = [{"seed": 0, "case_id": str(i), "step": 0} for i in range(n)]
        x = torch.stack([noise.draw(self.prior.latent_shape, purpose="eps", **key) for key in keys])  # type: ignore[arg-type]
        last = len(self.prior.abar) - 1
        t = torch.tensor([noise.uniform_t(0, last, purpose="t", **key) for key in keys])  # type: ignore[arg-type]
        device = self.prior.device
        return x.to(device), t.to(device), self.prior.embed(list(islice(cycle(prompts), n)))

    def step(self) -> None:
        """Both, each if it has rows; the gradients are dropped."""
        if self.frozen is not None:
            with torch.no_grad():
                self.prior.predict(*self.frozen, self.psi)
        if self.trained is not None:
            self.prior.predict(*self.trained, self.segments).square().mean().backward()
            for p in self.parameters:
                p.grad = None
