"""Where a prior lies, how large what it works on is, and what it is told from others by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import torch

from piva.devices import pick_device
from piva.errors import ConfigError
from piva.priors.pipelines import FILES, config_folder, content_hash, hub_folder

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
