import pytest
import torch

from piva.rendering.fields.settings import FieldSettings
from piva.rendering.fields.voxel import DENSITY_SCALE, VoxelField


@pytest.fixture
def field():
    """A random field of 16 vertices a side."""
    field, generator = VoxelField(FieldSettings(resolution=16, sh_degree=1)), torch.Generator().manual_seed(0)
    with torch.no_grad():
        for grid in field.parameters():
            grid.copy_(torch.randn(grid.shape, generator=generator))
    return field


@pytest.fixture
def points():
    return torch.rand(200, 3, generator=torch.Generator().manual_seed(1)) * 2 - 1


def test_a_uniform_field_has_its_density_and_grey_everywhere(points):
    field = VoxelField(FieldSettings(resolution=8))
    with torch.no_grad():
        field.raw_density.fill_(0.7)
    wanted = DENSITY_SCALE * torch.nn.functional.softplus(torch.tensor(0.7))
    torch.testing.assert_close(field.density(field.read(points)), wanted.expand(200))
    assert torch.equal(field.color(field.read(points), points), torch.full((200, 3), 0.5))


def test_the_largest_density_of_a_cell_bounds_its_inside(field, points):
    cells = ((points + 1) / 2 * 15).long()
    assert field.densities().shape == (15, 15, 15)
    assert (field.density(field.read(points)) <= field.densities()[tuple(cells.T)] * (1 + 1e-5)).all()


def test_colours_of_degree_1_change_with_the_direction_and_their_mean_does_not(field, points):
    up = torch.tensor([[0.0, 0.0, 1.0]]).expand_as(points)
    one, other = field.color(field.read(points), up), field.color(field.read(points), -up)
    assert (one - other).abs().max() > 0.1
    with torch.no_grad():
        field.raw_color.view(-1, 3, 4)[..., 1:] = 0
    assert torch.equal(field.color(field.read(points), up), field.color(field.read(points), -up))


def test_resampling_keeps_a_smooth_field(points):
    field = VoxelField(FieldSettings(resolution=16))
    side = torch.linspace(-1, 1, 16)
    x, y, z = torch.meshgrid(side, side, side, indexing="ij")
    with torch.no_grad():
        field.raw_density.copy_((x + 2 * y - z).reshape(-1, 1))
        field.raw_color.copy_(torch.stack([x, y * 0.5, z * 2], -1).reshape(-1, 3))
    before = field.density(field.read(points)), field.color(field.read(points), points)
    field.resample(29)
    assert field.raw_density.shape == (29**3, 1)
    torch.testing.assert_close(field.density(field.read(points)), before[0], rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(field.color(field.read(points), points), before[1], rtol=1e-5, atol=1e-5)


def test_it_grows_from_a_quarter_to_all_of_its_resolution():
    field = VoxelField(FieldSettings(resolution=64))
    found = [(field.grow(share), field.resolution) for share in (0.0, 0.1, 0.2, 0.3, 0.4, 1.0)]
    assert found == [(True, 16), (False, 16), (True, 32), (False, 32), (True, 64), (False, 64)]


def test_roughness_is_the_difference_to_the_next_vertices(points):
    field = VoxelField(FieldSettings(resolution=8))
    assert field.roughness(points).item() == pytest.approx(0.02)  # twice the root of its epsilon
    side = torch.arange(8.0)
    with torch.no_grad():  # raw density rises by 2 a voxel along y, raw colours by 1, 0, 0 along x
        field.raw_density.copy_((2 * side)[None, :, None].expand(8, 8, 8).reshape(-1, 1))
        field.raw_color[:, 0] = side[:, None, None].expand(8, 8, 8).reshape(-1)
    assert field.roughness(points).item() == pytest.approx(2 + 1, abs=1e-4)


def test_roughness_of_no_points_is_0(field):
    assert field.roughness(torch.empty(0, 3)).item() == 0
