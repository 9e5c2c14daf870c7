"""The equations: identities and closed forms, in float64."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from piva import objectives


@pytest.fixture
def latents():
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(2, 4, 3, 3, generator=generator, dtype=torch.float64) for _ in range(4)]


def test_the_identity_term_at_lambda_0_is_zero(latents):
    assert objectives.identity_direction(*latents[:2], lam=0.0).abs().max() == 0


@given(st.floats(0, 10), st.floats(0, 10))
def test_the_identity_term_is_linear_in_lambda(a, b):
    generator = torch.Generator().manual_seed(1)
    e = [torch.randn(1, 4, 2, 2, generator=generator, dtype=torch.float64) for _ in range(2)]
    mean = (objectives.identity_direction(*e, lam=a) + objectives.identity_direction(*e, lam=b)) / 2
    torch.testing.assert_close(objectives.identity_direction(*e, lam=(a + b) / 2), mean)


def test_equal_auxiliaries_give_no_identity_term(latents):
    assert objectives.identity_direction(latents[0], latents[0].clone(), 0.4).abs().max() == 0


def test_the_identity_term_leads_from_current_to_original(latents):
    psi, phi = latents[:2]
    torch.testing.assert_close(objectives.identity_direction(psi, phi, 0.4), 0.4 * psi - 0.4 * phi)


def test_guidance_at_0_1_and_beyond(latents):
    u, c = latents[:2]
    assert torch.equal(objectives.cfg_guided(u, c, 0.0), u)
    torch.testing.assert_close(objectives.cfg_guided(u, c, 1.0), c)
    torch.testing.assert_close(objectives.cfg_guided(u, c, 7.5), 7.5 * c - 6.5 * u)


def test_sds_of_a_perfect_prediction_is_zero(latents):
    assert objectives.sds_direction(latents[0], latents[0]).abs().max() == 0


@pytest.mark.parametrize("prediction", sorted(objectives.PREDICTIONS))
def test_a_network_that_hits_its_target_returns_the_noise_and_the_latent(latents, prediction):
    z, eps = latents[:2]
    abar = torch.tensor([0.9, 0.01], dtype=torch.float64).view(-1, 1, 1, 1)
    x_t = objectives.add_noise(z, eps, abar)
    output = objectives.training_target(z, eps, abar, prediction)
    found = objectives.eps_hat(output, x_t, abar, prediction)
    torch.testing.assert_close(found, eps)
    torch.testing.assert_close(objectives.x0_hat(found, x_t, abar), z)


def test_conversions_agree_with_diffusers():
    from diffusers import DDPMScheduler

    scheduler = DDPMScheduler(beta_schedule="scaled_linear", beta_start=0.00085, beta_end=0.012)
    z, eps = torch.randn(2, 1, 4, 3, 3, generator=torch.Generator().manual_seed(2))
    t = torch.tensor([321])
    abar = scheduler.alphas_cumprod[t].view(-1, 1, 1, 1)
    torch.testing.assert_close(objectives.add_noise(z, eps, abar), scheduler.add_noise(z, eps, t))
    torch.testing.assert_close(
        objectives.training_target(z, eps, abar, "v_prediction"), scheduler.get_velocity(z, eps, t)
    )


@pytest.mark.parametrize("convert", [objectives.eps_hat, objectives.training_target])
def test_an_unknown_prediction_type_is_refused(convert, latents):
    with pytest.raises(ValueError, match="sample"):
        convert(*latents[:2], torch.tensor(0.5), "sample")


def test_instructed_guidance_is_a_step_towards_the_picture_and_one_towards_the_text():
    u, i, c = torch.tensor([1.0, -2.0]), torch.tensor([3.0, 0.5]), torch.tensor([2.0, 4.0])
    found = objectives.instructed_guided(u, i, c, 1.5, 7.5)
    torch.testing.assert_close(found, torch.tensor([1 + 1.5 * 2 + 7.5 * -1, -2 + 1.5 * 2.5 + 7.5 * 3.5]))
    torch.testing.assert_close(objectives.instructed_guided(u, i, c, 1.0, 1.0), c)
    assert torch.equal(objectives.instructed_guided(u, i, c, 0.0, 0.0), u)
    torch.testing.assert_close(objectives.instructed_guided(u, u, c, 9.0, 7.5), objectives.cfg_guided(u, c, 7.5))
