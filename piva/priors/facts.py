"""What a prior's configuration says of it: enough to name runs and to plan them, without its weights."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from piva.config import PriorConfig
from piva.errors import PreflightError
from piva.priors.location import Location, fingerprint, locate, sizes
from piva.priors.pipelines import CONFIG_FILES
from piva.schedule import alphas_cumprod

if TYPE_CHECKING:
    from piva.auxiliary.settings import AuxiliarySettings
    from piva.priors.shapes import PriorShape, WeightlessPrior


class PriorFacts:
    """A prior that is not loaded. Its attributes are those of the prior that would be.

    Args:
        place: finds it, as `locate` does.

    Raises:
        PreflightError: it is not on this machine. Of a hub model the configuration alone has to be.
        ConfigError: the settings do not fit it.
    """

    def __init__(self, config: PriorConfig, place: Callable[..., Location] = locate):
        names = {"model", "revision", "config", "device", "dtype", "allow_download"}
        self._location = place(**config.model_dump(include=names), files=CONFIG_FILES)
        self.name, self.device, self.dtype = self._location.name, self._location.device, self._location.dtype
        self._unet, self._vae = (self._read(f"{part}/config.json") for part in ("unet", "vae"))
        self.abar = alphas_cumprod(self._read("scheduler/scheduler_config.json"))
        self._sizes = sizes(self.name, self._unet, self._vae, config.image_size)
        self.image_size, self.latent_shape = self._sizes.image, self._sizes.latent

    @cached_property
    def fingerprint(self) -> str:
        """That of the prior."""
        return fingerprint(self._location, self._sizes)

    def adapter(self, settings: AuxiliarySettings, seed: int, case_ids: Sequence[str]) -> Any:
        """Auxiliaries without numbers: the sizes of those that the prior would make."""
        from torch._subclasses.fake_tensor import FakeTensorMode

        with FakeTensorMode():
            return self._weightless.adapter(settings, seed, case_ids)

    @cached_property
    def shape(self) -> PriorShape:
        """The configurations of its networks."""
        from piva.priors.shapes import PriorShape

        return PriorShape(self.name, self._unet, self._vae, self._read("text_encoder/config.json"))

    @cached_property
    def _weightless(self) -> WeightlessPrior:
        from piva.priors.shapes import WeightlessPrior

        return WeightlessPrior(self.shape, self.dtype, self.image_size)

    def _read(self, file: str) -> dict[str, Any]:
        path = self._location.folder / file
        try:
            return dict(json.loads(path.read_text()))
        except (OSError, ValueError) as problem:
            raise PreflightError(f"{path} cannot be read: {problem}") from problem
