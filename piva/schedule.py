"""The noise schedule: alphas_cumprod of a prior, the range timesteps are drawn from, and w(t)."""

from collections.abc import Mapping
from typing import Any

import torch
from diffusers import DDPMScheduler
from torch import Tensor

from piva.errors import ConfigError


def alphas_cumprod(scheduler_config: Mapping[str, Any]) -> Tensor:
    """abar [T] of a diffusers scheduler configuration, whichever scheduler wrote it; float32."""
    return DDPMScheduler.from_config(dict(scheduler_config)).alphas_cumprod


def progress(step: int, steps: int) -> float:
    """0 in the first step of a run, 1 in the last; a run of one step is at its beginning."""
    return min(1.0, step / max(steps - 1, 1))


def t_range(law: str, t_min: int, t_max: int, step: int, steps: int) -> tuple[int, int]:
    """Smallest and largest timestep of a step, both included, of a run of `steps`; p: `progress`.

    - uniform: t_min .. t_max in every step.
    - annealed: t_min .. t_max - p (t_max - t_min) / 2. ProlificDreamer's upper end falls to .5 at once, after 5000 of
      25 000 steps; the straight line is ours.
    - decreasing: only t_max - p (t_max - t_min), rounded.
    """
    p = progress(step, steps)
    if law == "decreasing":
        t = round(t_max - p * (t_max - t_min))
        return t, t
    return t_min, round(t_max - p * (t_max - t_min) / 2) if law == "annealed" else t_max


def weight(abar: Tensor, weighting: str) -> Tensor:
    """w(t), of the shape of abar: 1 (`constant`) or 1 - abar (`one_minus_abar`: SDS and VSD in 3D)."""
    if weighting == "constant":
        return torch.ones_like(abar)
    if weighting == "one_minus_abar":
        return 1 - abar
    raise ConfigError(f"--method.weighting {weighting!r} is not one of constant, one_minus_abar")
