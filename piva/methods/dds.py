"""DDS, the delta denoising score (Hertz et al., 2023): w (e(x_t, tgt) - e(x^_t, src)), t and eps shared.

For: the usual start of an edit by distillation. What the prior finds amiss with the source under its own caption is
taken away, and with it most of SDS's blur; where edit and prompts equal the source's it does nothing. Nothing else
holds the source, so that an edit drifts the further the longer it runs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from piva.methods.common import MethodSettings
from piva.objectives import dds_direction
from piva.step import SOURCE, TARGET, Ask, Step, guided

if TYPE_CHECKING:
    from torch import Tensor


class DDS(MethodSettings):
    """Delta denoising score: what the target prompt wants beyond what the source prompt wants of the source."""

    name: ClassVar[str] = "dds"
    VERSION: ClassVar[int] = 1
    family: ClassVar[str] = "delta"
    strength: ClassVar[str] = "guidance"
    rows: ClassVar[tuple[int, int]] = (4, 0)
    source: ClassVar[str] = "Hertz et al., 2023 (Delta Denoising Score)"

    def direction(self, step: Step, ask: Ask) -> Tensor:
        """w (e(x_t, tgt) - e(x^_t, src)), [B,C,H,W]."""
        e = ask(tgt=guided(step.x_t, TARGET, self.guidance), src=guided(step.x_t_src, SOURCE, self.guidance))
        return step.w * dds_direction(e.tgt, e.src)
