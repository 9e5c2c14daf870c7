"""PDS, posterior distillation sampling (Koo et al., 2023): psi (z - z^) + chi (e(x_t, tgt) - e(x^_t, src)).

It matches the stochastic latents of edit and source, those noises that DDPM sampling would have to draw to come by
each picture. With shared noise that is DDS, weighted by chi(t), with a pull back to the source, weighted by psi(t)
(`piva.objectives.pds_weights`). For: edits that keep what the prompt does not speak of, at a guidance of 100. How much
is kept hangs on the number of inference steps, which one would take for a matter of speed: 1000 (stride 1) is DDS with
weights, fewer pull harder, most at small t.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from piva.config import identity
from piva.errors import ConfigError
from piva.methods.common import MethodSettings
from piva.objectives import pds_direction, pds_weights
from piva.step import SOURCE, TARGET, Ask, Step, guided

if TYPE_CHECKING:
    from torch import Tensor


class PDS(MethodSettings):
    """Posterior distillation sampling: DDS, weighted, with a pull back to the source that falls with t."""

    name: ClassVar[str] = "pds"
    VERSION: ClassVar[int] = 1
    family: ClassVar[str] = "delta"
    strength: ClassVar[str] = "inference_steps"
    rows: ClassVar[tuple[int, int]] = (4, 0)
    source: ClassVar[str] = "Koo et al., 2023 (Posterior Distillation Sampling)"

    guidance: float = identity(100.0, ge=0)
    """Classifier-free guidance s of both branches (PDS: 100); chi is about .1."""

    t_min: int = identity(20, ge=1)
    """Smallest timestep drawn (PDS: .02 of 1000; .1 for stronger edits); before 0 there is no step to match."""

    t_max: int = identity(980, ge=0)
    """Largest timestep drawn, itself included (PDS: .98 of 1000; .9 for stronger edits)."""

    inference_steps: int = identity(500, ge=1)
    """Steps of the sampler whose noises are matched: x_{t-1} is 1000 / inference_steps before x_t (PDS: 500), which has
    to be a whole number. Fewer hold the source more; 1000 not at all. A strong pull needs a small step_size, or it
    overshoots."""

    def check_steps(self, steps: int, timesteps: int) -> None:
        """See `MethodSettings.check_steps`; the sampler's steps are whole."""
        super().check_steps(steps, timesteps)
        if timesteps % self.inference_steps:
            whole = [n for n in range(1, timesteps + 1) if not timesteps % n]
            near = sorted(whole, key=lambda n: abs(n - self.inference_steps))[:2]
            raise ConfigError(
                f"--method.inference-steps {self.inference_steps} does not divide the prior's {timesteps} timesteps: "
                f"{min(near)} and {max(near)} do"
            )

    def direction(self, step: Step, ask: Ask) -> Tensor:
        """w (psi (z - z^) + chi (e(x_t, tgt) - e(x^_t, src))), [B,C,H,W]."""
        e = ask(tgt=guided(step.x_t, TARGET, self.guidance), src=guided(step.x_t_src, SOURCE, self.guidance))
        stride = len(step.abars) // self.inference_steps
        psi, chi = (weight.to(step.z) for weight in pds_weights(step.abars, step.timesteps, stride))
        step.note(identity=step.w * psi * (step.z - step.z_src))
        return step.w * pds_direction(step.z, step.z_src, e.tgt, e.src, psi, chi)
