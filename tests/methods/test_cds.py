"""CDS: its loss against torch's cross-entropy, its gradient against autograd on a UNet, DDS without it."""

from dataclasses import replace

import pytest
import torch
from analytic_world import SIGMA, direction, gaussian_prior, make_step
from pydantic import ValidationError
from torch.nn import functional as F

from piva.contrastive import patch_nce, patches
from piva.errors import ConfigError
from piva.methods.cds import CDS
from piva.methods.dds import DDS
from piva.noise import DrawPlan
from piva.objectives import add_noise
from piva.priors.stable_diffusion import StableDiffusionPrior
from piva.scores import ScoreEngine
from piva.step import Step

CAPTIONS = [("a red cube", "a blue cube"), ("a cat", "a dog")]


def maps(number, shape=(2, 5, 4, 6)):
    return torch.randn(shape, generator=torch.Generator().manual_seed(number), dtype=torch.float64)


def test_the_loss_is_cross_entropy_of_where_a_place_came_from():
    current, source = maps(0), maps(1)
    found = patch_nce(current, source, None, 0.07)
    for k in range(2):
        ours, theirs = (F.normalize(each[k].flatten(1).T, dim=1) for each in (current, source))
        torch.testing.assert_close(found[k], F.cross_entropy(theirs @ ours.T / 0.07, torch.arange(24)))


def test_some_places_are_compared_among_themselves():
    current, source, places = maps(0), maps(1), torch.tensor([[3, 0, 7], [1, 2, 20]])
    found = patch_nce(current, source, places, 0.07)
    for k in range(2):
        parts = [each[k].flatten(1)[:, places[k]].reshape(1, 5, 1, 3) for each in (current, source)]
        torch.testing.assert_close(found[k], patch_nce(*parts, None, 0.07)[0])


@pytest.mark.parametrize("shape", [(2, 5, 4, 6), (2, 5, 5, 7)])
def test_patches_are_means_over_squares(shape):
    torch.testing.assert_close(patches(maps(0, shape), 2), F.avg_pool2d(maps(0, shape), 2))
    torch.testing.assert_close(patches(maps(0, shape), 1), maps(0, shape))


@pytest.fixture(scope="module")
def sharp_prior(tiny_pipeline_folder):
    """Its self-attention looks at something: in an untrained network the places of a map are nearly alike."""
    prior = StableDiffusionPrior.load(str(tiny_pipeline_folder), device="cpu")
    for name, weight in prior.unet.named_parameters():
        if "attn1.to_q" in name or "attn1.to_k" in name:
            weight.data.mul_(10)
    return prior


def network_step(prior) -> Step:
    z_src = torch.stack([torch.randn(4, 8, 8, generator=torch.Generator().manual_seed(k)) for k in range(2)])
    plan = DrawPlan(0, ("a", "b"), 50, 948, prior.abar, z_src)
    draw = plan.at(0)
    return Step(
        index=0, z=z_src + 0.3 * z_src.flip(0), z_src=z_src, t=draw.t, timesteps=draw.timesteps, abar=draw.abar,
        abars=prior.abar, eps=draw.eps, w=torch.ones_like(draw.abar), draw=lambda purpose: plan.normal(0, purpose),
    )  # fmt: skip


def by_autograd(prior, step, contrast):
    """d loss / d z through the whole UNet, by hooks of our own and torch's cross-entropy."""
    layers = [m for n, m in prior.unet.named_modules() if n.startswith("up_blocks") and n.endswith("attn1")]
    seen = []
    hooks = [layer.register_forward_hook(lambda _m, _i, out: seen.append(out)) for layer in layers]
    z = step.z.clone().requires_grad_()
    for latent, prompts in ((step.z_src, [src for src, _ in CAPTIONS]), (z, [tgt for _, tgt in CAPTIONS])):
        prior.unet(add_noise(latent, step.eps, step.abar), step.t, prior.embed(prompts))
    for hook in hooks:
        hook.remove()
    loss = 0
    for theirs, ours in zip(seen[: len(layers)], seen[len(layers) :], strict=True):
        side = round(ours.shape[1] ** 0.5)
        for size in (1, 2):
            a, b = (
                F.normalize(F.avg_pool2d(each.transpose(1, 2).reshape(2, -1, side, side), size).flatten(2), dim=1)
                for each in (theirs.detach(), ours)
            )
            for k in range(2):
                loss = loss + F.cross_entropy(a[k].T @ b[k] / 0.07, torch.arange(a.shape[2]))
    (gradient,) = torch.autograd.grad(loss, z)
    return contrast * 64 / 2000 * gradient


def test_its_gradient_is_autograd_s_on_a_network_and_no_weight_has_one(sharp_prior):
    step = network_step(sharp_prior)
    engine = ScoreEngine(sharp_prior, CAPTIONS)
    found = CDS(contrast=300.0).direction(step, engine.ask(step))
    plain = DDS().direction(step, ScoreEngine(sharp_prior, CAPTIONS).ask(step))
    expected = by_autograd(sharp_prior, step, 300.0)
    assert expected.abs().max() > 0.1
    torch.testing.assert_close(found - plain, expected, atol=2e-5, rtol=1e-3)
    assert all(parameter.grad is None for parameter in sharp_prior.unet.parameters())
    assert (engine.rows_forward, engine.rows_backward) == ([3, 3], [1, 1])


def test_at_contrast_0_it_is_dds_and_takes_no_gradient(tiny_prior):
    step = network_step(tiny_prior)
    engine, plain = ScoreEngine(tiny_prior, CAPTIONS), ScoreEngine(tiny_prior, CAPTIONS)
    found = CDS(contrast=0).direction(step, engine.ask(step))
    torch.testing.assert_close(found, DDS().direction(step, plain.ask(step)))
    assert (engine.rows_forward, engine.rows_backward) == ([4, 4], [0, 0])


@pytest.mark.parametrize("s", [1.0, 7.5])
def test_on_the_analytic_prior_the_feature_is_x_t(s):
    prior = gaussian_prior(SIGMA)
    step = make_step(prior)
    found = direction(CDS(guidance=s, patch_sizes=(1,)), prior, step)
    z = step.z.clone().requires_grad_()
    patch_nce(add_noise(z, step.eps, step.abar), step.x_t_src, None, 0.07).sum().backward()
    torch.testing.assert_close(found - direction(DDS(guidance=s), prior, step), 3.0 * 16 / 2000 * z.grad)


def test_places_are_drawn_by_key_and_not_twice():
    prior = gaussian_prior(SIGMA)
    step = make_step(prior)
    method = CDS(n_patches=5, patch_sizes=(1,))
    assert torch.equal(direction(method, prior, step), direction(method, prior, make_step(prior)))
    places = method._places(16, step)
    assert places.shape == (2, 5)
    assert all(len(set(row)) == 5 for row in places.tolist())
    assert set(places[0].tolist()) != set(places[1].tolist())  # each case has its own
    assert method._places(5, step) is None


def test_another_seed_compares_other_places():
    prior = gaussian_prior(SIGMA)
    step = make_step(prior)
    plan = DrawPlan(1, ("a", "b"), 50, 948, prior.abar, step.z_src)
    other = replace(step, draw=lambda purpose: plan.normal(3, purpose))  # t and eps are still those of seed 0
    some, all_ = CDS(n_patches=5, patch_sizes=(1,)), CDS(n_patches=16, patch_sizes=(1,))
    assert not torch.equal(direction(some, prior, step), direction(some, prior, other))
    assert torch.equal(direction(all_, prior, step), direction(all_, prior, other))


def test_patches_larger_than_every_map_are_refused():
    prior = gaussian_prior(SIGMA)
    with pytest.raises(ConfigError, match=r"--method\.patch-sizes 8: the largest map has 4 places a side"):
        direction(CDS(patch_sizes=(8, 16)), prior, make_step(prior))
    with pytest.raises(ValidationError, match="patch_sizes"):
        CDS(patch_sizes=(0,))
