import pytest
import torch

from piva.toybox.models import gate
from piva.toybox.render import Rendering


def squared(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    return (a - b).square().mean(dim=(1, 2, 3))


@pytest.fixture(scope="module")
def rendering() -> Rendering:
    """A textured square on a shaded ground."""
    image = torch.linspace(0.2, 0.4, 64).view(1, 1, 64, 1).repeat(2, 3, 1, 64)
    mask = torch.zeros(2, 64, 64, dtype=torch.bool)
    mask[:, 24:40, 24:40] = True
    image[:, :, 24:40, 24:40] = torch.tensor([0.9, 0.1, 0.3]).view(3, 1, 1) * torch.linspace(0.5, 1, 16)
    return Rendering(image, torch.ones(2, 1, 64, 64), torch.where(mask, 0, -1))


def test_spearman_of_known_orders() -> None:
    rows = torch.tensor([[1.0, 2, 3, 4], [4, 3, 2, 1], [1, 3, 2, 4], [10, 1000, 30, 40]])
    assert gate.spearman(rows).tolist() == pytest.approx([1, -1, 0.8, 0.4])


def test_squared_distance_passes_the_gate(rendering: Rendering) -> None:
    found = gate.monotonicity(squared, rendering)
    assert found.keys() == gate.DISTORTIONS.keys()
    assert min(found.values()) == pytest.approx(1)


def test_a_distance_that_shrinks_fails_it(rendering: Rendering) -> None:
    found = gate.monotonicity(lambda a, b: -squared(a, b), rendering)
    assert max(found.values()) == pytest.approx(-1)


def test_shifted_objects_keep_the_ground(rendering: Rendering) -> None:
    moved, ground = gate.object_shift(rendering, 5), rendering.image[:, :, :, :1].expand(-1, -1, -1, 64)
    assert torch.equal(moved[:, :, 24:40, 29:45], rendering.image[:, :, 24:40, 24:40])
    assert torch.equal(moved[:, :, :, :20], ground[:, :, :, :20])
    assert torch.equal(moved[:, :, 24:40, 24:27], ground[:, :, 24:40, 24:27])
    assert torch.equal(gate.object_shift(rendering, 0), rendering.image)


def test_one_pixel_shift() -> None:
    row = torch.arange(5.0).view(1, 1, 1, 5)
    assert gate.one_pixel_shift(row).flatten().tolist() == [0, 0, 1, 2, 3]


def test_a_change_of_the_ground_is_more_than_a_pixel() -> None:
    found = gate.attribute_sensitivity(squared, "dev", per_type=2)
    assert found["type_8"] == 1.0
    assert set(found) == {f"type_{i}" for i in range(1, 10)} | {"all", "ratio"}
