"""The floor: the UNet rows of a step, packed as well as they can be, and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from itertools import cycle, islice
from typing import cast

import torch
from torch import Tensor

from benchmarks.speed.contenders import Contender, Rows
from benchmarks.speed.world import World
from piva import noise
from piva.priors import Adapter, Prior, Segment


def floor_seconds(world: World, contender: Contender, rows: Rows, size: int, steps: int) -> float:
    """Seconds a step and case when `size` cases go together: a call without gradient, and one with its backward pass.

    The adapters are those of the contender; they are the only parameters that a gradient is kept for. Everything the
    calls need is ready before the clock starts.
    """
    return world.seconds_a_call(Calls.of_cases(world, contender, rows, size).step, steps) / size


class Calls:
    """The calls of a step, with their inputs.

    Args:
        rows: of each of the cases, or of each view of a scene.
        size: cases, or views.
        prompts: that the rows take in turn.
        adapter: makes one, given its number; for psi and phi.
        depth: [size,1,H,W] for adapters that read it.
    """

    def __init__(
        self,
        prior: Prior,
        rows: Rows,
        size: int,
        prompts: list[str],
        adapter: Callable[[int], Adapter],
        depth: Tensor | None = None,
    ):
        self.prior, self.rows = prior, rows
        self.frozen = self._inputs((rows.prior + rows.psi) * size, prompts)
        self.trained = self._inputs(rows.trained * size, prompts)
        self.differentiated = self._inputs(rows.differentiated * size, prompts)
        adapters = [adapter(k) for k in range(rows.psi + rows.trained)]
        self.psi = [Segment(psi, rows.prior * size, depth) for psi in adapters[: rows.psi]]
        self.segments = [Segment(one, k * size, depth) for k, one in enumerate(adapters[rows.psi :])]
        self.parameters = [p for segment in self.segments for p in segment.adapter.parameters()]

    @classmethod
    def of_cases(cls, world: World, contender: Contender, rows: Rows, size: int) -> Calls:
        """Those of `size` cases, each through adapters of its own."""
        cases = list(islice(cycle(world.cases), size))
        prompts = [prompt for case in cases for prompt in (case.tgt, "", case.src)]
        names, prior = [case.id for case in cases], cast(Prior, world.prior)
        return cls(prior, rows, size, prompts, lambda k: prior.adapter(contender.first.aux, k, names))

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
        """All of them, each if it has rows; the gradients are dropped."""
        if self.frozen is not None:
            with torch.no_grad():
                self.prior.predict(*self.frozen, self.psi)
        if self.trained is not None:
            self.prior.predict(*self.trained, self.segments).square().mean().backward()
            for p in self.parameters:
                p.grad = None
        if self.differentiated is not None:
            x, t, embedding = self.differentiated
            self.prior.predict(x.detach().requires_grad_(), t, embedding).square().mean().backward()
