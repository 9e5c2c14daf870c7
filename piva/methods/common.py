"""Settings that every method has."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import model_validator

from piva.config import Settings, identity
from piva.errors import ConfigError
from piva.step import CAPTIONS, Prompt


class MethodSettings(Settings):
    """Settings that every method has. Its class says what `piva list methods` prints."""

    family: ClassVar[str]
    """sds: towards the target prompt; classifier: between two prompts at one point; delta: against the source."""
    strength: ClassVar[str]
    """Name of the setting to turn for a stronger edit or a stronger hold on the source: what a curve is drawn over."""
    rows: ClassVar[tuple[int, int]]
    """UNet rows of a step of one case at the defaults: (without gradient, with backward)."""
    source: ClassVar[str]
    """Who proposed it, and where its defaults are from."""

    guidance: float = identity(7.5, ge=0)
    """Classifier-free guidance s of the prior, u + s (c - u) (DDS: 7.5)."""

    step_size: float = identity(0.0488, gt=0)
    """A step is z <- z - step_size x direction, whatever the latent's size (DDS at 64x64: 0.1 x 2000 / 64^2)."""

    t_min: int = identity(50, ge=0)
    """Smallest timestep drawn (DDS: 50)."""

    t_max: int = identity(948, ge=0)
    """Largest timestep drawn, itself included (DDS: 948)."""

    weighting: Literal["constant", "one_minus_abar"] = identity("constant")
    """w(t): constant (DDS), or one_minus_abar (DreamFusion)."""

    t_law: Literal["uniform", "annealed", "decreasing"] = identity("uniform", added_later=True)
    """The t of a step. uniform: drawn from the whole range (DDS). annealed: drawn too, below an upper end that falls
    from t_max to the middle of the range over the run (ProlificDreamer): layout early, detail late, and what large t
    got wrong late in the run stays. decreasing: from t_max down to t_min, evenly: no noise from t, each t seen once."""

    @model_validator(mode="after")
    def _range_is_not_empty(self) -> MethodSettings:
        if self.t_min > self.t_max:
            raise ValueError(f"t_min {self.t_min} is above t_max {self.t_max}")
        return self

    @property
    def auxiliaries(self) -> tuple[str, ...]:
        """Names of the auxiliary models to be built and trained beside the edit."""
        return ()

    @property
    def prompts(self) -> tuple[Prompt, ...]:
        """What it may ask with."""
        return CAPTIONS

    def check_steps(self, steps: int, timesteps: int) -> None:
        """Raises ConfigError where the settings do not suit that many steps, with a prior of so many timesteps."""
        if self.t_max >= timesteps:
            raise ConfigError(f"--method.t-max {self.t_max} is beyond the prior's last timestep, {timesteps - 1}")
