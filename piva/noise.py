"""Keyed draws: every random number is a function of (seed, case, step, purpose) and of nothing else.

The key is hashed to 128 bits, all of which key a Philox generator of their own on the CPU (PyTorch's CPU generator
reads only 32 bits of a seed); the numbers are moved to the device afterwards.
So a case gets the same noise under any method, batch size, shard, worker or device, and methods are compared on
common random numbers.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from piva.schedule import progress, t_range

KEY_VERSION = "piva-noise-2"
"""Of all draws: another one is other noise for the same key."""


def key(*, seed: int, case_id: str, step: int, purpose: str) -> int:
    """128 bits of SHA-256 of the four names of a draw."""
    spelled = "\x1f".join((KEY_VERSION, str(seed), case_id, str(step), purpose))
    return int.from_bytes(hashlib.sha256(spelled.encode()).digest()[:16], "big")


def draw(shape: Sequence[int], *, seed: int, case_id: str, step: int, purpose: str) -> Tensor:
    """Standard normal numbers [*shape], float32, on the CPU."""
    generator = _generator(key(seed=seed, case_id=case_id, step=step, purpose=purpose))
    return torch.from_numpy(generator.standard_normal(tuple(shape), dtype=np.float32))


def uniform(
    shape: Sequence[int], low: float, high: float, *, seed: int, case_id: str, step: int, purpose: str
) -> Tensor:
    """Numbers [*shape] uniform in [low, high), float32, on the CPU."""
    generator = _generator(key(seed=seed, case_id=case_id, step=step, purpose=purpose))
    return low + (high - low) * torch.from_numpy(generator.random(tuple(shape), dtype=np.float32))


def uniform_t(low: int, high: int, *, seed: int, case_id: str, step: int, purpose: str) -> int:
    """A timestep uniform in low .. high, both included."""
    return low + key(seed=seed, case_id=case_id, step=step, purpose=purpose) % (high - low + 1)


def draw_batch(
    shape: Sequence[int], *, seed: int, case_ids: Sequence[str], step: int, purpose: str, like: Tensor
) -> Tensor:
    """One `draw` of [*shape] per case, stacked to [B, *shape], on the device and of the dtype of `like`."""
    drawn = torch.stack([draw(shape, seed=seed, case_id=i, step=step, purpose=purpose) for i in case_ids])
    return to_device(drawn, like.device).to(like.dtype)


def to_device(values: Tensor, device: torch.device) -> Tensor:
    """`values` on `device`; the host does not wait for the copy."""
    return values.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else values.to(device)


def _generator(bits: int) -> np.random.Generator:
    return np.random.Generator(np.random.Philox(key=bits))


@dataclass(frozen=True, eq=False)
class Draw:
    """A timestep and a noise for each of B cases."""

    t: Tensor  # [B] int64
    abar: Tensor  # [B,1,1,1] alphas_cumprod at t
    eps: Tensor  # [B,C,H,W]
    timesteps: tuple[int, ...]  # t once more, for the host


@dataclass(frozen=True, eq=False)
class DrawPlan:
    """Where the draws of a batch of cases come from."""

    seed: int
    case_ids: tuple[str, ...]
    t_min: int
    t_max: int  # included
    abars: Tensor  # [T] alphas_cumprod, on the CPU
    like: Tensor  # [B,C,H,W], for shape, dtype and device
    t_law: str = "uniform"  # of the steps' own timesteps, see `piva.schedule.t_range`
    steps: int = 1  # of the run

    def progress(self, step: int) -> float:
        """How far a step is in the run, from 0 to 1."""
        return progress(step, self.steps)

    def normal(self, step: int, purpose: str) -> Tensor:
        """Further standard normal numbers [B,C,H,W], for a method: those of no `at`, whatever the purpose is called."""
        return self._normal(step, f"method/{purpose}")

    def _normal(self, step: int, purpose: str) -> Tensor:
        key: dict[str, Any] = {"seed": self.seed, "case_ids": self.case_ids, "step": step, "purpose": purpose}
        return draw_batch(self.like.shape[1:], like=self.like, **key)

    def at(self, step: int, purpose: str = "") -> Draw:
        """The draw of a step, or of something else (`purpose`) that is done in it.

        Only a step's own timestep follows the law: what trains an auxiliary by itself draws from the whole range.
        """
        law = "uniform" if purpose else self.t_law
        low, high = t_range(law, self.t_min, self.t_max, step, self.steps)
        keys = [{"seed": self.seed, "case_id": i, "step": step, "purpose": purpose + "t"} for i in self.case_ids]
        timesteps = tuple(uniform_t(low, high, **key) for key in keys)  # type: ignore[arg-type]
        t = torch.tensor(timesteps)
        abar = self.abars[t].view(-1, 1, 1, 1)
        device = self.like.device
        return Draw(to_device(t, device), to_device(abar, device), self._normal(step, purpose + "eps"), timesteps)
