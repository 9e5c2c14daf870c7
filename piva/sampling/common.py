"""Settings that every sampler has."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, ClassVar

from piva.config import Settings, identity
from piva.errors import ConfigError
from piva.step import CAPTIONS, Prompt

if TYPE_CHECKING:
    from torch import Tensor

    from piva.sampling.course import SamplingCourse


class SamplerSettings(Settings):
    """Settings that every sampler has. Its class says what `piva list methods` prints.

    A run's `steps` are the sampler's over the whole schedule; the share `t0` of them is made, those from t0 down.
    """

    name: ClassVar[str]
    VERSION: ClassVar[int]
    family: ClassVar[str] = "sampling"
    strength: ClassVar[str] = "t0"
    rows: ClassVar[tuple[int, int]]
    """UNet rows of a step that is made, of one case at the defaults: (without gradient, with backward)."""
    source: ClassVar[str]
    auxiliaries: ClassVar[tuple[str, ...]] = ()
    prompts: ClassVar[tuple[Prompt, ...]] = CAPTIONS

    guidance: float = identity(7.5, ge=0)
    """Classifier-free guidance s on the way to the target, u + s (c - u) (Stable Diffusion: 7.5)."""

    t0: float = identity(gt=0, le=1)
    """Share of the schedule that the source is taken up and down again; diffusers calls it strength."""

    def made(self, steps: int) -> int:
        """How many of a sampler's `steps` are made (diffusers: int(steps x strength))."""
        return min(int(steps * self.t0), steps)

    def check_steps(self, steps: int, timesteps: int) -> None:
        """Raises ConfigError where a sampler of so many steps cannot edit with a prior of so many timesteps.

        Its steps are timesteps // steps apart (diffusers: "leading"), so that some numbers end far below the top; those
        that miss more than a tenth of the schedule (ours) are refused, as t0 would not be the share it says.
        """
        if steps >= timesteps:
            raise ConfigError(f"--steps {steps}: {self.name} takes fewer than the prior's {timesteps} timesteps")
        apart = timesteps // steps
        if steps * apart < 0.9 * timesteps:
            raise ConfigError(
                f"--steps {steps}: {self.name}'s would be {apart} timesteps apart and end at {steps * apart} of "
                f"{timesteps}; {timesteps // (apart + 1)} or {timesteps // apart} go to the top"
            )
        if not self.made(steps):
            raise ConfigError(f"--steps {steps} with --method.t0 {self.t0:g} makes no step: more of either")

    @abstractmethod
    def edited(self, course: SamplingCourse) -> Tensor:
        """Latents [B,C,h,w] of the edits."""
