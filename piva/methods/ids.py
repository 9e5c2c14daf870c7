"""IDS, identity-preserving distillation sampling (Kim et al., 2025): DDS with a noise that suits the source.

    x^_t <- x^_t - scale d ||z^ - x0_hat(x^_t)|| / d x^_t, a few times;  eps* = (x^_t - sqrt(abar) z^) / sqrt(1 - abar)

The score of the source's caption, guided, does not quite point at the source; DDS takes the error for part of the edit.
IDS moves the noised source until the score does, and uses the noise it finds for both branches. For: poses and shapes
that DDS drifts away from, at the price of a gradient through the UNet for each iteration, the dearest step of all.
It keeps nothing between steps: in 3D each view's noise is refined anew.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from piva.config import identity
from piva.methods.common import MethodSettings
from piva.objectives import add_noise, dds_direction, noise_between, posterior_residual
from piva.step import SOURCE, TARGET, Ask, Step, guided

if TYPE_CHECKING:
    from torch import Tensor


class IDS(MethodSettings):
    """Identity-preserving distillation sampling: DDS, with the noise refined until the score points at the source."""

    name: ClassVar[str] = "ids"
    VERSION: ClassVar[int] = 1
    family: ClassVar[str] = "delta"
    strength: ClassVar[str] = "scale"
    rows: ClassVar[tuple[int, int]] = (4, 6)
    source: ClassVar[str] = "Kim et al., 2025 (Identity-preserving Distillation Sampling)"

    iterations: int = identity(3, ge=0)
    """Refinements of the noise, each with a gradient through two UNet rows (IDS: 3); 0 is DDS."""

    scale: float = identity(1.0, ge=0)
    """Step of a refinement (IDS: 1); 0 is DDS."""

    def direction(self, step: Step, ask: Ask) -> Tensor:
        """w (e(x_t, tgt) - e(x^_t, src)) at the refined noise, [B,C,H,W]."""
        x_src, x = step.x_t_src, step.x_t
        if self.iterations and self.scale:
            for _ in range(self.iterations):
                x_src = self.refined(x_src, step, ask)
            x = add_noise(step.z, noise_between(x_src, step.z_src, step.abar), step.abar)
        e = ask(tgt=guided(x, TARGET, self.guidance), src=guided(x_src, SOURCE, self.guidance))
        return step.w * dds_direction(e.tgt, e.src)

    def refined(self, x_src: Tensor, step: Step, ask: Ask) -> Tensor:
        """The noised source [B,C,H,W] a step nearer to where its score points at the source."""
        x = x_src.detach().requires_grad_()
        e = ask(src=guided(x, SOURCE, self.guidance)).src
        posterior_residual(step.z_src, x, e, step.abar).sum().backward()
        assert x.grad is not None
        return x_src - self.scale * x.grad
