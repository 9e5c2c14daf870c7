"""LUSD, localized update score distillation (Chinchuthakun et al., 2025).

    (1 - r) (c(x_t, tgt) - c(x_t, src)) + r (z - z^), scaled to a standard deviation that falls over the run

For: edits whose size does not depend on the picture, the prompts or t: every update is equally large, falls from broad
to fine, and a draw whose direction is too faint to mean anything is not followed (the gate). Without guidance, and with
two rows a step, the cheapest method that holds the source.

Ours: a draw that the gate stops is a step without an update, so that every step costs the same and no case waits for
another (the authors draw again within the step, and lower the gate by a hundredth each time, so that every step of
theirs has its update). Their mask, made of the cross-attention to the words that change, is left out: M = 1, as where
they have none; what is localised in their method is therefore not localised here.
"""

from __future__ import annotations

from math import exp
from typing import TYPE_CHECKING, ClassVar

from piva.config import identity
from piva.methods.common import MethodSettings
from piva.objectives import case_std, dds_direction, lusd_direction, with_std
from piva.step import SOURCE, TARGET, Ask, Step, conditional

if TYPE_CHECKING:
    from torch import Tensor


class LUSD(MethodSettings):
    """Localized update score distillation: updates of equal size, held to the source, faint ones left out."""

    name: ClassVar[str] = "lusd"
    VERSION: ClassVar[int] = 1
    family: ClassVar[str] = "classifier"
    strength: ClassVar[str] = "r"
    rows: ClassVar[tuple[int, int]] = (2, 0)
    source: ClassVar[str] = "Chinchuthakun et al., 2025 (LUSD), and the defaults of their code"

    guidance: float = identity(1.0, ge=0)
    """Scale of the difference between the prompts, against r (LUSD: none, 1); the direction is scaled afterwards."""

    step_size: float = identity(0.488, gt=0)
    """A step is z <- z - step_size x direction (LUSD at 64x64: 1 x 2000 / 64^2)."""

    r: float = identity(0.02, ge=0, le=1)
    """Weight of the way back to the source (LUSD: .02); the two prompts' difference has 1 - r."""

    std_first: float = identity(0.15, gt=0)
    """Standard deviation of the direction at the beginning (LUSD: .15)."""

    std_last: float = identity(0.01, gt=0)
    """And at the end (LUSD: .01)."""

    std_fall: float = identity(5.0, ge=0)
    """How suddenly it falls: a sigmoid between -std_fall and std_fall (LUSD's script: 5)."""

    gate: float = identity(0.01, ge=0)
    """A draw counts when c(x_t, tgt) - c(x_t, src) has this standard deviation at least (LUSD: .01)."""

    def direction(self, step: Step, ask: Ask) -> Tensor:
        """The bracket above, scaled; zero for a case whose draw does not pass the gate. [B,C,H,W]."""
        e = ask(tgt=conditional(step.x_t, TARGET), src=conditional(step.x_t, SOURCE))
        passes = case_std(dds_direction(e.tgt, e.src)) >= self.gate
        step.note(gate=passes.to(step.z.dtype))
        direction = lusd_direction(self.guidance * e.tgt, self.guidance * e.src, step.z, step.z_src, self.r)
        return step.w * passes * with_std(direction, self.std_at(step.progress))

    def std_at(self, progress: float) -> float:
        """Standard deviation of the direction, `progress` (0 to 1) through the run."""
        left = 1 / (1 + exp(self.std_fall * (2 * progress - 1)))
        return self.std_last + (self.std_first - self.std_last) * left
