"""InstructPix2Pix priors: folders of the real classes, against diffusers itself."""

import pytest
import torch
from diffusers import AutoencoderKL, DDIMScheduler, StableDiffusionInstructPix2PixPipeline
from instructed_world import save_tiny_instructed

from piva.config import PriorConfig
from piva.errors import ConfigError, PreflightError
from piva.instructed.sampler import InstructedSampler
from piva.priors.instruct_pix2pix import InstructPix2PixFacts, InstructPix2PixPrior, locate_instructed
from piva.priors.stable_diffusion import StableDiffusionPrior
from piva.toybox.models.instruct_pix2pix import load_instruct_pix2pix


@pytest.fixture(scope="module")
def folder(tiny_pipeline_folder, tmp_path_factory):
    return save_tiny_instructed(tiny_pipeline_folder, tmp_path_factory.mktemp("tiny-instruct-pix2pix"))


@pytest.fixture(scope="module")
def prior(folder):
    return InstructPix2PixPrior.load(str(folder), device="cpu")


def pictures(count: int) -> torch.Tensor:
    return torch.rand(count, 3, 32, 32, generator=torch.Generator().manual_seed(3))


def test_its_latents_are_those_of_one_picture(prior):
    assert prior.image_size == (32, 32)
    assert prior.latent_shape == (4, 8, 8)
    assert prior.unet.config.in_channels == 8


def test_the_picture_to_edit_is_the_mode_without_scaling(prior, folder):
    vae = AutoencoderKL.from_pretrained(folder, subfolder="vae")
    images = pictures(2)
    with torch.no_grad():
        expected = vae.encode(2 * images - 1).latent_dist.mode()
    torch.testing.assert_close(prior.condition(images), expected)
    torch.testing.assert_close(prior.encode(images), expected * vae.config.scaling_factor)


def test_edits_are_those_of_diffusers_pipeline(prior, folder):
    """Same noise, same DDIM: three-way guidance, the picture's latents and the order of the rows."""
    pipeline = StableDiffusionInstructPix2PixPipeline.from_pretrained(folder)
    pipeline.scheduler = DDIMScheduler.from_config(pipeline.scheduler.config)
    pipeline.set_progress_bar_config(disable=True)
    images, texts = pictures(2), ["make it red", "add a hat"]
    eps = torch.randn(2, 4, 8, 8, generator=torch.Generator().manual_seed(0))
    expected = pipeline(
        texts, image=images, latents=eps, num_inference_steps=4, guidance_scale=6.0, image_guidance_scale=1.3,
        output_type="pt",
    ).images  # fmt: skip
    sampler = InstructedSampler(prior, guidance=6.0, guidance_image=1.3, steps=4)
    found = sampler.edited(images, texts, eps)
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=0)
    assert (found - images).abs().mean() > 0.01
    assert sampler.rows == 4 * 3


def test_what_is_known_without_weights(prior, folder):
    facts = InstructPix2PixFacts(PriorConfig(model=str(folder), device="cpu"))
    assert facts.fingerprint == prior.fingerprint
    assert (facts.image_size, facts.latent_shape) == (prior.image_size, prior.latent_shape)


def test_other_folders_are_refused(folder, tiny_pipeline_folder):
    with pytest.raises(PreflightError, match="takes 4 channels, not 8: no InstructPix2Pix model"):
        InstructPix2PixPrior.load(str(tiny_pipeline_folder), device="cpu")
    with pytest.raises(PreflightError, match="takes 8 channels"):
        StableDiffusionPrior.load(str(folder), device="cpu")


def test_a_checkpoint_in_one_file_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("piva.priors.location.config_folder", lambda *_: tmp_path)
    with pytest.raises(ConfigError, match="give a folder or a hub id"):
        locate_instructed(str(tmp_path / "instruct-pix2pix-00-22000.safetensors"), device="cpu")


def test_a_hub_model_is_not_fetched(monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(PreflightError, match="allow-download would fetch it"):
        InstructPix2PixPrior.load("nobody/instruct-pix2pix", device="cpu")


def test_the_toybox_s_is_what_its_pipeline_is():
    """The shipped difference, merged here and there; the diffusion model alone answers otherwise."""
    prior, pipeline = InstructPix2PixPrior.load("toybox", device="cpu"), load_instruct_pix2pix()
    assert (prior.name, prior.image_size, prior.latent_shape) == ("toybox-instruct-pix2pix", (64, 64), (4, 16, 16))
    facts, plain = InstructPix2PixFacts(PriorConfig(device="cpu")), StableDiffusionPrior.load("toybox", device="cpu")
    assert facts.fingerprint == prior.fingerprint != plain.fingerprint
    x = torch.randn(1, 8, 16, 16, generator=torch.Generator().manual_seed(0))
    t, text = torch.tensor([400]), ["Make the cube red"]
    states, ids = prior.embed(text), pipeline.tokenizer(text, padding="max_length", return_tensors="pt").input_ids
    with torch.no_grad():
        torch.testing.assert_close(states, pipeline.text_encoder(ids).last_hidden_state)
        found = prior.predict(x, t, states)
        torch.testing.assert_close(found, pipeline.unet(x, t, states).sample)
        assert (found - plain.predict(x[:, :4], t, plain.embed(text))).abs().mean() > 0.01
