"""CSD against its three scores combined by hand."""

from dataclasses import replace

import pytest
import torch
from analytic_world import SIGMA, direction, gaussian_prior, inputs, make_step, mean_of, slope

from piva.editing import edit_batch
from piva.methods.csd import CSD
from piva.objectives import classifier_direction


@pytest.mark.parametrize(("progress", "omega"), [(0.0, 1.0), (0.5, 0.75), (1.0, 0.5)])
@pytest.mark.parametrize(("negative", "number"), [(None, 1), ("flaws", 3)])
def test_in_closed_form_on_its_way(progress, omega, negative, number):
    """Weights 1, -omega and omega - 1 of three Gaussians: only their means are left."""
    prior = gaussian_prior(SIGMA)
    step = replace(make_step(prior, weighting=0.7), progress=progress)
    found = direction(CSD(guidance=3.0, negative=negative), prior, step)
    means = mean_of(2) - omega * mean_of(number) - (1 - omega) * mean_of(0)
    torch.testing.assert_close(found, -0.7 * 3.0 * slope(step) * step.abar.sqrt() * means)


def test_what_all_scores_share_is_gone():
    c_tgt, c_neg, u, shared = torch.randn(4, 2, 3, 4, 4, generator=torch.Generator().manual_seed(0)).double()
    with_it = classifier_direction(c_tgt + shared, c_neg + shared, u + shared, 0.7)
    torch.testing.assert_close(with_it, classifier_direction(c_tgt, c_neg, u, 0.7))


def test_the_unconditional_row_is_run_once_it_counts():
    (output,) = edit_batch(gaussian_prior(SIGMA), CSD(), inputs(1), steps=3, seed=0)
    assert output.history["rows_forward"] == [2, 3, 3]
    (output,) = edit_batch(gaussian_prior(SIGMA), CSD(omega=1), inputs(1), steps=3, seed=0)
    assert output.history["rows_forward"] == [2, 2, 2]
