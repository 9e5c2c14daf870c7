"""What every method made of one case when its VERSION was set. Another number means another image: raise VERSION."""

import pytest
import torch
from analytic_world import ABAR, gaussian_prior, inputs, mean_of

from piva.editing import edit_batch
from piva.methods import METHODS
from piva.priors.analytic import AnalyticPrior, Mixture
from piva.registry import resolve

SETTINGS: dict[str, dict] = {
    "piva": {"aux": {"lr": 0.2}},
    "nfsd": {"negative": "flaws"},
    "sds-bridge": {"flaws": "", "qualities": ""},
    "vsd": {"aux": {"lr": 0.2, "phi": "fresh"}},
    "cds": {"contrast": 300.0},
}
"""Settings under which all of a method shows within five steps, on this prior; the defaults elsewhere."""

GOLDEN: dict[str, tuple[int, list[float], list[float]]] = {
    "sds": (1, [0.0333, 1.6662, -0.197], [8.231, 8.019, 4.466, 2.795, 1.899]),
    "dds": (1, [-0.3592, 1.2133, -0.747], [10.056, 9.83, 5.401, 3.389, 2.288]),
    "nfsd": (1, [0.3663, 0.8335, 0.3616], [1.968, 2.781, 1.863, 2.347, 0.899]),
    "csd": (1, [0.1235, 0.8642, -0.0344], [4.472, 3.512, 2.6, 0.675, 3.966]),
    "sds-bridge": (1, [-1.3902, 2.2097, -2.2992], [12.614, 18.247, 13.354, 15.402, 5.897]),
    "vsd": (1, [0.3274, 0.9948, 0.2481], [2.059, 2.246, 1.498, 3.514, 4.095]),
    "pds": (1, [-0.5885, 1.4349, -1.0922], [15.267, 4.348, 14.028, 3.532, 1.476]),
    "lusd": (1, [0.553, 0.3319, 0.6263], [0.149, 0.14, 0.08, 0.021, 0.011]),
    "ids": (1, [0.4152, 1.6199, 1.137], [8.305, 10.602, 5.825, 3.891, 2.755]),
    "cds": (1, [-0.4219, 1.2706, -0.8076], [10.053, 9.825, 5.392, 3.364, 2.264]),
    "piva": (1, [-0.3515, 1.2087, -0.7385], [10.056, 9.83, 5.367, 3.338, 2.232]),
}
"""Method -> VERSION, the edited image's mean per channel, and direction_rms of each of five steps."""


def two_hills() -> AnalyticPrior:
    """Two Gaussians for each prompt: of one alone IDS makes what DDS makes."""
    prompts = {"": 0, "source": 1, "target": 2}
    halves = torch.full((2,), 0.5, dtype=torch.float64)
    means = {prompt: torch.stack([mean_of(i), mean_of(40 + i)]) for prompt, i in prompts.items()}
    return AnalyticPrior({prompt: Mixture(halves, mean, halves) for prompt, mean in means.items()}, ABAR)


@pytest.mark.parametrize("name", METHODS)
def test_five_steps_give_what_they_gave(name):
    method = resolve("method", METHODS, name)(step_size=0.2, **SETTINGS.get(name, {}))
    prior = two_hills() if name == "ids" else gaussian_prior()
    (output,) = edit_batch(prior, method, inputs(1), steps=5, seed=0)
    version, means, sizes = GOLDEN[name]
    assert version == method.VERSION
    torch.testing.assert_close(output.image.mean(dim=(1, 2)), torch.tensor(means), atol=2e-4, rtol=0)
    torch.testing.assert_close(torch.tensor(output.history["direction_rms"]), torch.tensor(sizes), atol=2e-3, rtol=0)
