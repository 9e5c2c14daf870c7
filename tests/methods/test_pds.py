"""PDS: the weights of METHODS, DDS at stride 1, and the matching of stochastic latents itself as a slow twin."""

from itertools import pairwise

import pytest
import torch
from analytic_world import ABAR, SIGMA, direction, gaussian_prior, make_step, mean_of, slope

from piva.methods.dds import DDS
from piva.methods.pds import PDS
from piva.objectives import add_noise, cfg_guided, pds_weights, x0_hat

TIMES = (101, 301, 501, 701, 901)


def test_at_500_inference_steps_the_weights_are_those_of_the_authors_code():
    psi, chi = pds_weights(ABAR, TIMES, 2)
    found = (psi / chi).flatten()
    torch.testing.assert_close(found, torch.tensor([2.72, 0.95, 0.39, 0.16, 0.06]).double(), atol=5e-3, rtol=0)


def test_the_pull_grows_with_the_stride_and_is_none_at_stride_1():
    ratios = [(psi / chi).flatten() for psi, chi in (pds_weights(ABAR, TIMES, stride) for stride in (1, 2, 4, 20))]
    assert ratios[0].abs().max() < 1e-12
    assert all((low < high).all() for low, high in pairwise(ratios))


def test_weights_are_finite_at_the_smallest_timesteps():
    psi, chi = pds_weights(ABAR, (0, 1, 5), 20)
    assert psi.isfinite().all()
    assert chi.isfinite().all()


def test_at_stride_1_it_is_dds_with_other_weights():
    prior = gaussian_prior(SIGMA)
    step = make_step(prior, weighting=0.7)
    _, chi = pds_weights(ABAR, step.timesteps, 1)
    found = direction(PDS(guidance=7.5, inference_steps=1000), prior, step)
    torch.testing.assert_close(found, chi * direction(DDS(guidance=7.5), prior, step))
    assert step.notes["identity"].abs().max() < 1e-12


@pytest.mark.parametrize("inference_steps", [500, 100])
def test_it_is_the_difference_of_the_stochastic_latents(inference_steps):
    """With x_{t-1} drawn and noised, as the authors write it; the noise of x_{t-1} does not matter."""
    prior, s = gaussian_prior(SIGMA), 100.0
    step = make_step(prior)
    stride = 1000 // inference_steps
    before = ABAR[torch.tensor([t - stride for t in step.timesteps])].view(-1, 1, 1, 1)
    beta = 1 - step.abar / ABAR[torch.tensor(step.timesteps) - 1].view(-1, 1, 1, 1)
    sigma = ((1 - before) / (1 - step.abar) * beta).sqrt()

    def latent(z, number):
        x_t, x_before = add_noise(z, step.eps, step.abar), add_noise(z, step.draw("x_before"), before)
        u, c = (slope(step) * (x_t - step.abar.sqrt() * mean_of(k)) for k in (0, number))
        x0 = x0_hat(cfg_guided(u, c, s), x_t, step.abar)
        mean = (before.sqrt() * beta * x0 + (1 - beta).sqrt() * (1 - before) * x_t) / (1 - step.abar)
        return (x_before - mean) / sigma

    found = direction(PDS(guidance=s, inference_steps=inference_steps), prior, step)
    torch.testing.assert_close(found, latent(step.z, 2) - latent(step.z_src, 1))
