"""SDS-Bridge against its two scores, under the prompts it makes."""

import pytest
import torch
from analytic_world import ABAR, SIGMA, direction, gaussian, make_step, mean_of, slope

from piva.methods.sds_bridge import SDSBridge
from piva.priors.analytic import AnalyticPrior

PROMPTS = {"": 0, "source, flawed": 1, "target, fine": 2, "target, flawed": 3}


@pytest.mark.parametrize(("start", "number"), [("src", 1), ("tgt", 3)])
def test_in_closed_form(start, number):
    prior = AnalyticPrior({prompt: gaussian(mean_of(i), SIGMA) for prompt, i in PROMPTS.items()}, ABAR)
    step = make_step(prior, weighting=0.7)
    method = SDSBridge(guidance=40.0, start=start, flaws=", flawed", qualities=", fine")
    expected = -0.7 * 40.0 * slope(step) * step.abar.sqrt() * (mean_of(2) - mean_of(number))
    torch.testing.assert_close(direction(method, prior, step), expected)
