"""The analytic prior's scores against gradients of its densities."""

import pytest
import torch
from analytic_world import ABAR, gaussian, gaussian_prior, mean_of

from piva.auxiliary.settings import AuxiliarySettings
from piva.objectives import eps_hat
from piva.priors import Segment
from piva.priors.analytic import AnalyticPrior, Mixture

MIXTURE = Mixture(
    torch.tensor([0.3, 0.7], dtype=torch.float64),
    torch.stack([mean_of(1), 0.2 * mean_of(2)]),
    torch.tensor([0.5, 1.2], dtype=torch.float64),
)


@pytest.mark.parametrize("t", [50, 500, 948])
def test_eps_is_minus_the_noise_level_times_the_gradient_of_the_log_density(t):
    x = mean_of(3).requires_grad_()
    abar = ABAR[t]
    scale = (abar * MIXTURE.sigmas**2 + 1 - abar).sqrt()
    noised = torch.distributions.Normal(abar.sqrt() * MIXTURE.means, scale.view(-1, 1, 1, 1))
    log_density = torch.logsumexp(noised.log_prob(x).sum(dim=(1, 2, 3)) + MIXTURE.weights.log(), dim=0)
    (score,) = torch.autograd.grad(log_density, x)
    found = MIXTURE.eps(x.detach()[None], abar.view(1, 1, 1, 1))[0]
    torch.testing.assert_close(found, -(1 - abar).sqrt() * score)


def test_rows_go_to_their_prompts_and_segments_to_their_cases():
    prior = gaussian_prior()
    x = torch.stack([mean_of(i) for i in range(4)])
    t = torch.tensor([100, 100, 900, 900])
    pair = prior.adapter(AuxiliarySettings(), 0, ["a", "b"])
    pair.mean.data[1] += 1
    out = prior.predict(x, t, prior.embed(["source", "target", "source", "source"]), [Segment(pair, 2)])
    for i, mean in enumerate([mean_of(1), mean_of(2), mean_of(0), mean_of(0) + 1]):
        abar = ABAR[t[i]].view(1, 1, 1, 1)
        torch.testing.assert_close(out[i : i + 1], gaussian(mean, 0.5).eps(x[i : i + 1], abar))


def test_v_prediction_says_the_same():
    eps_prior = AnalyticPrior({"": MIXTURE}, ABAR)
    v_prior = AnalyticPrior({"": MIXTURE}, ABAR, prediction="v_prediction")
    x, t = mean_of(4)[None], torch.tensor([300])
    v = v_prior.predict(x, t, v_prior.embed([""]))
    eps = eps_prior.predict(x, t, eps_prior.embed([""]))
    torch.testing.assert_close(eps_hat(v, x, ABAR[t].view(-1, 1, 1, 1), "v_prediction"), eps)
