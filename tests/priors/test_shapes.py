"""A prior without weights: as many parameters as the real one, and the same sizes."""

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode

from piva.errors import ConfigError
from piva.priors.shapes import STABLE_DIFFUSION_1_5, PriorShape, WeightlessPrior

PARTS = ("unet", "vae", "text_encoder")


def weightless(shape, *arguments):
    with FakeTensorMode():
        return WeightlessPrior(shape, *arguments)


def parameters(prior):
    return {part: sum(p.numel() for p in getattr(prior, part).parameters()) for part in PARTS}


def test_stable_diffusion_1_5_has_its_published_sizes():
    prior = weightless(STABLE_DIFFUSION_1_5, torch.float16)
    assert parameters(prior) == {"unet": 859_520_964, "vae": 83_653_863, "text_encoder": 123_060_480}
    assert prior.image_size == (512, 512)
    assert prior.latent_shape == (4, 64, 64)


def test_a_loaded_prior_gives_its_shape(tiny_prior):
    prior = weightless(PriorShape.of(tiny_prior), torch.float32)
    assert parameters(prior) == parameters(tiny_prior)
    assert (prior.image_size, prior.latent_shape) == (tiny_prior.image_size, tiny_prior.latent_shape)
    assert prior.vae.use_slicing == tiny_prior.vae.use_slicing
    assert {name: p.shape for name, p in prior.unet.named_parameters()} == {
        name: p.shape for name, p in tiny_prior.unet.named_parameters()
    }


def test_number_types_are_those_of_the_real_prior(tiny_prior):
    prior = weightless(PriorShape.of(tiny_prior), torch.float16)
    kinds = {part: {p.dtype for p in getattr(prior, part).parameters()} for part in PARTS}
    assert kinds == {"unet": {torch.float16}, "vae": {torch.float32}, "text_encoder": {torch.float16}}
    assert not any(p.requires_grad for part in PARTS for p in getattr(prior, part).parameters())


def test_other_image_sizes(tiny_prior):
    shape = PriorShape.of(tiny_prior)
    assert weightless(shape, torch.float32, (64, 96)).latent_shape == (4, 16, 24)
    with pytest.raises(ConfigError, match="multiples of 4"):
        weightless(shape, torch.float32, (34, 32))
    assert weightless(STABLE_DIFFUSION_1_5, torch.float16, (768, 768)).vae.use_slicing
