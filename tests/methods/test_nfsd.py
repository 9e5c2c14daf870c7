"""NFSD in closed form, and its negative prompt asked where it counts."""

import pytest
import torch
from analytic_world import SIGMA, direction, gaussian_prior, guided_mean, inputs, make_step, mean_of, slope

from piva.editing import edit_batch
from piva.methods.nfsd import NFSD


def test_large_and_small_t_in_closed_form():
    """The first case is below t_clean, the second is not."""
    prior, s = gaussian_prior(SIGMA), 7.5
    step = make_step(prior, weighting=0.7)
    small, large = step.timesteps
    assert small < large
    found = direction(NFSD(guidance=s, t_clean=(small + large) // 2, negative="flaws"), prior, step)
    a, towards = step.abar.sqrt(), s * (mean_of(2) - mean_of(0))
    expected = (
        0.7
        * slope(step)
        * torch.stack([step.x_t[0] - a[0] * (towards + mean_of(0)), -a[1] * (towards + mean_of(0) - mean_of(3))])
    )
    torch.testing.assert_close(found, expected)


def test_with_no_negative_score_it_is_sds_without_its_noise():
    """s (c - u) + u = e(x_t, tgt)."""
    prior = gaussian_prior(SIGMA)
    step = make_step(prior)
    found = direction(NFSD(guidance=7.5, t_clean=1000), prior, step)
    torch.testing.assert_close(found, slope(step) * (step.x_t - step.abar.sqrt() * guided_mean(2, 7.5)))


@pytest.mark.parametrize("prediction", ["epsilon", "v_prediction"])
def test_rows_are_counted_where_they_are_run(prediction):
    prior = gaussian_prior(SIGMA, prediction=prediction)
    outputs = edit_batch(prior, NFSD(negative="flaws", t_clean=500), inputs(3), steps=6, seed=0)
    for output in outputs:
        t, rows = output.history["t"], output.history["rows_forward"]
        assert rows == [3 if each >= 500 else 2 for each in t]
    assert {2, 3} <= {rows for output in outputs for rows in output.history["rows_forward"]}


def test_a_v_prediction_prior_gives_the_same():
    step = make_step(gaussian_prior(SIGMA))
    method = NFSD(negative="flaws", t_clean=sum(step.timesteps) // 2)
    found = direction(method, gaussian_prior(SIGMA, prediction="v_prediction"), step)
    torch.testing.assert_close(found, direction(method, gaussian_prior(SIGMA), step))
