"""Piva (arXiv 2406.08953): DDS plus an identity term, the gap between two auxiliary scores.

    w { e(x_t, tgt) - e(x^_t, src) + lam [ eps_psi(x_t, src) - eps_phi(x_t, tgt) ] }

psi models the original renders and phi the current ones; both start from the prior. lam = 0 is DDS, and no auxiliary
is built or asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from piva.auxiliary.settings import LoRASettings
from piva.config import identity
from piva.methods.common import MethodSettings
from piva.objectives import dds_direction, identity_direction
from piva.step import SOURCE, TARGET, Ask, Step, conditional, guided, source_aux, target_aux

if TYPE_CHECKING:
    from torch import Tensor


class Piva(MethodSettings):
    """DDS with an identity term: the edit stays where the original renders could have been."""

    name: ClassVar[str] = "piva"
    VERSION: ClassVar[int] = 1

    lam: float = identity(0.4, ge=0)
    """Identity weight lambda: 0 is DDS, more keeps more of the source (paper: 0.4 in 2D and on Noe, 0.2 on IN2N)."""

    psi_at: Literal["current", "source"] = identity("current")
    """Where psi is scored: the noised current latent (our reading of the paper's final gradient) or the source's."""

    source_branch: Literal["source", "current"] = identity("source")
    """Where the source branch is scored: at x^_t (DDS), or x_t (paper's eq. 9), where unconditional rows cancel."""

    aux: LoRASettings = identity(default_factory=LoRASettings)
    """The auxiliary models psi and phi."""

    @property
    def auxiliaries(self) -> tuple[str, ...]:
        """psi and phi, unless lam is 0."""
        return ("psi", "phi") if self.lam else ()

    def direction(self, step: Step, ask: Ask) -> Tensor:
        """w times the bracket above, [B,C,H,W]."""
        if self.source_branch == "source":
            asked = {"tgt": guided(step.x_t, TARGET, self.guidance), "src": guided(step.x_t_src, SOURCE, self.guidance)}
        else:
            asked = {"tgt": conditional(step.x_t, TARGET), "src": conditional(step.x_t, SOURCE)}
        if self.lam:
            psi_x = step.x_t if self.psi_at == "current" else step.x_t_src
            asked |= {"psi": source_aux(psi_x, SOURCE), "phi": target_aux(step.x_t, TARGET)}
        e = ask(**asked)
        direction = dds_direction(e.tgt, e.src)
        if self.source_branch == "current":  # [u + s (c_tgt - u)] - [u + s (c_src - u)] = s (c_tgt - c_src)
            direction = self.guidance * direction
        if self.lam:
            gap = identity_direction(e.psi, e.phi, self.lam)
            step.note(identity=step.w * gap)
            direction = direction + gap
        return step.w * direction
