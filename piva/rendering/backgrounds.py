"""What is behind everything: colours by direction alone."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from piva.rendering.spherical_harmonics import count, harmonics

SKY_DEGREE = 3


class Sky(nn.Module):
    """A learned colour for each direction: sigmoid of spherical harmonics of degree 3; grey at the start."""

    def __init__(self) -> None:
        super().__init__()
        self.coefficients = nn.Parameter(torch.zeros(count(SKY_DEGREE), 3))

    def forward(self, directions: Tensor) -> Tensor:
        """[N,3] in [0,1] for unit directions [N,3]."""
        return (harmonics(directions, SKY_DEGREE) @ self.coefficients).sigmoid()


class Constant(nn.Module):
    """One colour for all directions; not learned."""

    color: Tensor

    def __init__(self, color: tuple[float, float, float]):
        super().__init__()
        self.register_buffer("color", torch.tensor(color, dtype=torch.float32))

    def forward(self, directions: Tensor) -> Tensor:
        """[N,3] for directions [N,3]."""
        return self.color.expand(len(directions), 3)
