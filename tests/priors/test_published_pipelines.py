"""Pipelines in the published configuration of Stable Diffusion 1.5 and 2.1, with reduced widths, against diffusers."""

import pytest
import torch
from diffusers import DDIMScheduler, StableDiffusionPipeline
from stable_diffusion_world import SD_1_5, SD_2_1, ldm_checkpoint, networks, write_pipeline

from benchmarks.reference import literal
from piva.editing import EditInput, edit_batch
from piva.methods.piva import Piva
from piva.objectives import eps_hat, x0_hat
from piva.priors.stable_diffusion import StableDiffusionPrior

MODELS = {"1.5": SD_1_5, "2.1": SD_2_1}
PARTS = ("unet", "vae", "text_encoder")


@pytest.fixture(scope="module", params=["1.5", "2.1"])
def version(request):
    return request.param


@pytest.fixture(scope="module")
def folder(version, tmp_path_factory):
    return write_pipeline(tmp_path_factory.mktemp(f"sd-{version}"), MODELS[version])


@pytest.fixture(scope="module")
def prior(folder):
    return StableDiffusionPrior.load(str(folder), device="cpu")


def same_weights(prior, expected):
    for part, network in zip(PARTS, expected, strict=True):
        ours, theirs = getattr(prior, part).state_dict(), network.state_dict()
        assert ours.keys() == theirs.keys()
        assert [name for name in theirs if not torch.equal(ours[name], theirs[name])] == []


def test_every_weight_is_read_whatever_it_was_called_when_it_was_published(prior, version):
    same_weights(prior, networks(MODELS[version]))
    assert (prior.prediction, prior.image_size) == {"1.5": ("epsilon", (64, 64)), "2.1": ("v_prediction", (96, 96))}[
        version
    ]


def test_prompts_are_embedded_as_the_pipeline_embeds_them(prior, folder, version):
    pipeline = StableDiffusionPipeline.from_pretrained(folder, safety_checker=None, feature_extractor=None)
    prompts = ["a red cube on grass!", ""]
    expected, _ = pipeline.encode_prompt(prompts, "cpu", 1, do_classifier_free_guidance=False)
    torch.testing.assert_close(prior.embed(prompts), expected)
    padding = prior.tokenizer("", padding="max_length", max_length=77)["input_ids"][2:]
    assert set(padding) == {prior.tokenizer.convert_tokens_to_ids({"1.5": "<|endoftext|>", "2.1": "!"}[version])}


@pytest.mark.parametrize("t", [20, 500, 981])
def test_predictions_are_converted_as_diffusers_scheduler_does(prior, folder, t):
    """DDIM's own estimate of z, and its step to a cleaner x, which is made of z and the noise."""
    scheduler = DDIMScheduler.from_pretrained(folder, subfolder="scheduler")
    scheduler.set_timesteps(50)
    x = torch.randn(1, *prior.latent_shape, generator=torch.Generator().manual_seed(t))
    with torch.no_grad():
        output = prior.predict(x, torch.tensor([t]), prior.embed(["a cat"]))
    step = scheduler.step(output, t, x)
    abar = prior.abar[t]
    eps = eps_hat(output, x, abar, prior.prediction)
    z = x0_hat(eps, x, abar)
    torch.testing.assert_close(z, step.pred_original_sample, atol=1e-4, rtol=1e-4)
    before = prior.abar[max(t - 20, 0)]
    torch.testing.assert_close(before.sqrt() * z + (1 - before).sqrt() * eps, step.prev_sample, atol=1e-4, rtol=1e-4)


def test_an_edit_is_the_literal_one(prior):
    """Piva, three steps, with both auxiliaries training; and it is an edit."""
    image = torch.rand(3, *prior.image_size, generator=torch.Generator().manual_seed(1))
    case, method = EditInput("a", image, "a red cube", "a blue ball"), Piva(lam=1.0, aux={"lr": 1e-2})
    (output,) = edit_batch(prior, method, [case], steps=3, seed=3)
    twin = literal.edit(prior, method, case, steps=3, seed=3)
    torch.testing.assert_close(output.image, twin.image, atol=3e-4, rtol=0)  # AdamW's first steps enlarge rounding
    unedited = prior.decode(prior.encode(image[None]))[0]
    assert (output.image - unedited).abs().max() > 1e-3


def test_a_single_file_holds_the_same_model(prior, folder, version, tmp_path):
    file = ldm_checkpoint(tmp_path / "model.safetensors", MODELS[version])
    single = StableDiffusionPrior.load(str(file), config=str(folder), device="cpu")
    same_weights(single, networks(MODELS[version]))
    assert (single.name, single.prediction) == ("model", prior.prediction)
    assert single.tokenizer.pad_token == prior.tokenizer.pad_token
    assert single.fingerprint != prior.fingerprint
    half = StableDiffusionPrior.load(str(file), config=str(folder), device="cpu", dtype="bfloat16")
    dtypes = {part: {p.dtype for p in getattr(half, part).parameters()} for part in PARTS}
    assert dtypes == {"unet": {torch.bfloat16}, "vae": {torch.float32}, "text_encoder": {torch.bfloat16}}
