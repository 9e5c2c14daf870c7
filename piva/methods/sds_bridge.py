"""SDS-Bridge (McAllister et al., 2024), its second stage: w s (c(x_t, tgt) - c(x_t, src, with its flaws in words)).

For: SDS seen as a bridge between two distributions, with a better idea of where it starts: instead of u, the score of
the pictures at hand, described by a prompt with their flaws appended, and no row more than SDS. Descent leaves the
flaws along with the source's caption. The authors start from text, where the caption at hand is the target's own
(`start`); a prior that never saw the words of the flaws is told nothing by them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from piva.config import identity
from piva.methods.common import MethodSettings
from piva.objectives import bridge_direction
from piva.step import Ask, Prompt, Step, conditional

if TYPE_CHECKING:
    from torch import Tensor


class SDSBridge(MethodSettings):
    """SDS-Bridge: from the source caption with a list of flaws, to the target prompt, at the same point."""

    name: ClassVar[str] = "sds-bridge"
    VERSION: ClassVar[int] = 1
    family: ClassVar[str] = "classifier"
    strength: ClassVar[str] = "guidance"
    rows: ClassVar[tuple[int, int]] = (2, 0)
    source: ClassVar[str] = "McAllister et al., 2024 (Rethinking Score Distillation as a Bridge)"

    guidance: float = identity(40.0, ge=0)
    """Scale s of the difference (SDS-Bridge: 40, and 100 in 3D, under AdamW)."""

    t_min: int = identity(20, ge=0)
    """Smallest timestep drawn (SDS-Bridge: .02 of 1000)."""

    t_max: int = identity(980, ge=0)
    """Largest timestep drawn, itself included (SDS-Bridge: .98 of 1000)."""

    weighting: Literal["constant", "one_minus_abar"] = identity("one_minus_abar")
    """w(t): one_minus_abar (SDS-Bridge), or constant."""

    start: Literal["src", "tgt"] = identity("src")
    """Whose caption describes the pictures at hand: the source's, to edit, or the target's (SDS-Bridge, from text)."""

    flaws: str = identity(
        ", oversaturated, smooth, pixelated, cartoon, foggy, hazy, blurry, bad structure, noisy, malformed"
    )
    """Appended to that caption (the authors' words)."""

    qualities: str = identity(", detailed high resolution, high quality, sharp")
    """Appended to the target prompt (the authors' words)."""

    @property
    def prompts(self) -> tuple[Prompt, ...]:
        """The caption with its flaws, and the target with qualities."""
        return (Prompt("tgt", self.qualities), Prompt(self.start, self.flaws))

    def direction(self, step: Step, ask: Ask) -> Tensor:
        """w s (c(x_t, tgt) - c(x_t, src with its flaws)), [B,C,H,W]."""
        target, flawed = self.prompts
        e = ask(tgt=conditional(step.x_t, target), flawed=conditional(step.x_t, flawed))
        return step.w * bridge_direction(e.tgt, e.flawed, self.guidance)
