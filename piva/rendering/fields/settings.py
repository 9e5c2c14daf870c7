"""Settings of a radiance field."""

import importlib.util
from typing import Literal

from piva.config import Color, Settings, identity

WHITE: Color = (1.0, 1.0, 1.0)
"""Behind transparent pixels and bounded scenes, unless another colour is given."""
RESOLUTIONS = {"bounded": 96, "unbounded": 128}


class FieldSettings(Settings):
    """What a scene is made of."""

    kind: Literal["voxel", "hash-grid"] = identity("voxel")
    """voxel: an explicit grid of density and colour, fast on a CPU. hash-grid: a multiresolution hash grid with small
    networks (Instant-NGP), for GPUs."""

    resolution: int = identity(0, ge=0)
    """Voxels along a side of the field's cube; of a hash grid, of its finest level. 0: 96 in a bounded scene, 128 in
    an unbounded one, half of which lie in the inner cube."""

    samples: int = identity(0, ge=0)
    """Steps of a ray along a side of the cube; most lie in empty space, and cost nothing. 0: as `resolution`."""

    sh_degree: Literal[0, 1] = identity(0)
    """voxel: 0 has one colour from all sides, 1 lets it change with the direction."""

    background: Literal["auto", "sky", "constant"] = identity("auto")
    """What is behind everything: a colour learned for each direction (sky: spherical harmonics), or `background_color`.
    auto: the constant in a bounded scene and where pictures are transparent, a sky in other unbounded ones."""

    background_color: Color = identity(WHITE)
    """The constant background, red, green and blue in [0, 1]."""

    levels: int = identity(8, ge=1)
    """hash-grid: number of resolutions, from 16 to `resolution`."""

    features: int = identity(2, ge=1)
    """hash-grid: numbers an entry holds."""

    log2_table: int = identity(15, ge=4, le=24)
    """hash-grid: binary logarithm of a level's number of entries."""

    width: int = identity(32, ge=4)
    """hash-grid: width of its networks' hidden layers."""

    encoding: Literal["auto", "torch", "tiny-cuda-nn"] = identity("auto")
    """hash-grid: who looks features up; auto is tiny-cuda-nn where it is installed and there is CUDA."""

    def suited(self, bounded: bool, transparent: bool = False) -> "FieldSettings":
        """The same with nothing left to the kind of scene, or to whether its pictures are transparent."""
        resolution = self.resolution or RESOLUTIONS["bounded" if bounded else "unbounded"]
        background = self.background if self.background != "auto" else ("constant" if bounded or transparent else "sky")
        changes = {"resolution": resolution, "samples": self.samples or resolution, "background": background}
        return self.here().model_copy(update=changes)

    def here(self) -> "FieldSettings":
        """The same with nothing left to the machine: tiny-cuda-nn and torch make different fields."""
        if self.kind != "hash-grid" or self.encoding != "auto":
            return self
        return self.model_copy(update={"encoding": "tiny-cuda-nn" if _tiny_cuda_is_here() else "torch"})


def _tiny_cuda_is_here() -> bool:
    import torch

    return torch.cuda.is_available() and importlib.util.find_spec("tinycudann") is not None
