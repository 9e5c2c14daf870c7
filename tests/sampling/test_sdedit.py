"""SDEdit in closed form on Gaussians: what DDIM makes of a noised source."""

import pytest
import torch
from analytic_world import ABAR, SIGMA, gaussian_prior, guided_mean, inputs

from piva import noise
from piva.objectives import add_noise
from piva.sampling.batch import sample_batch
from piva.sampling.sdedit import SDEdit


def ddim(x, mean, timesteps, steps):
    """Every step from x_t to x_{t - 1000 / steps} on N(mean, SIGMA^2), whose predicted noise is linear in x."""
    for t in timesteps:
        a, before = ABAR[t], ABAR[max(t - 1000 // steps, 0)]
        eps = (1 - a).sqrt() / (a * SIGMA**2 + 1 - a) * (x - a.sqrt() * mean)
        x = before.sqrt() * (x - (1 - a).sqrt() * eps) / a.sqrt() + (1 - before).sqrt() * eps
    return x


@pytest.mark.parametrize("s", [1.0, 3.0])
@pytest.mark.parametrize("prediction", ["epsilon", "v_prediction"])
def test_in_closed_form(s, prediction):
    (case,), steps = inputs(1), 50
    method = SDEdit(t0=0.4, guidance=s)
    (output,) = sample_batch(gaussian_prior(SIGMA, prediction=prediction), method, [case], steps=steps, seed=1)
    eps = noise.draw((3, 4, 4), seed=1, case_id=case.case_id, step=0, purpose="eps").double()
    x = add_noise(2 * case.image.double() - 1, eps, ABAR[381])
    expected = ddim(x, guided_mean(2, s), [20 * k + 1 for k in reversed(range(20))], steps)
    torch.testing.assert_close(2 * output.image.double() - 1, expected, atol=1e-4, rtol=1e-4)


def test_less_of_the_source_is_left_the_higher_it_is_noised():
    """Of a sharp prior all that is left is the target's mean."""
    (case,), target = inputs(1), guided_mean(2, 1.0)
    distances = []
    for t0 in (0.02, 0.2, 0.5, 1.0):
        (output,) = sample_batch(gaussian_prior(0.3), SDEdit(t0=t0, guidance=1), [case], steps=100, seed=0)
        distances.append((2 * output.image.double() - 1 - target).norm().item())
    assert distances == sorted(distances, reverse=True)
    assert distances[0] > 3 * distances[-1]
