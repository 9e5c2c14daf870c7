"""Reconstructions that are kept: a scene is fitted once for every way of fitting it, whoever edits it afterwards."""

from __future__ import annotations

import fcntl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import Tensor

from piva.data.scenes import SceneCapture
from piva.disk import disk
from piva.modules.reconstruction_settings import ReconstructionSettings
from piva.records import is_locked
from piva.representations.radiance_field import RadianceField
from piva.scenes.reconstruction import CHECKPOINT_FILE, FIELD_FILE, reconstruct, reconstruction_key

LOCK_FILE = "lock"


def reconstructed(
    capture: SceneCapture,
    settings: ReconstructionSettings,
    store: Path,
    device: torch.device | str = "cpu",
    on_step: Callable[[int, Tensor], None] | None = None,
) -> tuple[RadianceField, float]:
    """The capture's field, from store/<key> or fitted (and put there), and the seconds of the fit: 0 if it was there.

    Of several processes that want the same field at once, one fits it and the others wait for it.
    """
    folder = store / reconstruction_key(capture, settings)
    file = folder / FIELD_FILE
    if not file.is_file():
        with _alone(folder):
            if not file.is_file():
                return reconstruct(capture, settings, folder, device, on_step)
    (folder / CHECKPOINT_FILE).unlink(missing_ok=True)  # of a fit that was killed when the field was written
    return RadianceField.load(file, device), 0.0


def being_made(store: Path) -> set[str]:
    """Keys of the fields that other processes fit now, so that `reconstructed` would wait for them."""
    return {file.parent.name for file in store.glob(f"*/{LOCK_FILE}") if is_locked(file)}


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Waits until no other process is in here for the same folder."""
    with disk(folder):
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / LOCK_FILE).open("ab")
        fcntl.flock(lock, fcntl.LOCK_EX)
    with lock:
        yield
