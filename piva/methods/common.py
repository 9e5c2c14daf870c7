"""Settings that every method has."""

from __future__ import annotations

from typing import Literal

from pydantic import model_validator

from piva.config import Settings, identity


class MethodSettings(Settings):
    """Settings that every method has."""

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

    @model_validator(mode="after")
    def _range_is_not_empty(self) -> MethodSettings:
        if self.t_min > self.t_max:
            raise ValueError(f"t_min {self.t_min} is above t_max {self.t_max}")
        return self

    @property
    def auxiliaries(self) -> tuple[str, ...]:
        """Names of the auxiliary models to be built and trained beside the edit."""
        return ()
