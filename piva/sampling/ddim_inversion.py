"""DDIM inversion (Song et al., 2021): the sampler backwards under the source prompt, then forwards under the target's.

For: what the prior knows of a picture, with no noise drawn. Without guidance the way back ends at the source, nearly;
guidance, and the target prompt, lead away from it. Prompt-to-Prompt and its followers stand on this pair.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from piva.config import identity
from piva.sampling.common import SamplerSettings

if TYPE_CHECKING:
    from torch import Tensor

    from piva.sampling.course import SamplingCourse


class DDIMInversion(SamplerSettings):
    """DDIM inversion: to noise under the source prompt, back under the target prompt. No score distillation."""

    name: ClassVar[str] = "ddim-inversion"
    VERSION: ClassVar[int] = 1
    rows: ClassVar[tuple[int, int]] = (3, 0)
    source: ClassVar[str] = "Song et al., 2021 (DDIM); guidance as in Hertz et al., 2022 (Prompt-to-Prompt)"

    t0: float = identity(1.0, gt=0, le=1)
    """Share of the schedule that the source is inverted to; 1 is all of it, as it is mostly done."""

    guidance_src: float = identity(1.0, ge=0)
    """Guidance on the way to noise (Prompt-to-Prompt: none, 1); with more the way back misses the source."""

    def edited(self, course: SamplingCourse) -> Tensor:
        """Latents [B,C,h,w] of the edits."""
        from piva.step import SOURCE, TARGET

        return course.denoised(course.inverted(SOURCE, self.guidance_src), TARGET, self.guidance)
