"""Light distortions for training, such as samples and edits show and clean renders do not.

All take images [B,3,H,W] in [0,1] on the CPU and a generator, and return images of the same kind.
"""

import torch
import torch.nn.functional as F
from torch import Tensor


def uniform(count: int, low: float, high: float, generator: torch.Generator) -> Tensor:
    """Numbers [count,1,1,1] between low and high, one per image."""
    return low + (high - low) * torch.rand((count, 1, 1, 1), generator=generator)


def normal(shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    """Standard normal numbers [*shape]."""
    return torch.empty(shape).normal_(generator=generator)


def shift(images: Tensor, pixels: int, generator: torch.Generator) -> Tensor:
    """Moves each image by up to `pixels` in either direction; the border repeats."""
    height, width = images.shape[-2:]
    padded = F.pad(images, (pixels,) * 4, mode="replicate")
    offsets = torch.randint(2 * pixels + 1, (len(images), 2), generator=generator).tolist()
    moved = [image[:, y : y + height, x : x + width] for image, (y, x) in zip(padded, offsets, strict=True)]
    return torch.stack(moved)


def mirror(images: Tensor, generator: torch.Generator) -> Tensor:
    """Mirrors each image left to right with probability one half."""
    return torch.where(uniform(len(images), 0, 1, generator) < 0.5, images.flip(-1), images)


def soften(images: Tensor, generator: torch.Generator) -> Tensor:
    """Mixes each image with a half-resolution copy of itself, by a random share: what an autoencoder loses."""
    small = F.avg_pool2d(images, 2)
    soft = F.interpolate(small, size=images.shape[-2:], mode="bilinear", align_corners=False)
    share = uniform(len(images), -0.5, 0.9, generator).clamp(min=0)  # a third of the images stays sharp
    return torch.lerp(images, soft, share)


def stain(images: Tensor, generator: torch.Generator, strength: float = 0.04, cell: int = 8) -> Tensor:
    """Adds blotches of colour of about `cell` pixels, as a sampler leaves them."""
    count, channels, height, width = images.shape
    coarse = normal((count, channels, height // cell, width // cell), generator)
    blotches = F.interpolate(coarse, size=(height, width), mode="bilinear", align_corners=False)
    return images + blotches * uniform(count, 0, strength, generator)


def grain(images: Tensor, generator: torch.Generator, strength: float = 0.04) -> Tensor:
    """Adds pixel noise of a random standard deviation up to `strength`."""
    return images + normal(tuple(images.shape), generator) * uniform(len(images), 0, strength, generator)


def relight(images: Tensor, generator: torch.Generator, strength: float = 0.12) -> Tensor:
    """Scales brightness, and contrast about the image's mean, each by up to `strength`."""
    mean = images.mean(dim=(1, 2, 3), keepdim=True)
    contrast = uniform(len(images), 1 - strength, 1 + strength, generator)
    return ((images - mean) * contrast + mean) * uniform(len(images), 1 - strength, 1 + strength, generator)


def discolor(images: Tensor, generator: torch.Generator) -> Tensor:
    """All of the above that leave every outline where it is, clamped to [0,1]."""
    for step in (soften, stain, grain, relight):
        images = step(images, generator)
    return images.clamp(0, 1)


def distort(images: Tensor, generator: torch.Generator, *, mirrored: bool = True) -> Tensor:
    """All of the above, clamped to [0,1]."""
    images = mirror(images, generator) if mirrored else images
    return discolor(shift(images, 2, generator), generator)


def black_out(images: Tensor, share: float, generator: torch.Generator) -> Tensor:
    """Blackens all but a random box around the middle in a share of the images, as region scores do with a mask."""
    height, width = images.shape[-2:]
    chosen = uniform(len(images), 0, 1, generator) < share
    left, right, top, bottom = (uniform(len(images), 0.05, 0.4, generator) for _ in range(4))
    x = (torch.arange(width) + 0.5).view(1, 1, 1, -1) / width
    y = (torch.arange(height) + 0.5).view(1, 1, -1, 1) / height
    inside = (x > left) & (x < 1 - right) & (y > top) & (y < 1 - bottom)
    return torch.where(chosen & ~inside, torch.zeros(()), images)
