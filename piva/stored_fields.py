"""Reconstructions that are kept: a scene is fitted once for every way of fitting it, whoever edits it afterwards."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from piva.data.scenes import SceneCapture
from piva.modules.reconstruction_settings import ReconstructionSettings
from piva.reconstruction import FIELD_FILE, reconstruct, reconstruction_key
from piva.representations.radiance_field import RadianceField


def reconstructed(
    capture: SceneCapture,
    settings: ReconstructionSettings,
    store: Path,
    device: torch.device | str = "cpu",
    on_step: Callable[[int, Tensor], None] | None = None,
) -> tuple[RadianceField, float]:
    """The capture's field, from store/<key> or fitted now (and put there), and the seconds that this took now."""
    folder = store / reconstruction_key(capture, settings)
    if (folder / FIELD_FILE).is_file():
        return RadianceField.load(folder / FIELD_FILE, device), 0.0
    return reconstruct(capture, settings, folder, device, on_step)
