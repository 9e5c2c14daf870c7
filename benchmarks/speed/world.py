"""What is measured on: priors, cases, a clock."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING

import torch

from benchmarks.models import load_prior
from benchmarks.pie_bench import PIE_TOYBOX
from benchmarks.running.plan import spread
from benchmarks.speed.options import Options
from piva.config import PriorConfig
from piva.data.pie_bench import Case, read
from piva.errors import ConfigError

if TYPE_CHECKING:
    from piva.priors.stable_diffusion import StableDiffusionPrior


class Machine:
    """A prior on its device, and a clock; what is not used is not loaded.

    Raises:
        PreflightError: weights are missing.
    """

    def __init__(self, prior: PriorConfig, threads: int | None):
        self._prior = prior
        if threads:
            torch.set_num_threads(threads)

    @cached_property
    def prior(self) -> StableDiffusionPrior:
        """Ours."""
        return load_prior(self._prior)

    @cached_property
    def device(self) -> torch.device:
        """Where the priors are."""
        from piva.devices import pick_device

        return pick_device(self._prior.device)

    def now(self) -> float:
        """Seconds, once the device has done all that was asked of it."""
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        return time.perf_counter()

    def seconds_a_call(self, call: Callable[[], object], n: int) -> float:
        """Mean of `n` calls, after one that is not measured: the first of a shape prepares its kernels."""
        call()
        gc.collect()
        started = self.now()
        for _ in range(n):
            call()
        return (self.now() - started) / n


class World(Machine):
    """Opened once a process.

    Raises:
        ConfigError: there are fewer cases than asked for.
        PreflightError: data or weights are missing.
    """

    def __init__(self, options: Options):
        super().__init__(options.prior, options.threads)
        self.options = options

    @cached_property
    def literal_prior(self) -> StableDiffusionPrior:
        """The literal twin's own, as loaded: the hooks that adapters leave behind would cost the twin a little time."""
        return load_prior(self.options.prior.model_copy(update={"channels_last": False, "compile": False}))

    @cached_property
    def cases(self) -> list[Case]:
        """As many as any contender edits, spread over the edit types."""
        wanted = max(self.options.cases, *self.options.sizes)
        root = self.options.root or PIE_TOYBOX.locate(None, "dev")
        cases = spread(read(root), wanted)
        if len(cases) < wanted:
            raise ConfigError(f"{root} has {len(cases)} cases, not {wanted}: fewer --cases, or smaller --batch-sizes")
        return cases

    def batches(self, size: int) -> list[Case]:
        """The cases that are edited in batches of `size`: whole batches, at least one."""
        return self.cases[: max(self.options.cases, size) // size * size]

    def forget(self) -> None:
        """Make the next visit a first one: no prompt is encoded."""
        self.prior._embeddings.clear()
