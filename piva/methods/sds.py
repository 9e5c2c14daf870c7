"""SDS, score distillation sampling (DreamFusion, 2022): w (e(x_t, tgt) - eps).

For: the plainest distillation, which makes pictures and fields from text alone, and what all others are compared with.
As an edit it starts at the source and knows nothing of it afterwards; the guidance that a subject needs (100 in 3D)
oversaturates, and the noise, which is taken away only on average, blurs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from piva.methods.common import MethodSettings
from piva.objectives import sds_direction
from piva.step import TARGET, Ask, Step, guided

if TYPE_CHECKING:
    from torch import Tensor


class SDS(MethodSettings):
    """Score distillation sampling: towards the target prompt alone; blind to the source but for the start."""

    name: ClassVar[str] = "sds"
    VERSION: ClassVar[int] = 1
    family: ClassVar[str] = "sds"
    strength: ClassVar[str] = "guidance"
    rows: ClassVar[tuple[int, int]] = (2, 0)
    source: ClassVar[str] = "Poole et al., 2022 (DreamFusion); 2D settings of Hertz et al., 2023"

    def direction(self, step: Step, ask: Ask) -> Tensor:
        """w (e(x_t, tgt) - eps), [B,C,H,W]."""
        e = ask(tgt=guided(step.x_t, TARGET, self.guidance))
        return step.w * sds_direction(e.tgt, step.eps)
