"""What a configuration says of a prior is what the loaded prior says of itself."""

import pytest
from stable_diffusion_world import SD_1_5, SD_2_1, write_pipeline

from piva.auxiliary.settings import AuxiliarySettings
from piva.config import PriorConfig
from piva.errors import ConfigError, PreflightError
from piva.priors.facts import PriorFacts
from piva.priors.stable_diffusion import StableDiffusionPrior


@pytest.mark.parametrize(
    ("published", "settings"),
    [
        (SD_1_5, {}),
        (SD_2_1, {"dtype": "bfloat16"}),
        (SD_2_1, {"image_size": (64, 128)}),
        (None, {}),
    ],
)
def test_facts_are_those_of_the_prior_with_its_weights(published, settings, tmp_path):
    model = "toybox" if published is None else str(write_pipeline(tmp_path, published))
    config = PriorConfig(model=model, device="cpu", **settings)
    facts, prior = PriorFacts(config), StableDiffusionPrior.from_config(config)
    for name in ("name", "fingerprint", "image_size", "latent_shape", "device", "dtype"):
        assert getattr(facts, name) == getattr(prior, name), name
    assert facts.abar.tolist() == prior.abar.tolist()


@pytest.mark.parametrize("kind", ["lora", "controlnet"])
def test_auxiliaries_have_the_sizes_of_the_prior_s(kind):
    config = PriorConfig(device="cpu")
    settings = AuxiliarySettings(kind=kind)
    shapes = [
        [tuple(parameter.shape) for parameter in prior.adapter(settings, 0, ("a",)).parameters()]
        for prior in (PriorFacts(config), StableDiffusionPrior.from_config(config))
    ]
    assert shapes[0] == shapes[1]


def test_what_is_not_here_is_one_sentence(tmp_path, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(PreflightError, match="neither a folder nor a model on this machine"):
        PriorFacts(PriorConfig(model="nobody/nothing", device="cpu"))
    with pytest.raises(ConfigError, match=r"goes with a \.safetensors file"):
        PriorFacts(PriorConfig(config="x", device="cpu"))
