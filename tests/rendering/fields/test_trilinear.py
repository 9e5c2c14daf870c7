import torch
import torch.nn.functional as F

from piva.rendering.fields.trilinear import corners


def points_and_grid(dtype):
    generator = torch.Generator().manual_seed(0)
    points = torch.rand(50, 3, generator=generator, dtype=dtype) * 2 - 1
    points[:3] = torch.tensor([[1.0, 1.0, 1.0], [-1.0, -1.0, -1.0], [1.0, -1.0, 0.2]])  # on the cube's surface
    return points, torch.randn(5**3, 2, generator=generator, dtype=dtype)


def test_it_is_grid_sample():
    points, grid = points_and_grid(torch.float64)
    volume = grid.T.reshape(1, 2, 5, 5, 5)  # x, y, z
    wanted = F.grid_sample(volume, points.flip(-1)[None, None, None], align_corners=True)[0, :, 0, 0].T
    torch.testing.assert_close(corners(points, 5).of(grid), wanted, rtol=1e-12, atol=1e-12)


def test_shares_of_the_corners_add_up_to_one():
    points, _ = points_and_grid(torch.float64)
    around = corners(points, 5)
    torch.testing.assert_close(around.shares.sum(-1), torch.ones(50, dtype=torch.float64))
    assert around.rows.min() >= 0
    assert around.rows.max() < 125


def test_some_of_the_points_have_the_values_they_had_among_all():
    points, grid = points_and_grid(torch.float64)
    around, some = corners(points, 5), torch.tensor([7, 3, 40])
    assert torch.equal(around[some].of(grid), around.of(grid)[some])


def test_gradient_to_the_grid_is_finite_differences():
    points, grid = points_and_grid(torch.float64)
    assert torch.autograd.gradcheck(lambda g: corners(points, 5).of(g), grid.requires_grad_())
