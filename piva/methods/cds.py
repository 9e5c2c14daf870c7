"""CDS, contrastive denoising score (Nam et al., 2024): DDS plus the gradient of a contrastive loss.

    w (e(x_t, tgt) - e(x^_t, src)) + contrast (H W / 2000) d loss / d z

The loss compares what the self-attention of the UNet's up blocks puts out for the current picture and for the source,
place by place (`piva.contrastive`), under the captions, without guidance. For: edits that keep the layout of the source
(a cat's pose, now a dog's) better than DDS does. The features come with rows that DDS runs anyway; one of the four
takes a gradient, to x_t and to no weight. H W / 2000 is the authors' ratio of both terms: they give DDS's sum the
factor 2000 / (H W), and the loss none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field

from piva.config import identity
from piva.contrastive import patch_nce, patches
from piva.errors import ConfigError
from piva.methods.common import MethodSettings
from piva.objectives import cfg_guided, dds_direction
from piva.step import SOURCE, TARGET, UNCONDITIONAL, Ask, Step, conditional, featured

if TYPE_CHECKING:
    from torch import Tensor


class CDS(MethodSettings):
    """Contrastive denoising score: DDS, with the layout of the source held through the UNet's own features."""

    name: ClassVar[str] = "cds"
    VERSION: ClassVar[int] = 1
    family: ClassVar[str] = "delta"
    strength: ClassVar[str] = "contrast"
    rows: ClassVar[tuple[int, int]] = (3, 1)
    source: ClassVar[str] = "Nam et al., 2024 (Contrastive Denoising Score)"

    contrast: float = identity(3.0, ge=0)
    """Weight of the contrastive loss (CDS: 3); 0 is DDS."""

    n_patches: int = identity(256, ge=1)
    """Places compared in each map, drawn anew each step; all, where there are no more (CDS: 256)."""

    patch_sizes: tuple[Annotated[int, Field(ge=1)], ...] = identity((1, 2), min_length=1)
    """Maps are compared as they are (1), and averaged over squares of so many places (CDS: 1 and 2)."""

    tau: float = identity(0.07, gt=0)
    """Temperature of the loss (CDS: .07)."""

    def direction(self, step: Step, ask: Ask) -> Tensor:
        """w times DDS's difference, plus the loss's gradient, [B,C,H,W]."""
        x = step.x_t.detach().requires_grad_(bool(self.contrast))
        kind = featured if self.contrast else conditional
        asked = {"tgt": kind(x, TARGET), "src": kind(step.x_t_src, SOURCE)}
        if self.guidance != 1:
            asked |= {"u": conditional(step.x_t, UNCONDITIONAL), "u_src": conditional(step.x_t_src, UNCONDITIONAL)}
        e = ask(**asked)
        tgt, src = e.tgt.detach(), e.src
        if self.guidance != 1:
            tgt, src = cfg_guided(e.u, tgt, self.guidance), cfg_guided(e.u_src, src, self.guidance)
        direction = step.w * dds_direction(tgt, src)
        if not self.contrast:
            return direction
        self.loss(e.features["tgt"], e.features["src"], step).sum().backward()
        assert x.grad is not None
        share = self.contrast * step.z.shape[2] * step.z.shape[3] / 2000
        hold = share * step.abar.sqrt() * x.grad  # d x_t / d z is sqrt(abar)
        step.note(identity=hold)
        return direction + hold

    def loss(self, current: list[Tensor], source: list[Tensor], step: Step) -> Tensor:
        """The contrastive loss of each case, [B], summed over layers and patch sizes.

        Raises:
            ConfigError: all patches are larger than the largest map.
        """
        losses = []
        for ours, theirs in zip(current, source, strict=True):
            for size in (size for size in self.patch_sizes if size <= min(ours.shape[2:])):
                ours_pooled, theirs_pooled = patches(ours, size), patches(theirs, size)
                places = self._places(ours_pooled.shape[2] * ours_pooled.shape[3], step)
                losses.append(patch_nce(ours_pooled, theirs_pooled, places, self.tau))
        if not losses:
            largest = max(min(ours.shape[2:]) for ours in current)
            raise ConfigError(
                f"--method.patch-sizes {min(self.patch_sizes)}: the largest map has {largest} places a side"
            )
        return sum(losses[1:], losses[0])

    def _places(self, n: int, step: Step) -> Tensor | None:
        """Which of n places are compared, [B,n_patches]: those where a keyed draw is largest; None: all."""
        if n <= self.n_patches:
            return None
        return step.draw("patches").flatten(1)[:, :n].topk(self.n_patches).indices
