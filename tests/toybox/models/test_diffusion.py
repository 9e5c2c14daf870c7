from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from diffusers import StableDiffusionPipeline
from toybox.models.tiny import TINY_DIFFUSION

from piva.toybox.models import diffusion as recipe
from piva.toybox.models.sampling import sample


@pytest.fixture(scope="module")
def pipeline(diffusion_work: Path) -> StableDiffusionPipeline:
    return StableDiffusionPipeline.from_pretrained(diffusion_work / "export")


def test_plain_diffusers_loads_and_samples_the_export(pipeline: StableDiffusionPipeline) -> None:
    generator = torch.Generator().manual_seed(0)
    images = pipeline("a red cube on grass", num_inference_steps=2, output_type="pt", generator=generator).images
    assert images.shape == (1, 3, 64, 64)
    assert torch.isfinite(images).all()
    assert {p.dtype for part in (pipeline.unet, pipeline.vae, pipeline.text_encoder) for p in part.parameters()} == {
        torch.float32
    }
    assert pipeline.safety_checker is None
    assert pipeline.config.requires_safety_checker is False


def test_no_folder_of_this_machine_is_named(diffusion_work: Path, vae_folder: Path) -> None:
    texts = [path.read_text() for path in (diffusion_work / "export").rglob("*.json")]
    assert len(texts) >= 8
    assert not any(str(folder.parent) in text for text in texts for folder in (diffusion_work, vae_folder))


def test_schedule_is_stable_diffusions(pipeline: StableDiffusionPipeline) -> None:
    betas = torch.linspace(0.00085**0.5, 0.012**0.5, 1000, dtype=torch.float64) ** 2
    abar = (1 - betas).cumprod(0)
    assert torch.allclose(pipeline.scheduler.alphas_cumprod.double(), abar, atol=1e-5)
    assert abar[-1].item() == pytest.approx(0.00466, abs=1e-5)
    assert pipeline.scheduler.config.prediction_type == "epsilon"


def test_export_holds_the_averaged_weights(pipeline: StableDiffusionPipeline, diffusion_work: Path) -> None:
    average = recipe.average_in_checkpoint(diffusion_work)
    unet = pipeline.unet.state_dict()
    assert all(torch.equal(unet[name], average[f"unet.{name}"].half().float()) for name in unet)


def test_a_look_at_a_running_training(
    diffusion_work: Path, vae_folder: Path, pipeline: StableDiffusionPipeline
) -> None:
    peek = recipe.pipeline_in_checkpoint(
        recipe.DiffusionSettings(steps=3, **TINY_DIFFUSION), diffusion_work, vae_folder
    )
    images = [sample(p, ["a blue ball"], [1], steps=2) for p in (peek, pipeline)]
    assert torch.allclose(*images, atol=0.02)


def test_a_picture_depends_on_its_own_seed_alone(pipeline: StableDiffusionPipeline) -> None:
    alone = sample(pipeline, ["a red cube"], [5], steps=2)
    among = sample(pipeline, ["a blue ball", "a red cube", "a red cube"], [1, 5, 6], steps=2, batch_size=2)
    assert torch.allclose(alone[0], among[1], atol=1e-4)
    assert not torch.allclose(among[1], among[2], atol=1e-2)


def test_a_stopped_training_ends_with_the_same_weights(
    tiny_data: SimpleNamespace,
    vae_folder: Path,
    diffusion_work: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings, calls = recipe.DiffusionSettings(steps=3, **TINY_DIFFUSION), iter(range(99))
    weight = recipe.snr_weight

    def interrupted(*arguments):
        if next(calls) == 2:
            raise KeyboardInterrupt
        return weight(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(recipe, "snr_weight", interrupted)
        with pytest.raises(KeyboardInterrupt):
            recipe.train(settings, tmp_path, tiny_data, vae_folder)
    recipe.train(settings, tmp_path, tiny_data, vae_folder)
    whole, parts = (recipe.average_in_checkpoint(folder) for folder in (diffusion_work, tmp_path))
    assert all(torch.equal(whole[name], parts[name]) for name in whole)


def test_latents_are_encoded_once(tiny_data: SimpleNamespace, vae_folder: Path, tmp_path: Path) -> None:
    vae = recipe.AutoencoderKL.from_pretrained(vae_folder).float()
    first = recipe.cached_latents(vae, vae_folder, tiny_data, tmp_path, flip=True)
    again = recipe.cached_latents(None, vae_folder, tiny_data, tmp_path, flip=True)
    assert torch.equal(first, again)
    assert first.shape == (2, 12, 4, 16, 16)
    plain = recipe.cached_latents(vae, vae_folder, tiny_data, tmp_path, flip=False)
    assert torch.equal(plain[0], first[0])


def test_min_snr_weights() -> None:
    abar = torch.tensor([0.5, 5 / 6, 0.99])  # snr 1, 5, 99
    assert recipe.snr_weight(abar, 5.0).tolist() == pytest.approx([1, 1, 5 / 99], rel=1e-4)
    assert recipe.snr_weight(abar, None).tolist() == [1, 1, 1]


def test_heads_are_32_channels_wide(pipeline: StableDiffusionPipeline) -> None:
    attention = pipeline.unet.down_blocks[1].attentions[0].transformer_blocks[0].attn2
    assert attention.inner_dim // attention.heads == 32
