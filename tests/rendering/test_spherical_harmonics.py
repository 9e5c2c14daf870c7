import math

import torch

from piva.rendering.spherical_harmonics import count, harmonics


def test_they_are_orthonormal_on_the_sphere():
    n = 40_000  # Fibonacci lattice: equal areas
    i = torch.arange(n, dtype=torch.float64) + 0.5
    z, angle = 1 - 2 * i / n, math.pi * (1 + 5**0.5) * i
    r = (1 - z * z).sqrt()
    basis = harmonics(torch.stack([r * angle.cos(), r * angle.sin(), z], -1), 3)
    assert basis.shape == (n, count(3))
    gram = 4 * math.pi / n * basis.T @ basis
    torch.testing.assert_close(gram, torch.eye(16, dtype=torch.float64), atol=1e-4, rtol=0)


def test_a_lower_degree_is_the_beginning_of_a_higher_one():
    directions = torch.nn.functional.normalize(torch.tensor([[1.0, 2.0, -3.0], [0.0, -1.0, 0.5]]), dim=-1)
    assert torch.equal(harmonics(directions, 1), harmonics(directions, 3)[:, :4])
