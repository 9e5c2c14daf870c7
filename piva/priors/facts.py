"""What a prior's configuration says of it: enough to name runs and to plan them, without its weights."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import torch

from piva.config import PriorConfig
from piva.devices import pick_device
from piva.errors import ConfigError, PreflightError
from piva.priors.pipelines import CONFIG_FILES, FILES, config_folder, content_hash, hub_folder
from piva.schedule import alphas_cumprod

if TYPE_CHECKING:
    from piva.auxiliary.settings import AuxiliarySettings
    from piva.priors.shapes import PriorShape, WeightlessPrior

_DTYPES = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}


@dataclass(frozen=True)
class Location:
    """Where a prior lies, and what it runs on."""

    folder: Path
    """A diffusers pipeline; beside a checkpoint its configuration."""
    name: str
    """What it is called in records."""
    device: torch.device
    dtype: torch.dtype
    fingerprint: str | None = None
    """Of its weights, where it is known without reading them: of a hub model."""
    checkpoint: Path | None = None


def locate(
    model: str = "toybox",
    revision: str | None = None,
    config: str | None = None,
    device: str = "auto",
    dtype: str = "auto",
    allow_download: bool = False,
    files: Sequence[str] = FILES,
) -> Location:
    """The place of "toybox", a folder, a checkpoint file, or a hub id.

    Args:
        files: of a hub model, those that are fetched where that is allowed.

    Raises:
        PreflightError: when the model, or the device, is not there; one sentence, and no wait for a network.
        ConfigError: when the settings do not fit the model.
    """
    where = pick_device(device)
    kind = _DTYPES[dtype] if dtype != "auto" else torch.float32 if where.type == "cpu" else torch.float16
    path = Path(model).expanduser()
    if path.suffix in (".safetensors", ".ckpt") and not path.is_dir():
        folder = config_folder(path, config, allow_download)
        return Location(folder, path.stem, where, kind, checkpoint=path)
    if config is not None:
        raise ConfigError(f"--prior.config goes with a .safetensors file; {model!r} has a configuration of its own")
    if model == "toybox":
        from piva.toybox.models import weights

        return Location(weights.folder("diffusion"), "toybox", where, kind)
    if path.is_dir():
        return Location(path, path.resolve().name, where, kind)
    folder = hub_folder(model, revision, allow_download, files)
    return Location(folder, model, where, kind, fingerprint=f"{model}@{folder.name}")


class Sizes(NamedTuple):
    """Of what a prior works on."""

    trained: tuple[int, int]  # (H, W) of the images the model was trained on
    image: tuple[int, int]  # (H, W)
    latent: tuple[int, int, int]  # (C, h, w)


def sizes(name: str, unet: Mapping[str, Any], vae: Mapping[str, Any], asked: tuple[int, int] | None) -> Sizes:
    """Sizes from the configurations of UNet and VAE; images are `asked` for, or those the model was trained on.

    Raises:
        ConfigError: for sides that the VAE cannot halve as often as it does.
    """
    scale = 2 ** (len(vae["block_out_channels"]) - 1)
    size = unet["sample_size"]
    height, width = (size, size) if isinstance(size, int) else size
    trained = (height * scale, width * scale)
    image = asked or trained
    if any(side % scale for side in image):
        given = "x".join(map(str, image))
        raise ConfigError(f"{name} takes images whose sides are multiples of {scale}, which {given} is not")
    return Sizes(trained, image, (vae["latent_channels"], image[0] // scale, image[1] // scale))


def fingerprint(location: Location, found: Sizes) -> str:
    """Of everything that can change a score: a hash of weights and configuration, or id@commit; the dtype; and the
    image size where it is not the model's own.
    """
    weights = location.fingerprint or content_hash(location.folder, location.checkpoint)
    size = "" if found.image == found.trained else f"/{found.image[0]}x{found.image[1]}"
    return f"{weights}/{str(location.dtype).removeprefix('torch.')}{size}"


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
