"""Instruct-NeRF2NeRF's iterative dataset update (Haque et al., 2023): edit the photographs, and go on with the fit.

Every `edit_every`th step one training picture is replaced by InstructPix2Pix's edit of what the field shows from there
now, given the photograph that was captured there; the fit to the pictures goes on all the while. No score gives a
gradient. For: what a picture editor can do in 3D without knowing of 3D; the pictures' disagreements are averaged away
by the field, over many rounds, and what they never agree on stays blurred.
"""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import model_validator

from piva.config import Settings, identity

LPIPS_SIDE = 32
"""Pixels that every network of LPIPS can look at."""


class IN2N(Settings):
    """Instruct-NeRF2NeRF: training pictures are replaced by edits of renders, one by one, and fitted. No score."""

    name: ClassVar[str] = "in2n"
    VERSION: ClassVar[int] = 1
    family: ClassVar[str] = "dataset"
    strength: ClassVar[str] = "guidance_image"
    rows: ClassVar[tuple[int, int]] = (6, 0)
    source: ClassVar[str] = "Haque et al., 2023 (Instruct-NeRF2NeRF)"
    auxiliaries: ClassVar[tuple[str, ...]] = ()

    guidance: float = identity(7.5, ge=0)
    """s_T, guidance towards the instruction (InstructPix2Pix: 7.5)."""

    guidance_image: float = identity(1.5, ge=0)
    """s_I, guidance towards the captured picture (InstructPix2Pix: 1.5): more keeps more of it."""

    edit_every: int = identity(10, ge=1)
    """Steps of the fit between two pictures that are replaced (authors: 10); the first is before the first step."""

    sampler_steps: int = identity(20, ge=1)
    """DDIM steps of an edit, from its noise down (authors: 20); three UNet rows each."""

    noise_min: float = identity(0.02, gt=0, le=1)
    """Least share of the schedule that a render is noised to (authors: 0.02)."""

    noise_max: float = identity(0.98, gt=0, le=1)
    """Largest share (authors: 0.98); each edit's is drawn uniformly between the two."""

    rays: int = identity(16384, ge=1)
    """Rays of a step, in patches (authors: 16,384); of the other methods' --scene.views there is no use here."""

    patch: int = identity(32, ge=16)
    """Side of a patch in pixels, for LPIPS (authors: 32)."""

    lpips_weight: float = identity(1.0, ge=0)
    """Weight of LPIPS beside L1 (authors: 1); at 0 no network is looked at."""

    lpips: Literal["auto", "toybox", "alex", "vgg", "squeeze"] = identity("auto")
    """Network of LPIPS. auto: toybox with the Toybox prior, else AlexNet (authors: torchmetrics', AlexNet's)."""

    @model_validator(mode="after")
    def _range_is_not_empty(self) -> IN2N:
        if self.noise_min > self.noise_max:
            raise ValueError(f"noise_min {self.noise_min:g} is above noise_max {self.noise_max:g}")
        if self.lpips_weight and self.patch < LPIPS_SIDE:
            raise ValueError(f"--method.patch {self.patch}: LPIPS needs {LPIPS_SIDE} pixels a side")
        if self.rays < self.patch**2:
            raise ValueError(f"--method.rays {self.rays}: a patch of {self.patch}x{self.patch} has {self.patch**2}")
        return self

    @property
    def rows_per_edit(self) -> int:
        """UNet rows that replacing a picture takes: u, i and c of every sampler step."""
        return 3 * self.sampler_steps

    def edits(self, steps: int) -> int:
        """Pictures that are replaced in so many steps of the fit."""
        return -(-steps // self.edit_every)

    @property
    def patches(self) -> int:
        """Patches of a step."""
        return self.rays // self.patch**2
