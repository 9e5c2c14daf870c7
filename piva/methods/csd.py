"""CSD, classifier score distillation (Yu et al., 2023): w s (c(x_t, tgt) - omega c(x_t, neg) - (1 - omega) u).

For: the part of SDS that does the work, by itself. The authors found that guidance, the gradient of an implicit
classifier, is what shapes an image, and drop the rest; to edit, the source's caption is the negative prompt, so that
the direction leaves what was for what is wanted. It looks at the current picture alone, and holds the source no
further than the two prompts agree.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from piva.config import identity
from piva.methods.common import MethodSettings
from piva.objectives import classifier_direction
from piva.step import SOURCE, TARGET, UNCONDITIONAL, Ask, Prompt, Step, conditional

if TYPE_CHECKING:
    from torch import Tensor


class CSD(MethodSettings):
    """Classifier score distillation: away from the source prompt, to the target prompt, at the same point."""

    name: ClassVar[str] = "csd"
    VERSION: ClassVar[int] = 1
    family: ClassVar[str] = "classifier"
    strength: ClassVar[str] = "omega"
    rows: ClassVar[tuple[int, int]] = (3, 0)  # 2 where omega is 1
    source: ClassVar[str] = "Yu et al., 2023 (Text-to-3D with Classifier Score Distillation)"

    guidance: float = identity(7.5, ge=0)
    """Scale s of the whole direction (ours: the authors' Adam does not see a common factor)."""

    t_min: int = identity(20, ge=0)
    """Smallest timestep drawn (CSD: .02 of 1000)."""

    t_max: int = identity(500, ge=0)
    """Largest timestep drawn, itself included (CSD when it refines: .5 of 1000)."""

    weighting: Literal["constant", "one_minus_abar"] = identity("one_minus_abar")
    """w(t): one_minus_abar (CSD), or constant."""

    omega_first: float = identity(1.0, ge=0)
    """Weight of the negative prompt in the first step; what is left to 1 is the unconditional score's (CSD: 1)."""

    omega: float = identity(0.5, ge=0)
    """Its weight in the last step, straight in between: less leaves the source less eagerly (CSD: .5)."""

    negative: str | None = identity(None)
    """The negative prompt, the same for all cases; None: each case's source caption (CSD, when it edits)."""

    @property
    def prompts(self) -> tuple[Prompt, ...]:
        """Captions and the negative prompt."""
        return (*super().prompts, self._avoided)

    @property
    def _avoided(self) -> Prompt:
        return SOURCE if self.negative is None else Prompt(None, self.negative)

    def direction(self, step: Step, ask: Ask) -> Tensor:
        """w s (c(x_t, tgt) - omega c(x_t, neg) - (1 - omega) u), [B,C,H,W]."""
        omega = self.omega_first + step.progress * (self.omega - self.omega_first)
        asked = {"tgt": conditional(step.x_t, TARGET), "neg": conditional(step.x_t, self._avoided)}
        if omega != 1:
            asked["u"] = conditional(step.x_t, UNCONDITIONAL)
        e = ask(**asked)
        u = e.u if omega != 1 else 0.0
        return step.w * self.guidance * classifier_direction(e.tgt, e.neg, u, omega)
