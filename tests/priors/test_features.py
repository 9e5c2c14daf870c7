"""Features of the up blocks' self-attention: of the rows that are watched, with their gradient, and nothing else."""

import pytest
import torch
from diffusers import UNet2DConditionModel

from piva.errors import ConfigError
from piva.priors import Tap
from piva.priors.features import SelfAttentionFeatures


def rows(prior, n=3, size=(8, 8)):
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(n, 4, *size, generator=generator)
    return x, torch.full((n,), 300), prior.embed(["a cat", "a dog", "a hat"][:n])


def layers(prior):
    return [m for name, m in prior.unet.named_modules() if name.startswith("up_blocks") and name.endswith("attn1")]


def test_what_the_layers_put_out_for_the_first_rows(tiny_prior):
    seen = []
    hooks = [layer.register_forward_hook(lambda _m, _i, out: seen.append(out)) for layer in layers(tiny_prior)]
    tap = Tap(2)
    with torch.no_grad():
        watched = tiny_prior.predict(*rows(tiny_prior), tap=tap)
        plain = tiny_prior.predict(*rows(tiny_prior))
    for hook in hooks:
        hook.remove()
    assert torch.equal(watched, plain)
    assert len(tap.maps) == len(layers(tiny_prior)) > 0
    for features, out in zip(tap.maps, seen, strict=False):
        d, h, w = features.shape[1:]
        assert h * w == out.shape[1]
        torch.testing.assert_close(features, out[:2].transpose(1, 2).reshape(2, d, h, w))


def test_their_places_are_rows_and_columns_of_a_wide_latent(tiny_prior):
    """5 x 9 halves to 3 x 5."""
    tap = Tap(1)
    with torch.no_grad():
        tiny_prior.predict(*rows(tiny_prior, 1, (5, 9)), tap=tap)
    assert {tuple(features.shape[2:]) for features in tap.maps} <= {(5, 9), (3, 5)}


def test_a_gradient_comes_back_to_x_and_to_no_weight(tiny_prior):
    x, t, embedding = rows(tiny_prior)
    x.requires_grad_()
    tap = Tap(1)
    tiny_prior.predict(x, t, embedding, tap=tap)
    sum(features.square().sum() for features in tap.maps).backward()
    assert x.grad[0].abs().max() > 0
    assert x.grad[1:].abs().max() == 0
    assert all(parameter.grad is None for parameter in tiny_prior.unet.parameters())


def test_a_unet_without_self_attention_is_refused():
    unet = UNet2DConditionModel(
        sample_size=8, block_out_channels=(8, 8), layers_per_block=1, cross_attention_dim=8, norm_num_groups=4,
        down_block_types=("DownBlock2D", "DownBlock2D"), up_block_types=("UpBlock2D", "UpBlock2D"),
        attention_head_dim=4,
    )  # fmt: skip
    with pytest.raises(ConfigError, match="no self-attention in its up blocks"):
        SelfAttentionFeatures(unet)
