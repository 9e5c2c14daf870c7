"""What is measured on: priors, cases, a clock."""

from __future__ import annotations

import time
from functools import cached_property
from typing import TYPE_CHECKING

import torch

from benchmarks.launch import load_prior
from benchmarks.pie_bench import PIE_TOYBOX
from benchmarks.plan import spread
from benchmarks.speed.options import Options
from piva.data.pie_bench import Case, read
from piva.errors import ConfigError

if TYPE_CHECKING:
    from piva.priors.stable_diffusion import StableDiffusionPrior


class World:
    """Opened once a process; what is not used is not loaded.

    Raises:
        ConfigError: there are fewer cases than asked for.
        PreflightError: data or weights are missing.
    """

    def __init__(self, options: Options):
        self.options = options
        if options.threads:
            torch.set_num_threads(options.threads)

    @cached_property
    def prior(self) -> StableDiffusionPrior:
        """Ours."""
        return load_prior(self.options.prior)

    @cached_property
    def literal_prior(self) -> StableDiffusionPrior:
        """The literal twin's own, as loaded: the hooks that adapters leave behind would cost the twin a little time."""
        return load_prior(self.options.prior.model_copy(update={"channels_last": False, "compile": False}))

    @cached_property
    def device(self) -> torch.device:
        """Where the priors are."""
        from piva.priors.stable_diffusion import pick_device

        return pick_device(self.options.prior.device)

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

    def now(self) -> float:
        """Seconds, once the device has done all that was asked of it."""
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        return time.perf_counter()
