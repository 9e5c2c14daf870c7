"""The latent itself: theta = z, g the identity. What 2D editing optimises."""

from torch import Tensor, nn


class LatentImages(nn.Module):
    """One latent per case, started at the source's.

    Args:
        z_src: [B,C,h,w] VAE posterior means, scaled.
    """

    def __init__(self, z_src: Tensor):
        super().__init__()
        self.theta = nn.Parameter(z_src.detach().clone())

    def forward(self) -> Tensor:
        """The latents [B,C,h,w] to be scored."""
        return self.theta
