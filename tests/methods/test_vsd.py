"""VSD: guidance alone where phi is the prior, nothing where phi is the guided prior, and phi that learns."""

import pytest
import torch
from analytic_world import SIGMA, direction, gaussian_prior, guided_mean, inputs, make_step, mean_of, slope
from pydantic import ValidationError

from piva.editing import edit_batch
from piva.methods.vsd import VSD


def with_phi(prior, mean, sigma=SIGMA):
    phi = prior.adapter(VSD().aux, 0, ["a", "b"])
    phi.mean.data, phi.sigma = mean.expand(2, *mean.shape[-3:]).clone(), torch.tensor(sigma)
    return {"phi": phi}


def test_where_phi_is_the_prior_guidance_alone_is_left():
    """(s - 1) (c - u)."""
    prior, s = gaussian_prior(SIGMA), 7.5
    step = make_step(prior, weighting=0.7)
    found = direction(VSD(guidance=s), prior, step, with_phi(prior, mean_of(2)))
    expected = -0.7 * (s - 1) * slope(step) * step.abar.sqrt() * (mean_of(2) - mean_of(0))
    torch.testing.assert_close(found, expected)
    unguided = direction(VSD(guidance=1.0), prior, step, with_phi(prior, mean_of(2)))
    torch.testing.assert_close(unguided, torch.zeros_like(unguided))


def test_in_closed_form():
    """phi knows the current latents, and them alone."""
    prior, s = gaussian_prior(SIGMA), 3.0
    step = make_step(prior)
    found = direction(VSD(guidance=s), prior, step, with_phi(prior, step.z, 0.2))
    a = step.abar.sqrt()
    expected = slope(step) * (step.x_t - a * guided_mean(2, s)) - slope(step, 0.2) * (step.x_t - a * step.z)
    torch.testing.assert_close(found, expected)


def test_phi_follows_the_edit_which_ends_at_the_guided_mean():
    """Of a sharp prior: e(x_t, tgt) - eps_phi is zero where phi, which follows z, is at the guided mean."""
    (case,) = inputs(1)
    method = VSD(guidance=2.0, aux={"lr": 0.05, "phi": "fresh"}, t_law="uniform")
    (output,) = edit_batch(gaussian_prior(0.0), method, [case], steps=1200, seed=0)
    ended = 2 * output.image.double() - 1
    assert (ended - guided_mean(2, 2.0)).norm() < 0.1 * guided_mean(2, 2.0).norm()


@pytest.mark.parametrize(("phi", "forward"), [("fresh", 3), ("fused", 2)])
def test_a_fused_phi_saves_the_row_that_scores_it(phi, forward):
    (output,) = edit_batch(gaussian_prior(), VSD(aux={"phi": phi}), inputs(1), steps=2, seed=0)
    assert output.history["rows_forward"] == [forward] * 2
    assert output.history["rows_backward"] == [1] * 2


def test_some_of_phi_s_settings_leave_the_others_at_vsd_s():
    assert VSD(aux={"lr": 1e-3}).aux == VSD().aux.model_copy(update={"lr": 1e-3})
    assert VSD().aux.phi == VSD(aux={}).aux.phi == "fresh"
    assert VSD(aux={"phi": "fused"}).aux.phi == "fused"


def test_there_is_no_psi_to_store():
    with pytest.raises(ValidationError, match="vsd has no psi"):
        VSD(aux={"psi": "stored"})
