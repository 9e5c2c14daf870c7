import json
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from diffusers import AutoencoderKL
from toybox.models.tiny import TINY_VAE

from piva.toybox.models import vae as recipe
from piva.toybox.models.training import keyed_generator


def test_export_loads_and_its_latents_have_unit_scale(vae_folder: Path, tiny_data: SimpleNamespace) -> None:
    vae = AutoencoderKL.from_pretrained(vae_folder).float()
    latents = recipe.encode(vae, tiny_data.images, torch.arange(12))
    assert latents.shape == (12, 4, 16, 16)
    assert latents.std(dim=(0, 2, 3)).square().mean().sqrt().item() == pytest.approx(1, abs=0.01)
    logged = json.loads((vae_folder.parent / "latents.json").read_text())["std_per_channel"]
    assert 1 / vae.config.scaling_factor == pytest.approx(torch.tensor(logged).square().mean().sqrt().item(), rel=1e-3)


def test_mirrored_latents_are_those_of_mirrored_pictures(vae_folder: Path, tiny_data: SimpleNamespace) -> None:
    vae = AutoencoderKL.from_pretrained(vae_folder).float()
    mirrored = recipe.encode(vae, tiny_data.images[:, :, :, ::-1].copy(), torch.arange(3))
    assert torch.allclose(recipe.encode(vae, tiny_data.images, torch.arange(3), flip=True), mirrored, atol=1e-5)


def test_a_stopped_training_ends_with_the_same_weights(
    tiny_data: SimpleNamespace, vae_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> None:
        raise KeyboardInterrupt

    settings = recipe.VAESettings(steps=3, **TINY_VAE)
    with monkeypatch.context() as patch:  # the last step is the one on whole images; the crops before it succeed
        patch.setattr(recipe, "edge_distance", _after(2, recipe.edge_distance, fails))
        with pytest.raises(KeyboardInterrupt):
            recipe.train(settings, tmp_path, tiny_data)
    again = AutoencoderKL.from_pretrained(recipe.train(settings, tmp_path, tiny_data)).state_dict()
    whole = AutoencoderKL.from_pretrained(vae_folder).state_dict()
    assert all(torch.equal(whole[name], again[name]) for name in whole)


def _after(count: int, function, failing):
    """`function`, but `failing` from call number `count` on."""
    calls = iter(range(10**6))
    return lambda *arguments: (function if next(calls) < count else failing)(*arguments)


def test_crops_prefer_what_is_busy() -> None:
    images = torch.zeros(64, 3, 64, 64)
    images[:, :, 40:, 40:] = torch.arange(24.0) % 2
    crops = recipe.busy_crops(images, 16, keyed_generator("crops"))
    plain = 24 / 49  # share of crop positions along one side that touch the busy corner
    assert crops.shape == (64, 3, 16, 16)
    assert (crops.amax(dim=(1, 2, 3)) > 0).float().mean().item() > plain**2 + 0.1


def test_edge_distance_counts_differences_of_neighbours() -> None:
    a, b = torch.zeros(1, 3, 4, 4), torch.zeros(1, 3, 4, 4)
    b[..., 2:] = 1.0  # one vertical edge: 1 of 3 horizontal differences
    assert recipe.edge_distance(a, b).item() == pytest.approx(1 / 3)
    assert recipe.edge_distance(b + 0.5, b).item() == pytest.approx(0)


def test_color_distance_compares_cells() -> None:
    a, b = torch.zeros(1, 3, 8, 8), torch.zeros(1, 3, 8, 8)
    b[:, 0, :4, :4] = 0.5  # one of 12 cell means
    a[:, 1, 4:, 4:] = torch.tensor([1.0, -1.0]).repeat(2)  # a texture without a colour of its own
    assert recipe.color_distance(a, b).item() == pytest.approx(0.25 / 12)


def test_training_the_decoder_leaves_the_latents(tiny_data: SimpleNamespace, vae_folder: Path, tmp_path: Path) -> None:
    settings = recipe.VAESettings(steps=2, **TINY_VAE, start=vae_folder, decoder_only=True)
    before, after = (
        AutoencoderKL.from_pretrained(folder).float()
        for folder in (vae_folder, recipe.train(settings, tmp_path, tiny_data))
    )
    latents = [recipe.encode(vae, tiny_data.images, torch.arange(4)) for vae in (before, after)]
    assert torch.equal(*latents)
    assert not torch.equal(before.decoder.conv_in.weight, after.decoder.conv_in.weight)


def test_a_batch_is_scaled_to_one(tiny_data: SimpleNamespace) -> None:
    batch = recipe.image_batch(tiny_data.images, torch.tensor([3, 1]))
    assert torch.equal((batch * 255).round().byte(), torch.from_numpy(tiny_data.images[[3, 1]]))
