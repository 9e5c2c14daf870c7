"""IDS: the residual of its fixed point falls, as the closed form says and on a network; unrefined it is DDS."""

from itertools import pairwise

import pytest
import torch
from analytic_world import SIGMA, direction, gaussian_prior, guided_mean, make_step, slope

from piva.methods.dds import DDS
from piva.methods.ids import IDS
from piva.noise import DrawPlan
from piva.objectives import add_noise, noise_between, posterior_residual
from piva.scores import ScoreEngine
from piva.step import SOURCE, Step, guided


def residual(ask, x, step, s):
    return posterior_residual(step.z_src, x, ask(src=guided(x, SOURCE, s)).src, step.abar)


def test_a_refinement_in_closed_form():
    """x0_hat = kappa x + const on a Gaussian, so a step of `scale` takes kappa^2 scale off the residual."""
    prior, s, scale = gaussian_prior(SIGMA), 3.0, 0.1
    step = make_step(prior)
    ask, method = ScoreEngine(prior, [("source", "target")] * 2).ask(step), IDS(guidance=s, scale=scale)
    kappa = ((1 - (1 - step.abar).sqrt() * slope(step)) / step.abar.sqrt()).flatten()
    before = residual(ask, step.x_t_src, step, s)
    after = residual(ask, method.refined(step.x_t_src, step, ask), step, s)
    torch.testing.assert_close(after, before - kappa**2 * scale)


def network_step(prior) -> Step:
    """A step on the tiny Stable Diffusion."""
    z_src = torch.stack([torch.randn(4, 8, 8, generator=torch.Generator().manual_seed(k)) for k in range(2)])
    plan = DrawPlan(0, ("a", "b"), 300, 600, prior.abar, z_src)
    draw = plan.at(0)
    return Step(
        index=0, z=z_src + 0.1, z_src=z_src, t=draw.t, timesteps=draw.timesteps, abar=draw.abar, abars=prior.abar,
        eps=draw.eps, w=torch.ones_like(draw.abar), draw=lambda purpose: plan.normal(0, purpose),
    )  # fmt: skip


def test_the_residual_falls_on_a_network_and_no_weight_has_a_gradient(tiny_prior):
    step = network_step(tiny_prior)
    ask, method = ScoreEngine(tiny_prior, [("a red cube", "a blue cube")] * 2).ask(step), IDS()
    x, found = step.x_t_src, []
    for _ in range(4):
        found.append(residual(ask, x, step, 7.5).detach())
        x = method.refined(x, step, ask)
    assert all((late < early).all() for early, late in pairwise(found))
    assert all(parameter.grad is None for parameter in tiny_prior.unet.parameters())
    assert not x.requires_grad


def test_a_step_is_dds_at_the_noise_that_autograd_refines(tiny_prior):
    """Three steps from x^_t through the UNet itself, each from where the last ended; then both branches there."""
    step, s = network_step(tiny_prior), 7.5
    a = step.abar

    def guided_score(x, caption):
        c, u = (tiny_prior.predict(x, step.t, tiny_prior.embed([prompt] * 2)) for prompt in (caption, ""))
        return u + s * (c - u)

    x = step.x_t_src
    for _ in range(3):
        x = x.detach().requires_grad_()
        clean = (x - (1 - a).sqrt() * guided_score(x, "a red cube")) / a.sqrt()
        distances = ((step.z_src - clean) ** 2).sum(dim=(1, 2, 3)).sqrt()
        x = x - torch.autograd.grad(distances.sum(), x)[0]
    eps = (x.detach() - a.sqrt() * step.z_src) / (1 - a).sqrt()
    with torch.no_grad():
        tgt, src = (
            guided_score(a.sqrt() * z + (1 - a).sqrt() * eps, caption)
            for z, caption in ((step.z, "a blue cube"), (step.z_src, "a red cube"))
        )
    captions = [("a red cube", "a blue cube")] * 2
    found, plain = (m.direction(step, ScoreEngine(tiny_prior, captions).ask(step)) for m in (IDS(), DDS()))
    torch.testing.assert_close(found, tgt - src, atol=1e-4, rtol=1e-3)
    assert (found - plain).abs().max() > 0.01


@pytest.mark.parametrize("settings", [{"iterations": 0}, {"scale": 0}])
def test_without_refinement_it_is_dds(settings):
    prior = gaussian_prior(SIGMA)
    step = make_step(prior)
    torch.testing.assert_close(direction(IDS(**settings), prior, step), direction(DDS(), prior, step))


def test_the_refined_noise_serves_both_branches():
    """A Gaussian's score is linear with one slope for all prompts, so there DDS does not see which noise it was."""
    prior = gaussian_prior(SIGMA)
    step = make_step(prior)
    torch.testing.assert_close(direction(IDS(), prior, step), direction(DDS(), prior, step))


def test_the_noise_between_is_the_noise_that_was_added():
    step = make_step(gaussian_prior(SIGMA))
    torch.testing.assert_close(noise_between(step.x_t_src, step.z_src, step.abar), step.eps)
    torch.testing.assert_close(add_noise(step.z_src, step.eps, step.abar), step.x_t_src)


def test_it_ends_where_the_score_points_at_the_source():
    """x0_hat = z^: kappa x + (1 - kappa sqrt(abar)) mu = z^ for the guided mean mu."""
    prior, s = gaussian_prior(SIGMA), 3.0
    step = make_step(prior)
    ask, method = ScoreEngine(prior, [("source", "target")] * 2).ask(step), IDS(guidance=s, scale=1e-3)
    kappa = (1 - (1 - step.abar).sqrt() * slope(step)) / step.abar.sqrt()
    mean = guided_mean(1, s)
    fixed = (step.z_src - (1 - kappa * step.abar.sqrt()) * mean) / kappa
    torch.testing.assert_close(residual(ask, fixed, step, s), torch.zeros(2).double(), atol=1e-10, rtol=0)
    near = fixed + 0.5 * (step.x_t_src - fixed)
    moved = method.refined(near, step, ask)
    assert ((moved - fixed).flatten(1).norm(dim=1) < (near - fixed).flatten(1).norm(dim=1)).all()
