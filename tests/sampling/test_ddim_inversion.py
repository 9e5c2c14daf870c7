"""DDIM inversion on Gaussians: under one prompt it ends where it began, under two it carries the mean over."""

import pytest
import torch
from analytic_world import ABAR, SIGMA, gaussian_prior, guided_mean, inputs, mean_of

from piva.editing import EditInput
from piva.sampling.batch import sample_batch
from piva.sampling.course import SamplingCourse
from piva.sampling.ddim_inversion import DDIMInversion
from piva.step import SOURCE


def moved(steps, tgt="target", **settings):
    """How far the edit of one case is from its source, [3,4,4]."""
    (case,) = inputs(1)
    case = EditInput(case.case_id, case.image, case.src, tgt)
    method = DDIMInversion(**{"guidance": 1.0} | settings)
    (output,) = sample_batch(gaussian_prior(SIGMA), method, [case], steps=steps, seed=0)
    return 2 * (output.image.double() - case.image.double())


@pytest.mark.parametrize("t0", [0.5, 1.0])
def test_under_one_prompt_it_returns_the_nearer_the_more_steps(t0):
    errors = [moved(steps, tgt="source", t0=t0).norm().item() for steps in (20, 100, 500)]
    assert errors[0] > errors[1] > errors[2]
    assert errors[2] < 0.01 * mean_of(1).norm()


@pytest.mark.parametrize("s", [1.0, 3.0])
def test_it_carries_the_mean_over_as_far_as_the_schedule_reaches(s):
    """The flow on N(mu, sigma^2) keeps (x - sqrt(abar) mu) / S with S^2 = abar sigma^2 + 1 - abar, so z ends at
    z^ + (1 - sqrt(abar) sigma / S) (mu_tgt - mu_src) with abar of the largest timestep."""
    abar = ABAR[999]
    reached = 1 - abar.sqrt() * SIGMA / (abar * SIGMA**2 + 1 - abar).sqrt()
    expected = reached * (guided_mean(2, s) - mean_of(1))
    torch.testing.assert_close(moved(500, guidance=s), expected, atol=0.05, rtol=0)


def test_the_inverted_latent_is_noise_of_the_gaussian():
    """At the largest timestep: sqrt(abar) mu + sqrt(abar sigma^2 + 1 - abar) (z^ - mu) / sigma."""
    prior = gaussian_prior(SIGMA)
    course = SamplingCourse(prior, inputs(1), steps=500, made=DDIMInversion().made(500), seed=0)
    abar = prior.abar[course.timesteps[0]]
    scale = (abar * SIGMA**2 + 1 - abar).sqrt() / SIGMA
    expected = abar.sqrt() * mean_of(1) + scale * (course.z_src - mean_of(1))
    with torch.no_grad():
        torch.testing.assert_close(course.inverted(SOURCE, 1.0), expected, atol=0.04, rtol=0)


def test_nothing_is_drawn():
    (case,) = inputs(1)
    images = [
        sample_batch(gaussian_prior(SIGMA), DDIMInversion(), [case], steps=10, seed=seed)[0].image for seed in (0, 1)
    ]
    assert torch.equal(*images)
