"""NFSD, noise-free score distillation (Katzir et al., 2023): w (s (c - u) + delta), all at x_t.

    delta = u                  t < 200: at little noise u points back to pictures as they are
    delta = u - e(x_t, neg)    otherwise: its noise is taken away, by a prompt of what nobody wants

For: SDS at the guidance of ordinary sampling (7.5, not 100), with less of its blur and saturation, because the noise
that SDS averages away is not in the direction in the first place. It does not look at the source: the start and the
number of steps are all that holds a picture.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from piva.config import identity
from piva.methods.common import MethodSettings
from piva.objectives import nfsd_direction
from piva.step import TARGET, UNCONDITIONAL, Ask, Prompt, Request, Step, conditional

if TYPE_CHECKING:
    from torch import Tensor


class NFSD(MethodSettings):
    """Noise-free score distillation: towards the target prompt, without the noise that SDS averages away."""

    name: ClassVar[str] = "nfsd"
    VERSION: ClassVar[int] = 1
    family: ClassVar[str] = "sds"
    strength: ClassVar[str] = "guidance"
    rows: ClassVar[tuple[int, int]] = (3, 0)  # 2 where t < t_clean
    source: ClassVar[str] = "Katzir et al., 2023 (Noise-Free Score Distillation)"

    t_min: int = identity(20, ge=0)
    """Smallest timestep drawn (NFSD: .02 of 1000)."""

    t_max: int = identity(980, ge=0)
    """Largest timestep drawn, itself included (NFSD: .98 of 1000)."""

    weighting: Literal["constant", "one_minus_abar"] = identity("one_minus_abar")
    """w(t): one_minus_abar (NFSD), or constant."""

    t_clean: int = identity(200, ge=0)
    """Below it, u is taken for clean, and the negative prompt is not asked (NFSD: 200)."""

    negative: str = identity(
        "unrealistic, blurry, low quality, out of focus, ugly, low contrast, dull, dark, low-resolution, gloomy"
    )
    """What nobody wants: its score stands for the noise in u (the words of the paper)."""

    @property
    def prompts(self) -> tuple[Prompt, ...]:
        """Captions and the negative prompt."""
        return (*super().prompts, Prompt(None, self.negative))

    def direction(self, step: Step, ask: Ask) -> Tensor:
        """w (s (c - u) + delta), [B,C,H,W]."""
        asked = {"c": conditional(step.x_t, TARGET), "u": conditional(step.x_t, UNCONDITIONAL)}
        noisy = tuple(case for case, t in enumerate(step.timesteps) if t >= self.t_clean)
        if noisy:
            asked["neg"] = Request(step.x_t, Prompt(None, self.negative), cases=noisy)
        e = ask(**asked)
        return step.w * nfsd_direction(e.u, e.c, e.neg if noisy else 0 * e.u, self.guidance)
