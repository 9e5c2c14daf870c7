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
from piva.objectives import dds_direction, identity_direction, piva_direction
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
        e_tgt, e_src = guided(step.x_t, TARGET, self.guidance), guided(step.x_t_src, SOURCE, self.guidance)
        scale = 1.0
        if self.source_branch == "current":  # [u + s (c_tgt - u)] - [u + s (c_src - u)] = s c_tgt - s c_src
            e_tgt, e_src = conditional(step.x_t, TARGET), conditional(step.x_t, SOURCE)
            scale = self.guidance
        if not self.lam:
            e = ask(tgt=e_tgt, src=e_src)
            return step.w * dds_direction(scale * e.tgt, scale * e.src)
        psi = source_aux(step.x_t if self.psi_at == "current" else step.x_t_src, SOURCE)
        e = ask(tgt=e_tgt, src=e_src, psi=psi, phi=target_aux(step.x_t, TARGET))
        step.note(identity=step.w * identity_direction(e.psi, e.phi, self.lam))
        return step.w * piva_direction(scale * e.tgt, scale * e.src, e.psi, e.phi, self.lam)
