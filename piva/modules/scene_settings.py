"""Settings of a scene's edit, apart from the method's; importing them loads no torch."""

from typing import Literal

from piva.config import Settings, identity


class SceneEditSettings(Settings):
    """How views are chosen, and how the field takes the direction (all ours: the paper does not say)."""

    views: int = identity(2, ge=1)
    """Views rendered, encoded and scored together in a step. More make a step's direction agree better from all sides,
    at a price in proportion."""

    cameras: Literal["train", "orbit"] = identity("train")
    """train: the captured cameras, each once a round in shuffled order; their source views are encoded once. orbit:
    random cameras around what the captured ones look at, within their range of heights and distances."""

    lr_density: float = identity(0.1, ge=0)
    """Learning rate (Adam) of a voxel's raw density."""

    lr_color: float = identity(0.03, ge=0)
    """Of a voxel's raw colour, and of the sky."""

    lr_network: float = identity(2e-3, ge=0)
    """Of a hash grid's entries and networks."""

    lr_last: float = identity(0.1, gt=0, le=1)
    """All of them fall exponentially to this share at the last step."""

    margin: int = identity(3, ge=0)
    """Voxels around what is there that something new may grow into; what is farther off is empty, and costs nothing."""

    anchor: float = identity(0.0, ge=0)
    """Weight of the mean squared distance of the field's numbers from the source's: holds what should not change."""

    roughness: float = identity(0.0, ge=0)
    """Weight of the differences between neighbouring voxels: against noise in the field."""

    opacity: float = identity(0.0, ge=0)
    """Weight of the entropy of the pixels' opacity: against fog."""
