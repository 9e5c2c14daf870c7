import sys
from types import SimpleNamespace

import pytest
import torch

from piva.rendering.fields import hash_grid
from piva.rendering.fields.hash_grid import PRIMES, HashGrid, HashGridField
from piva.rendering.fields.settings import FieldSettings

SMALL = FieldSettings(kind="hash-grid", resolution=40, levels=3, log2_table=12, width=8, encoding="torch")


@pytest.fixture
def points():
    return torch.rand(60, 3, generator=torch.Generator().manual_seed(1)) * 2 - 1


def slow_features(grid, points):
    """Vertex by vertex, as eqs. 2 to 4 say it."""
    features = []
    for point in points.double():
        for level, resolution in enumerate(grid.resolutions):
            place = (point + 1) / 2 * (resolution - 1)
            total = torch.zeros(grid.table.shape[1], dtype=torch.float64)
            for corner in range(8):
                bits = [corner >> 2 & 1, corner >> 1 & 1, corner & 1]
                vertex = [min(int(p), resolution - 2) + bit for p, bit in zip(place, bits, strict=True)]
                share = 1.0
                for p, v in zip(place.tolist(), vertex, strict=True):
                    share *= 1 - abs(p - v)
                if resolution**3 <= grid.entries:
                    row = (vertex[0] * resolution + vertex[1]) * resolution + vertex[2]
                else:
                    row = 0
                    for v, prime in zip(vertex, PRIMES, strict=True):
                        row ^= v * prime
                    row %= grid.entries
                total += share * grid.table[level * grid.entries + row].detach().double()
            features.append(total)
    return torch.stack(features).view(len(points), -1)


def test_features_are_those_of_the_loop(points):
    grid = HashGrid(levels=3, features=2, log2_table=12, finest=40)
    assert grid.resolutions == [16, 25, 40]  # 16^3 vertices have an entry each, the others are hashed
    assert grid(points).shape == (60, 6)
    torch.testing.assert_close(grid(points).double(), slow_features(grid, points), rtol=1e-4, atol=1e-8)


def test_the_same_settings_make_the_same_field(points):
    one, other = HashGridField(SMALL), HashGridField(SMALL)
    assert torch.equal(one.density(one.read(points)), other.density(other.read(points)))


def test_density_and_colours_learn(points):
    field = HashGridField(SMALL)
    optimizer = torch.optim.Adam(field.parameters(), lr=0.02)
    density, color = points.abs().sum(-1) * 3, (points + 1) / 2
    for _ in range(200):
        optimizer.zero_grad()
        found = field.read(points)
        loss = ((field.density(found) - density) / 9).square().mean()
        loss = loss + (field.color(found, color) - color).square().mean()
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.002


def test_cells_hold_the_largest_density_of_their_places(monkeypatch):
    monkeypatch.setattr(hash_grid, "CELLS", 4)
    field = HashGridField(SMALL)
    with torch.no_grad():
        field.encoding.table.mul_(1e4)
    found = field.densities()
    middle = (torch.arange(8) + 0.5) / 4 - 1
    corner = torch.stack(torch.meshgrid(middle[2:4], middle[6:], middle[:2], indexing="ij"), -1).view(-1, 3)
    assert found.shape == (4, 4, 4)
    assert found[1, 3, 0].item() == pytest.approx(field.density(field.read(corner)).max().item(), rel=1e-5)


def test_roughness_of_the_start_is_nothing_and_of_noise_is_not(points):
    field = HashGridField(SMALL)
    calm = field.roughness(points).item()
    with torch.no_grad():
        field.encoding.table.mul_(1e4)
    assert calm == pytest.approx(0.01, rel=0.1)  # the root of its epsilon
    assert field.roughness(points).item() > 0.1


def test_tiny_cuda_nn_is_asked_for_the_same_grid(monkeypatch, points):
    asked = []

    class Encoding(torch.nn.Module):
        def __init__(self, dimensions, facts, dtype):
            super().__init__()
            asked.append((dimensions, facts, dtype))

        def forward(self, unit):
            assert unit.min() >= 0
            assert unit.max() <= 1
            return torch.zeros(len(unit), 6)

    monkeypatch.setitem(sys.modules, "tinycudann", SimpleNamespace(Encoding=Encoding))
    field = HashGridField(SMALL.model_copy(update={"encoding": "tiny-cuda-nn"}))
    (dimensions, facts, dtype) = asked[0]
    assert (dimensions, facts["n_levels"], facts["base_resolution"], dtype) == (3, 3, 16, torch.float32)
    assert facts["per_level_scale"] == pytest.approx((40 / 16) ** 0.5)
    assert field.density(field.read(points)).shape == (60,)


def test_roughness_of_no_points_is_0():
    assert HashGridField(SMALL).roughness(torch.empty(0, 3)).item() == 0
