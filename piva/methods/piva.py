"""Piva (arXiv 2406.08953): DDS plus an identity term, the gap between two auxiliary scores.

    w { e(x_t, tgt) - e(x^_t, src) + lam [ eps_psi(x_t, src) - eps_phi(x_t, tgt) ] }

psi models the original renders and phi the current ones; both start from the prior. lam = 0 is DDS, and no auxiliary
is built or asked for. For: edits that DDS takes too far, held to what the original could have looked like and not to
its pixels, at the price of two models that train alongside.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from piva.auxiliary.settings import AuxiliarySettings
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
    family: ClassVar[str] = "delta"
    strength: ClassVar[str] = "lam"
    rows: ClassVar[tuple[int, int]] = (5, 2)
    source: ClassVar[str] = "Piva, arXiv 2406.08953"

    lam: float = identity(0.4, ge=0)
    """Identity weight lambda: 0 is DDS, more keeps more of the source (paper: 0.4 in 2D and on Noe, 0.2 on IN2N)."""

    guidance_src: float | None = identity(None, ge=0, added_later=True)
    """Guidance of the source branch; None: as `guidance`. Below it, what the source prompt says is held back less, so
    the edit is stronger and a smaller part of the guidance's own bias cancels."""

    psi_at: Literal["current", "source"] = identity("current")
    """Where psi is scored: at the noised current latent (our reading of the paper's final gradient), so that its pull
    back to the source grows with the edit, or at the source's, where a psi that trains alongside costs no row more."""

    source_branch: Literal["source", "current"] = identity("source")
    """Where the source branch is scored: at x^_t (DDS), or x_t (paper's eq. 9), where, at equal guidance, unconditional
    rows cancel: half the prior's rows, but z - z^ is no longer seen, so that lam = 0 is not DDS."""

    aux: AuxiliarySettings = identity(default_factory=AuxiliarySettings)
    """The auxiliary models psi and phi."""

    @property
    def auxiliaries(self) -> tuple[str, ...]:
        """psi and phi, unless lam is 0."""
        return ("psi", "phi") if self.lam else ()

    def direction(self, step: Step, ask: Ask) -> Tensor:
        """w times the bracket above, [B,C,H,W]."""
        s_src = self.guidance if self.guidance_src is None else self.guidance_src
        cancels = self.source_branch == "current" and s_src == self.guidance
        if cancels:
            asked = {"tgt": conditional(step.x_t, TARGET), "src": conditional(step.x_t, SOURCE)}
        else:
            src_x = step.x_t_src if self.source_branch == "source" else step.x_t
            asked = {"tgt": guided(step.x_t, TARGET, self.guidance), "src": guided(src_x, SOURCE, s_src)}
        if self.lam:
            psi_x = step.x_t if self.psi_at == "current" else step.x_t_src
            asked |= {"psi": source_aux(psi_x, SOURCE), "phi": target_aux(step.x_t, TARGET)}
        e = ask(**asked)
        direction = dds_direction(e.tgt, e.src)
        if cancels:  # [u + s (c_tgt - u)] - [u + s (c_src - u)] = s (c_tgt - c_src)
            direction = self.guidance * direction
        if self.lam:
            gap = identity_direction(e.psi, e.phi, self.lam)
            step.note(identity=step.w * gap)
            direction = direction + gap
        return step.w * direction
