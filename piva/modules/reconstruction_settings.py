"""Settings of a reconstruction."""

from piva.config import Settings, identity
from piva.rendering.fields.settings import FieldSettings


class ReconstructionSettings(Settings):
    """How a field is fitted to photographs."""

    field: FieldSettings = identity(default_factory=FieldSettings)

    steps: int = identity(1000, ge=1)
    """Updates of the field."""

    rays: int = identity(4096, ge=1)
    """Pixels a step looks at, drawn from all training views."""

    lr_density: float = identity(0.7, gt=0)
    """Learning rate (Adam) of a voxel's raw density. On Toybox 0.1 reached 3 to 4 dB less in as many steps."""

    lr_color: float = identity(0.5, gt=0)
    """Of a voxel's raw colour, and of the sky."""

    lr_network: float = identity(0.01, gt=0)
    """Of a hash grid's entries and networks."""

    lr_last: float = identity(0.03, gt=0, le=1)
    """All of them fall exponentially to this share at the last step."""

    roughness: float = identity(0.001, ge=0)
    """Weight of the differences between neighbouring voxels, where the rays went: few pixels see each voxel."""

    distortion: float = identity(0.01, ge=0)
    """Weight of mip-NeRF 360's distortion loss: against floaters and fog."""

    opacity: float = identity(0.0, ge=0)
    """Weight of the entropy of the rays' opacity: each ray is stopped wholly or not at all."""

    ground: float = identity(0.002, ge=0)
    """Weight of the light that passes through the scene below the horizon, in scenes with a sky: a plain ground would
    otherwise be learned as sky."""

    cull_from: float = identity(0.1, ge=0, le=1)
    """From this share of the steps on, cells that hold nothing are left out."""

    seed: int = identity(0)
    """Of the pixels drawn."""

    def here(self) -> "ReconstructionSettings":
        """The same with nothing left to the machine."""
        return self.model_copy(update={"field": self.field.here()})
