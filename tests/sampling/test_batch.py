"""Samplers: what diffusers' own pipeline makes, rows, batches, what is said on the way, and what is refused."""

import pytest
import torch
from diffusers import StableDiffusionImg2ImgPipeline
from diffusers.pipelines.stable_diffusion import pipeline_stable_diffusion_img2img

from benchmarks.costs.cost import Rows, needs_of
from piva import noise
from piva.editing import EditInput
from piva.errors import ConfigError
from piva.priors.stable_diffusion import StableDiffusionPrior
from piva.registry import resolve
from piva.sampling import SAMPLERS
from piva.sampling.batch import sample_batch
from piva.sampling.course import SamplingCourse
from piva.sampling.ddim_inversion import DDIMInversion
from piva.sampling.sdedit import SDEdit


def inputs(n):
    images = [torch.rand(3, 32, 32, generator=torch.Generator().manual_seed(i)) for i in range(n)]
    return [EditInput(f"case-{i}", image, f"a red cube {i}", f"a blue cube {i}") for i, image in enumerate(images)]


def sampler(name, **settings):
    return resolve("method", SAMPLERS, name)(**settings)


@pytest.mark.parametrize("prediction", ["epsilon", "v_prediction"])
@pytest.mark.parametrize(("steps", "t0", "guidance"), [(10, 0.5, 7.5), (13, 0.8, 1.0)])
def test_sdedit_is_diffusers_img2img(tiny_pipeline_folder, monkeypatch, prediction, steps, t0, guidance):
    prior = StableDiffusionPrior.load(str(tiny_pipeline_folder), device="cpu")
    prior.prediction = prediction
    (case,) = inputs(1)
    (ours,) = sample_batch(prior, SDEdit(t0=t0, guidance=guidance), [case], steps=steps, seed=3)

    theirs = StableDiffusionImg2ImgPipeline.from_pretrained(tiny_pipeline_folder)
    theirs.scheduler = theirs.scheduler.from_config(theirs.scheduler.config, prediction_type=prediction)
    theirs.set_progress_bar_config(disable=True)
    eps = noise.draw((4, 8, 8), seed=3, case_id="case-0", step=0, purpose="eps")[None]
    monkeypatch.setattr(pipeline_stable_diffusion_img2img, "randn_tensor", lambda *_, **__: eps)
    made = theirs(
        case.tgt, image=prior.encode(case.image[None]), strength=t0, num_inference_steps=steps,
        guidance_scale=guidance, output_type="latent",
    ).images  # fmt: skip
    torch.testing.assert_close(ours.image, prior.decode(made)[0], atol=2e-4, rtol=1e-3)


@pytest.mark.parametrize("name", SAMPLERS)
def test_what_it_says_of_itself(name):
    kind = resolve("method", SAMPLERS, name)
    assert kind.family == "sampling"
    assert kind.strength in kind.model_fields
    assert kind().name == name
    assert kind.VERSION >= 1
    assert len(kind.source) > 10


@pytest.mark.parametrize("name", SAMPLERS)
@pytest.mark.parametrize(("steps", "t0", "made"), [(20, 1.0, 20), (20, 0.5, 10), (7, 0.5, 3), (10, 0.29, 2)])
def test_rows_are_those_it_says_times_the_steps_that_are_made(tiny_prior, name, steps, t0, made):
    method = sampler(name, t0=t0)
    (output,) = sample_batch(tiny_prior, method, inputs(1), steps=steps, seed=0)
    assert output.unet_rows == made * type(method).rows[0]
    assert output.unet_rows_backward == 0
    assert sum(output.history["rows_forward"]) == output.unet_rows
    assert needs_of(method).step == Rows(*type(method).rows)
    assert needs_of(method).edit(steps) == Rows(output.unet_rows)


@pytest.mark.parametrize(("settings", "rows"), [({"guidance": 1.0}, 2), ({"guidance_src": 3.0}, 4)])
def test_guidance_costs_a_row_where_there_is_any(settings, rows):
    assert needs_of(DDIMInversion(**settings)).step == Rows(rows)


@pytest.mark.parametrize("name", SAMPLERS)
def test_eight_cases_together_are_edited_as_each_alone(tiny_prior, name):
    method, cases = sampler(name), inputs(8)
    together = sample_batch(tiny_prior, method, cases, steps=6, seed=0)
    for case, output in zip(cases, together, strict=True):
        (alone,) = sample_batch(tiny_prior, method, [case], steps=6, seed=0)
        torch.testing.assert_close(output.image, alone.image, atol=2e-4, rtol=1e-3)
        assert output.history["rows_forward"] == alone.history["rows_forward"]
        assert output.error is None


def test_the_noise_is_keyed_and_that_of_the_first_step_of_every_method(tiny_prior):
    course = SamplingCourse(tiny_prior, inputs(2), steps=10, made=SDEdit().made(10), seed=5)
    abar = tiny_prior.abar[course.timesteps[0]]
    eps = (course.noised() - abar.sqrt() * course.z_src) / (1 - abar).sqrt()
    for i in range(2):
        expected = noise.draw((4, 8, 8), seed=5, case_id=f"case-{i}", step=0, purpose="eps")
        torch.testing.assert_close(eps[i], expected, atol=1e-4, rtol=1e-4)
    images = [sample_batch(tiny_prior, SDEdit(), inputs(1), steps=4, seed=seed)[0].image for seed in (5, 5, 6)]
    assert torch.equal(images[0], images[1])
    assert (images[0] - images[2]).abs().max() > 1e-3


def test_steps_are_told_on_the_way(tiny_prior):
    lines = []
    (output,) = sample_batch(
        tiny_prior, SDEdit(), inputs(1), steps=10, seed=0, on_step=lines.append, image_every=4
    )  # fmt: skip
    assert [line["step"] for line in lines] == [5, 6, 7, 8, 9]
    assert [line["t"] for line in lines] == [(401,), (301,), (201,), (101,), (1,)]
    assert [line["step"] for line in lines if "images" in line] == [7]
    assert lines[2]["images"].shape == (1, 3, 32, 32)
    assert set(output.history) == {"t", "drift_rms", "rows_forward", "rows_backward"}


def test_a_latent_that_is_not_finite_is_an_error(tiny_pipeline_folder):
    prior = StableDiffusionPrior.load(str(tiny_pipeline_folder), device="cpu")
    prior.unet.conv_out.bias.data.fill_(float("inf"))
    (output,) = sample_batch(prior, SDEdit(), inputs(1), steps=4, seed=0)
    assert output.error == "the latent left the finite numbers"


@pytest.mark.parametrize(
    ("steps", "t0", "said"),
    [(1000, 1.0, "--steps 1000: sdedit takes fewer than the prior's 1000 timesteps"),
     (1, 0.5, "--steps 1 with --method.t0 0.5 makes no step"),
     (600, 0.5, "--steps 600: sdedit's would be 1 timesteps apart and end at 600 of 1000; 500 or 1000 go to the top"),
     (266, 1.0, "--steps 266: sdedit's would be 3 timesteps apart and end at 798 of 1000; 250 or 333 go to the top")],
)  # fmt: skip
def test_steps_that_cannot_be_made_are_refused(tiny_prior, steps, t0, said):
    from benchmarks.models import check_method

    with pytest.raises(ConfigError, match=said):
        check_method(SDEdit(t0=t0), tiny_prior, steps)
    with pytest.raises(ConfigError, match=said):
        sample_batch(tiny_prior, SDEdit(t0=t0), inputs(1), steps=steps, seed=0)
