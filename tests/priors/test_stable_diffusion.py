"""The Stable Diffusion prior on a tiny pipeline of the real classes, against diffusers itself."""

import gc
import json
import shutil
import time
import weakref

import pytest
import torch
from diffusers import StableDiffusionPipeline
from harness_world import write_bench
from PIL import Image

from benchmarks.models import drop_text_encoder
from piva.cli import main
from piva.config import PriorConfig, identity_values
from piva.editing import EditInput, edit_batch
from piva.errors import ConfigError, PreflightError
from piva.methods import METHODS
from piva.methods.piva import Piva
from piva.priors.stable_diffusion import StableDiffusionPrior
from piva.records import read_run
from piva.registry import resolve
from piva.sampling import SAMPLERS
from piva.sampling.batch import sample_batch


@pytest.fixture
def changed_pipeline(tiny_pipeline_folder, tmp_path):
    """Copies the tiny pipeline with values of one of its JSON files replaced."""

    def change(file, **values):
        folder = tmp_path / "changed"
        shutil.copytree(tiny_pipeline_folder, folder)
        path = folder / file
        path.write_text(json.dumps(json.loads(path.read_text()) | values))
        return folder

    return change


@pytest.fixture(scope="module")
def pipeline(tiny_pipeline_folder):
    pipeline = StableDiffusionPipeline.from_pretrained(tiny_pipeline_folder)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def test_sizes(tiny_prior):
    assert tiny_prior.image_size == (32, 32)
    assert tiny_prior.latent_shape == (4, 8, 8)
    assert tiny_prior.abar.shape == (1000,)


def test_prompts_are_embedded_as_the_pipeline_embeds_them(tiny_prior, pipeline):
    prompts = ["a red cube on grass", "", "two words"]
    expected, _ = pipeline.encode_prompt(prompts, "cpu", 1, do_classifier_free_guidance=False)
    torch.testing.assert_close(tiny_prior.embed(prompts), expected)
    torch.testing.assert_close(tiny_prior.embed(prompts[::-1] * 2), expected.flip(0).repeat(2, 1, 1))


def test_predictions_are_the_unet_s(tiny_prior, pipeline):
    x = torch.randn(2, 4, 8, 8, generator=torch.Generator().manual_seed(0))
    t, embedding = torch.tensor([10, 900]), tiny_prior.embed(["a cat", "a dog"])
    with torch.no_grad():
        expected = pipeline.unet(x, t, embedding).sample
        torch.testing.assert_close(tiny_prior.predict(x, t, embedding), expected)


def test_latents_are_scaled_posterior_means(tiny_prior, pipeline):
    images = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    z = tiny_prior.encode(images)
    with torch.no_grad():
        expected = pipeline.vae.encode(images * 2 - 1).latent_dist.mode() * pipeline.vae.config.scaling_factor
        decoded = pipeline.vae.decode(z / pipeline.vae.config.scaling_factor).sample
    torch.testing.assert_close(z, expected)
    torch.testing.assert_close(tiny_prior.decode(z), (decoded / 2 + 0.5).clamp(0, 1))


def test_inputs_of_another_number_type_are_converted(tiny_prior):
    """As those of another device are: this half of the conversion can be seen on a CPU."""
    images = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    z, embedding, t = tiny_prior.encode(images), tiny_prior.embed(["a cat"]), torch.tensor([10])
    torch.testing.assert_close(tiny_prior.encode(images.double()), z)
    assert torch.equal(tiny_prior.decode(z.double()), tiny_prior.decode(z))
    with torch.no_grad():
        assert torch.equal(tiny_prior.predict(z.double(), t, embedding), tiny_prior.predict(z, t, embedding))


def test_on_a_gpu_inputs_may_lie_elsewhere_and_edits_come_out_finite(cuda, tiny_pipeline_folder, tiny_prior):
    """Lightning leaves the latent on the CPU once its trainer is done."""
    prior = StableDiffusionPrior.load(str(tiny_pipeline_folder), device=str(cuda), dtype="float32")
    image = torch.rand(3, 32, 32, generator=torch.Generator().manual_seed(0))
    z = prior.encode(image[None])
    assert z.device.type == prior.decode(z.cpu()).device.type == "cuda"
    embedding, t = prior.embed(["a cat"]), torch.tensor([10])
    with torch.no_grad():
        torch.testing.assert_close(prior.predict(z.cpu(), t, embedding), prior.predict(z, t.to(cuda), embedding))
    case = EditInput("a", image, "a cat", "a dog")
    (output,) = edit_batch(prior, Piva(aux={"lr": 1e-2}), [case], steps=4, seed=0)
    (expected,) = edit_batch(tiny_prior, Piva(aux={"lr": 1e-2}), [case], steps=4, seed=0)
    assert output.image.device.type == "cpu"
    assert output.peak_bytes > 0
    assert (output.image - expected.image).abs().mean() < 1e-2


def test_a_compiled_unet_is_traced_once_for_all_batches_and_edits_alike(tiny_pipeline_folder, tiny_prior):
    """Every batch brings adapters of its own; tracing them again would cost a minute each time."""
    graphs = []
    prior = StableDiffusionPrior.load(str(tiny_pipeline_folder), device="cpu")
    prior.unet.compile(backend=lambda graph, _: graphs.append(graph) or graph)  # all of a compilation but its end
    for seed in range(2):
        image = torch.rand(3, 32, 32, generator=torch.Generator().manual_seed(seed))
        case = EditInput(str(seed), image, "a cat", "a dog")
        (output,) = edit_batch(prior, Piva(aux={"lr": 1e-2}), [case], steps=3, seed=seed)
        (expected,) = edit_batch(tiny_prior, Piva(aux={"lr": 1e-2}), [case], steps=3, seed=seed)
        torch.testing.assert_close(output.image, expected.image, atol=1e-4, rtol=0)
        assert len(graphs) == 2  # rows without gradient, and with


@pytest.mark.parametrize(("asked", "found"), [(None, False), (False, False), (True, True)])
def test_on_a_cpu_channels_come_last_only_where_asked_for(tiny_pipeline_folder, tiny_prior, asked, found):
    config = PriorConfig(model=str(tiny_pipeline_folder), device="cpu", channels_last=asked)
    prior = StableDiffusionPrior.from_config(config)
    weight = prior.unet.conv_in.weight
    assert weight.is_contiguous(memory_format=torch.channels_last) is found
    assert weight.is_contiguous() is not found
    x = torch.randn(2, 4, 8, 8, generator=torch.Generator().manual_seed(0))
    t, embedding = torch.tensor([10, 900]), prior.embed(["a cat", "a dog"])
    with torch.no_grad():
        torch.testing.assert_close(
            prior.predict(x, t, embedding), tiny_prior.predict(x, t, embedding), atol=1e-5, rtol=0
        )


@pytest.mark.parametrize(
    ("attention", "processor"),
    [("sdpa", "AttnProcessor2_0"), ("eager", "AttnProcessor"), ("sliced", "SlicedAttnProcessor")],
)
def test_ways_of_attention_agree(tiny_pipeline_folder, tiny_prior, attention, processor):
    """An edit in which auxiliaries train: calls without gradient and with."""
    prior = StableDiffusionPrior.load(str(tiny_pipeline_folder), device="cpu", attention=attention)
    assert {type(found).__name__ for found in prior.unet.attn_processors.values()} == {processor}
    case = EditInput("a", torch.rand(3, 32, 32, generator=torch.Generator().manual_seed(0)), "a cat", "a dog")
    (output,) = edit_batch(prior, Piva(aux={"lr": 1e-2}), [case], steps=2, seed=0)
    (expected,) = edit_batch(tiny_prior, Piva(aux={"lr": 1e-2}), [case], steps=2, seed=0)
    torch.testing.assert_close(output.image, expected.image, atol=1e-4, rtol=0)


def test_how_it_is_computed_is_in_no_key():
    assert identity_values(PriorConfig(attention="eager", drop_text_encoder=True)) == identity_values(PriorConfig())
    assert set(identity_values(PriorConfig())) == {"model", "revision", "dtype"}  # as before there were more fields


def test_another_image_size_is_another_fingerprint(tiny_pipeline_folder, tiny_prior):
    """Sides of the latent may be odd; the UNet pads."""
    prior = StableDiffusionPrior.load(str(tiny_pipeline_folder), device="cpu", image_size=(36, 20))
    assert (prior.image_size, prior.latent_shape) == ((36, 20), (4, 9, 5))
    assert prior.fingerprint == tiny_prior.fingerprint + "/36x20"
    case = EditInput("a", torch.rand(3, 36, 20, generator=torch.Generator().manual_seed(0)), "a cat", "a dog")
    (output,) = edit_batch(prior, Piva(), [case], steps=1, seed=0)
    assert output.image.shape == (3, 36, 20)
    same = StableDiffusionPrior.load(str(tiny_pipeline_folder), device="cpu", image_size=(32, 32))
    assert same.fingerprint == tiny_prior.fingerprint


def test_a_run_at_another_size_without_the_text_encoder(tiny_pipeline_folder, tmp_path, capsys):
    root = write_bench(tmp_path / "bench", n=2, size=32)
    common = ["--root", str(root), "--out", str(tmp_path), "--tracker", "none", "--method", "dds", "--steps", "1"]
    prior = ["--prior.model", str(tiny_pipeline_folder), "--prior.device", "cpu", "--prior.drop-text-encoder"]
    assert main(["run", "pie-bench", *common, *prior, "--prior.image-size", "24", "48"]) == 0
    assert "resized to the prior's 48x24" in capsys.readouterr().err
    (folder,) = (tmp_path / "pie-bench").iterdir()
    record = read_run(folder)
    assert record.image_size == (24, 48)
    assert (record.prior["image_size"], record.prior["fingerprint"][-6:]) == ([24, 48], "/24x48")
    assert Image.open(folder / "images" / "000000000000.png").size == (48, 24)
    assert main(["run", "pie-bench", *common, *prior, "--prior.image-size", "24", "30"]) == 2
    assert "takes images whose sides are multiples of 4, which 24x30 is not" in capsys.readouterr().err


@pytest.mark.parametrize("name", [*METHODS, *SAMPLERS])
def test_a_method_has_all_its_words_without_the_text_encoder(tiny_pipeline_folder, name):
    prior = StableDiffusionPrior.load(str(tiny_pipeline_folder), device="cpu")
    method = resolve("method", METHODS | SAMPLERS, name)(**({"negative": "ugly"} if name in ("csd", "nfsd") else {}))
    drop_text_encoder(prior, method, [("a cat", "a dog")])
    assert prior.text_encoder is None
    case = EditInput("a", torch.full((3, 32, 32), 0.5), "a cat", "a dog")
    (output,) = (sample_batch if name in SAMPLERS else edit_batch)(prior, method, [case], steps=4, seed=0)
    assert output.error is None


def test_nothing_of_the_frozen_model_requires_grad_or_is_in_training_mode(tiny_prior):
    for part in (tiny_prior.unet, tiny_prior.vae, tiny_prior.text_encoder):
        assert not any(p.requires_grad for p in part.parameters())
        assert not part.training


def test_a_prompt_is_encoded_once(tiny_prior, monkeypatch):
    first = tiny_prior.embed(["a prompt nobody used before", ""])
    monkeypatch.setattr(tiny_prior, "_encode_text", lambda prompts: pytest.fail(f"{prompts} encoded again"))
    assert torch.equal(tiny_prior.embed(["", "a prompt nobody used before"]), first.flip(0))


def test_without_its_text_encoder_a_prior_knows_the_prompts_it_has_met(tiny_pipeline_folder, tiny_prior):
    prior = StableDiffusionPrior.load(str(tiny_pipeline_folder), device="cpu")
    encoder = weakref.ref(prior.text_encoder)
    prior.drop_text_encoder(["", "a cat", *(f"prompt {i}" for i in range(1100))])  # more than are kept beside it
    gc.collect()
    assert encoder() is None
    prompts = ["a cat", "prompt 0", "", "prompt 1099"]
    torch.testing.assert_close(prior.embed(prompts), tiny_prior.embed(prompts))
    with pytest.raises(ConfigError, match=r"--prior\.drop-text-encoder: .* 'a dog'"):
        prior.embed(["a cat", "a dog"])


def test_a_prompt_of_10000_characters_is_cut_with_a_warning(tiny_prior, pipeline):
    prompt = "red sphere " * 1112
    with pytest.warns(UserWarning, match=r"prompt 'red sphere .*\.\.\.' has \d+ tokens, of which .* reads 40"):
        embedding = tiny_prior.embed([prompt])
    assert tiny_prior.cut_prompts[prompt].endswith(f" tokens, of which {tiny_prior.name} reads 40")
    assert embedding.shape == (1, 40, 32)
    expected, _ = pipeline.encode_prompt([prompt], "cpu", 1, do_classifier_free_guidance=False)
    torch.testing.assert_close(embedding, expected)


def test_v_prediction_pipelines_are_recognised_and_edited(changed_pipeline):
    folder = changed_pipeline("scheduler/scheduler_config.json", prediction_type="v_prediction")
    prior = StableDiffusionPrior.load(str(folder), device="cpu")
    assert prior.prediction == "v_prediction"
    case = EditInput("a", torch.full((3, 32, 32), 0.5), "a cat", "a dog")
    (output,) = edit_batch(prior, Piva(), [case], steps=2, seed=0)
    assert output.error is None


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_half_precision_edits_and_trains_too(tiny_pipeline_folder, tiny_prior, dtype):
    prior = StableDiffusionPrior.load(str(tiny_pipeline_folder), device="cpu", dtype=dtype)
    case = EditInput("a", torch.rand(3, 32, 32, generator=torch.Generator().manual_seed(0)), "a cat", "a dog")
    method = Piva(aux={"lr": 1e-2})
    (output,) = edit_batch(prior, method, [case], steps=6, seed=0)
    (exact,) = edit_batch(tiny_prior, method, [case], steps=6, seed=0)
    assert (output.image - exact.image).abs().mean() < 0.02
    assert output.history["phi_loss"] == pytest.approx(exact.history["phi_loss"], rel=0.05)
    assert prior.unet.dtype == getattr(torch, dtype)
    assert prior.vae.dtype == torch.float32


def test_in_float16_a_case_that_runs_away_leaves_the_others_alone(tiny_pipeline_folder):
    """Beside a batch of the same size: in float16, sums round differently in batches of 1 and 2."""
    prior = StableDiffusionPrior.load(str(tiny_pipeline_folder), device="cpu", dtype="float16")
    image = torch.rand(3, 32, 32, generator=torch.Generator().manual_seed(0))
    first = EditInput("a", image, "a cat", "a dog")
    mates = [EditInput("b", mate, "a cat", "a dog") for mate in (image.flip(-1), image * float("nan"))]
    (calm, _), (beside_lost, lost) = (
        edit_batch(prior, Piva(aux={"lr": 1e-2}), [first, mate], steps=3, seed=0) for mate in mates
    )
    assert lost.error is not None
    assert beside_lost.error is None
    torch.testing.assert_close(beside_lost.image, calm.image, atol=1e-5, rtol=0)
    assert beside_lost.history["phi_loss"] == pytest.approx(calm.history["phi_loss"], rel=1e-4)


def test_the_configuration_s_defaults_can_be_loaded(tiny_pipeline_folder):
    config = PriorConfig(model=str(tiny_pipeline_folder), device="cpu")
    assert StableDiffusionPrior.from_config(config).dtype == torch.float32


def test_the_fingerprint_follows_weights_and_dtype_not_the_place(tiny_pipeline_folder, tiny_prior, tmp_path):
    moved = shutil.copytree(tiny_pipeline_folder, tmp_path / "moved")
    assert StableDiffusionPrior.load(str(moved), device="cpu").fingerprint == tiny_prior.fingerprint
    config = moved / "vae" / "config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"scaling_factor": 0.5}))
    assert StableDiffusionPrior.load(str(moved), device="cpu").fingerprint != tiny_prior.fingerprint
    half = StableDiffusionPrior.load(str(tiny_pipeline_folder), device="cpu", dtype="bfloat16")
    assert half.fingerprint.rpartition("/")[0] == tiny_prior.fingerprint.rpartition("/")[0]
    assert half.fingerprint.endswith("/bfloat16")


@pytest.mark.parametrize("model", ["nobody/no-such-model", "not a name at all!", "/no/such/folder"])
def test_a_missing_model_is_one_sentence_at_once(model):
    started = time.perf_counter()
    with pytest.raises(PreflightError, match="neither a folder nor a model on this machine") as caught:
        StableDiffusionPrior.load(model, device="cpu")
    assert "\n" not in str(caught.value)
    assert time.perf_counter() - started < 10


def test_a_folder_that_is_no_pipeline_is_one_sentence(tmp_path, changed_pipeline):
    with pytest.raises(PreflightError, match=r"has no model_index\.json"):
        StableDiffusionPrior.load(str(tmp_path), device="cpu")
    folder = changed_pipeline("model_index.json")
    (folder / "unet" / "diffusion_pytorch_model.safetensors").unlink()
    with pytest.raises(PreflightError, match="cannot be loaded") as caught:
        StableDiffusionPrior.load(str(folder), device="cpu")
    assert "\n" not in str(caught.value)


def test_pickled_weights_are_not_read(tiny_pipeline_folder, changed_pipeline):
    from safetensors.torch import load_file

    folder = changed_pipeline("model_index.json")
    weights = folder / "unet" / "diffusion_pytorch_model.safetensors"
    torch.save(load_file(weights), weights.with_suffix(".bin"))
    weights.unlink()
    with pytest.raises(PreflightError, match="cannot be loaded"):
        StableDiffusionPrior.load(str(folder), device="cpu")


def test_other_kinds_of_pipeline_are_named(changed_pipeline):
    folder = changed_pipeline("model_index.json", _class_name="StableDiffusionXLPipeline", text_encoder_2=["t", "C"])
    with pytest.raises(PreflightError, match=r"StableDiffusionXLPipeline, not a Stable Diffusion 1\.x or 2\.x"):
        StableDiffusionPrior.load(str(folder), device="cpu")


def test_other_predictions_are_named(changed_pipeline):
    folder = changed_pipeline("scheduler/scheduler_config.json", prediction_type="sample")
    with pytest.raises(PreflightError, match="predicts 'sample'"):
        StableDiffusionPrior.load(str(folder), device="cpu")
