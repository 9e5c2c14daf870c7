"""A depth ControlNet for the tiny pipeline that does something, as if trained."""

from pathlib import Path

import pytest
import torch


@pytest.fixture(scope="session")
def tiny_controlnet(tiny_prior, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder in diffusers' form; reads three channels of 32x32."""
    from diffusers import ControlNetModel

    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = ControlNetModel.from_unet(tiny_prior.unet, conditioning_embedding_out_channels=(16, 32, 96))
        for name, weight in net.named_parameters():
            if name.startswith(
                ("controlnet_down_blocks", "controlnet_mid_block", "controlnet_cond_embedding.conv_out")
            ):
                torch.nn.init.normal_(weight, std=0.1)
    folder = tmp_path_factory.mktemp("tiny-controlnet")
    net.save_pretrained(folder, safe_serialization=True)
    return folder


@pytest.fixture(scope="session")
def depth() -> torch.Tensor:
    """Of three cases, [3,1,32,32] in [0,1]."""
    return torch.rand(3, 1, 32, 32, generator=torch.Generator().manual_seed(5))


@pytest.fixture(scope="session")
def rows(tiny_prior):
    """x, t and embeddings of four rows."""
    x = torch.randn(4, *tiny_prior.latent_shape, generator=torch.Generator().manual_seed(1))
    return x, torch.tensor([100, 300, 500, 900]), tiny_prior.embed(["a cat", "a dog", "a tree", ""])
