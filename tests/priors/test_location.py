"""Where a prior lies, and the sizes of what it works on."""

import pytest

from piva.errors import ConfigError
from piva.priors.location import sizes


def test_sizes_follow_from_the_configurations():
    unet, vae = {"sample_size": [64, 96], "in_channels": 4}, {"block_out_channels": [1, 2, 3, 4], "latent_channels": 4}
    assert sizes("", unet, vae, None) == ((512, 768), (512, 768), (4, 64, 96))
    assert sizes("", unet, vae, (256, 256)) == ((512, 768), (256, 256), (4, 32, 32))
    with pytest.raises(ConfigError, match="multiples of 8, which 100x64 is not"):
        sizes("x", unet, vae, (100, 64))
