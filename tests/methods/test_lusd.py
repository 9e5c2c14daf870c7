"""LUSD: updates of equal size, the way back to the source, and the gate."""

from dataclasses import replace

import pytest
import torch
from analytic_world import SIGMA, direction, gaussian_prior, inputs, make_step, mean_of, slope

from piva.editing import edit_batch
from piva.methods.lusd import LUSD
from piva.objectives import case_std


@pytest.mark.parametrize(("progress", "std"), [(0.0, 0.149063), (0.5, 0.08), (1.0, 0.010937)])
def test_its_size_depends_on_how_far_the_run_is_and_on_nothing_else(progress, std):
    """.01 + .14 / (1 + e^5), .01 + .14 / 2, .01 + .14 / (1 + e^-5)."""
    prior = gaussian_prior(SIGMA)
    step = replace(make_step(prior), progress=progress)
    found = direction(LUSD(), prior, step)
    torch.testing.assert_close(case_std(found), torch.full((2, 1, 1, 1), std).double(), atol=1e-6, rtol=0)


def test_in_closed_form():
    """The prompts' difference at one point is that of their means; then the way back, then the scale."""
    prior, r = gaussian_prior(SIGMA), 0.3
    step = replace(make_step(prior), progress=0.5)
    bracket = -(1 - r) * slope(step) * step.abar.sqrt() * (mean_of(2) - mean_of(1)) + r * (step.z - step.z_src)
    expected = 0.08 * bracket / bracket.flatten(1).std(dim=1).view(-1, 1, 1, 1)
    torch.testing.assert_close(direction(LUSD(r=r), prior, step), expected)


def test_r_1_leads_back_to_the_source():
    prior = gaussian_prior(SIGMA)
    step = make_step(prior)
    found, back = direction(LUSD(r=1), prior, step), step.z - step.z_src
    torch.testing.assert_close(found / case_std(found), back / case_std(back))


@pytest.mark.parametrize("settings", [{}, {"r": 0.9}, {"guidance": 100.0}])
def test_a_draw_too_faint_is_not_followed(settings):
    """The gate lies between both cases. It looks at the prompts' difference by itself: neither r nor guidance count."""
    prior = gaussian_prior(SIGMA)
    step = make_step(prior)
    sizes = case_std(slope(step) * step.abar.sqrt() * (mean_of(2) - mean_of(1))).flatten()
    faint, strong = sizes.argmin(), sizes.argmax()
    found = direction(LUSD(gate=float(sizes.mean()), **settings), prior, step)
    assert found[faint].abs().max() == 0
    torch.testing.assert_close(found[strong], direction(LUSD(gate=0, **settings), prior, step)[strong])
    assert step.notes["gate"].flatten().tolist().count(1.0) == 2  # of the latter, which lets both through


def test_what_was_held_back_is_in_the_log():
    (output,) = edit_batch(gaussian_prior(SIGMA), LUSD(gate=0.5), inputs(1), steps=8, seed=0)
    rms, gate = output.history["direction_rms"], output.history["gate_rms"]
    assert set(gate) == {0.0, 1.0}
    assert [each > 0 for each in rms] == [each == 1 for each in gate]
