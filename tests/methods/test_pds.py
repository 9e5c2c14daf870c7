"""PDS: the weights of METHODS, DDS at stride 1, and the matching of stochastic latents itself as a slow twin."""

from itertools import pairwise

import pytest
import torch
from analytic_world import ABAR, SIGMA, direction, gaussian_prior, make_step, mean_of, slope
from pydantic import ValidationError

from piva.errors import ConfigError
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


def test_where_the_stride_leads_past_0_the_step_ends_there():
    """As if it were as long as there are timesteps left: of t = 5 at stride 20, the weights of stride 5."""
    for t in (1, 5):
        for found, expected in zip(pds_weights(ABAR, (t,), 20), pds_weights(ABAR, (t,), t), strict=True):
            assert torch.equal(found, expected)
    assert pds_weights(ABAR, (1,), 20)[0].abs() < 1e-9  # one timestep back: stride 1, which does not pull


def test_before_timestep_0_there_is_nothing_to_match():
    with pytest.raises(ValidationError, match="t_min"):
        PDS(t_min=0)


@pytest.mark.parametrize("inference_steps", [501, 1001, 3])
def test_a_stride_is_whole(inference_steps):
    with pytest.raises(
        ConfigError, match=rf"--method\.inference-steps {inference_steps} does not divide .* 1000 times"
    ):
        PDS(inference_steps=inference_steps).check_steps(200, 1000)


def test_the_nearest_numbers_that_do_are_named():
    with pytest.raises(ConfigError, match="250 and 500 do"):
        PDS(inference_steps=400).check_steps(200, 1000)
    PDS(inference_steps=125).check_steps(200, 1000)


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
