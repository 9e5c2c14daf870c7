"""SDEdit (Meng et al., 2022): noise the source to t0, and let the sampler take it back under the target prompt.

For: the plainest trade there is. A small t0 keeps the picture and its mistakes, a large one forgets it; nothing says
which part is to stay.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from piva.config import identity
from piva.sampling.common import SamplerSettings

if TYPE_CHECKING:
    from torch import Tensor

    from piva.sampling.course import SamplingCourse


class SDEdit(SamplerSettings):
    """SDEdit: the source, noised to t0 and sampled back under the target prompt. No score distillation."""

    name: ClassVar[str] = "sdedit"
    VERSION: ClassVar[int] = 1
    rows: ClassVar[tuple[int, int]] = (2, 0)
    source: ClassVar[str] = "Meng et al., 2022 (SDEdit); sampler, guidance: diffusers' img2img"

    t0: float = identity(0.5, gt=0, le=1)
    """Share of the schedule that the source is noised to (SDEdit: .3 to .6 for pictures); diffusers' strength."""

    def edited(self, course: SamplingCourse) -> Tensor:
        """Latents [B,C,h,w] of the edits."""
        from piva.step import TARGET

        return course.denoised(course.noised(), TARGET, self.guidance)
