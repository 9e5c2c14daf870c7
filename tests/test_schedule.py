"""abar of scheduler configurations, timestep ranges, w(t)."""

import pytest
import torch
from diffusers import DDIMScheduler, DDPMScheduler

from piva.errors import ConfigError
from piva.schedule import alphas_cumprod, t_range, weight

SD = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear", "num_train_timesteps": 1000}


def test_abar_of_stable_diffusion_against_its_definition():
    betas = torch.linspace(0.00085**0.5, 0.012**0.5, 1000, dtype=torch.float64) ** 2
    torch.testing.assert_close(alphas_cumprod(SD).double(), (1 - betas).cumprod(0), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("scheduler", [DDPMScheduler, DDIMScheduler])
@pytest.mark.parametrize("extra", [{}, {"rescale_betas_zero_snr": True}, {"beta_schedule": "squaredcos_cap_v2"}])
def test_abar_is_that_of_whichever_scheduler_wrote_the_configuration(scheduler, extra):
    written = scheduler(**SD | extra)
    assert torch.equal(alphas_cumprod(dict(written.config)), written.alphas_cumprod)


def test_weights():
    abar = torch.tensor([0.9, 0.25]).view(-1, 1, 1, 1)
    assert weight(abar, "constant").flatten().tolist() == [1, 1]
    torch.testing.assert_close(weight(abar, "one_minus_abar").flatten(), torch.tensor([0.1, 0.75]))
    with pytest.raises(ConfigError, match="weighting"):
        weight(abar, "sigma")


@pytest.mark.parametrize(
    ("law", "expected"),
    [
        ("uniform", [(50, 950)] * 5),
        ("annealed", [(50, 950), (50, 838), (50, 725), (50, 612), (50, 500)]),
        ("decreasing", [(950, 950), (725, 725), (500, 500), (275, 275), (50, 50)]),
    ],
)
def test_ranges_of_the_t_laws(law, expected):
    assert [t_range(law, 50, 950, step, 5) for step in range(5)] == expected
    assert t_range(law, 50, 950, 0, 1) == expected[0]
