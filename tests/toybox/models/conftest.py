"""Tiny trainings that the tests of the recipes share."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from toybox.models.tiny import TINY_CONTROLNET, TINY_DIFFUSION, TINY_VAE

from piva.toybox.render import render
from piva.toybox.scene import sample_scene
from piva.toybox.training_set import Geometry


@pytest.fixture(scope="session")
def tiny_data() -> SimpleNamespace:
    """Twelve scenes with pictures of random blocks, 16 pixels wide."""
    blocks = np.random.default_rng(0).integers(0, 256, (12, 3, 4, 4), dtype=np.uint8)
    images = blocks.repeat(16, axis=2).repeat(16, axis=3)
    return SimpleNamespace(images=images, scenes=[sample_scene(i, "train") for i in range(12)])


@pytest.fixture(scope="session")
def vae_folder(tiny_data: SimpleNamespace, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Export of a three-step autoencoder."""
    from piva.toybox.models.vae import VAESettings, train

    return train(VAESettings(steps=3, **TINY_VAE), tmp_path_factory.mktemp("vae"), tiny_data)


@pytest.fixture(scope="session")
def diffusion_work(tiny_data: SimpleNamespace, vae_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Working folder of a three-step diffusion model, its export included."""
    from piva.toybox.models.diffusion import DiffusionSettings, train

    work = tmp_path_factory.mktemp("diffusion")
    train(DiffusionSettings(steps=3, **TINY_DIFFUSION), work, tiny_data, vae_folder)
    return work


@pytest.fixture(scope="session")
def tiny_geometry(tiny_data: SimpleNamespace) -> Geometry:
    """Depths and objects of the twelve scenes."""
    rendering = render(tiny_data.scenes)
    return Geometry(rendering.depth.half().numpy(), rendering.objects.byte().numpy())


@pytest.fixture(scope="session")
def controlnet_work(
    tiny_data: SimpleNamespace, tiny_geometry: Geometry, diffusion_work: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """Working folder of a three-step ControlNet, its export and its sheets (of one row) included."""
    from piva.toybox.models import controlnet

    work = tmp_path_factory.mktemp("controlnet")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(controlnet, "SHEET_ROWS", 1)
        settings = controlnet.ControlNetSettings(steps=3, **TINY_CONTROLNET)
        controlnet.train(settings, work, tiny_data, tiny_geometry, diffusion_work / "export")
    return work
