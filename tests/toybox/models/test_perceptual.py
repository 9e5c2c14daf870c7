from types import SimpleNamespace

import pytest
import torch
import torch.nn.functional as F
from toybox.models.tiny import TINY

from piva.toybox.models import perceptual
from piva.toybox.scene import Camera, Placement

A, B = torch.rand((2, 4, 3, 64, 64), generator=torch.Generator().manual_seed(0))


@pytest.fixture(scope="module")
def lpips(tiny_data: SimpleNamespace, tmp_path_factory: pytest.TempPathFactory) -> perceptual.ToyboxLPIPS:
    folder = tmp_path_factory.mktemp("perceptual")
    return perceptual.load_lpips(
        "cpu", perceptual.train(perceptual.PerceptualSettings(steps=2, **TINY), folder, tiny_data)
    )


def test_equal_pictures_have_distance_zero(lpips: perceptual.ToyboxLPIPS) -> None:
    assert torch.equal(lpips(A, A), torch.zeros(4))
    assert (lpips(A, B) > 0.01).all()
    assert torch.allclose(lpips(A, B), lpips(B, A))


def test_it_is_lpips_with_unit_weights(lpips: perceptual.ToyboxLPIPS) -> None:
    """Against the formula: unit-length features, squared differences, summed over channels, averaged over places."""
    shift, scale = torch.tensor([-0.030, -0.088, -0.188]), torch.tensor([0.458, 0.448, 0.450])
    features = [lpips.net(((2 * x - 1) - shift.view(1, 3, 1, 1)) / scale.view(1, 3, 1, 1)) for x in (A, B)]
    layers = [(F.normalize(f, dim=1) - F.normalize(g, dim=1)).square() for f, g in zip(*features, strict=True)]
    assert len(layers) == 7
    expected = sum(layer.sum(dim=1).mean(dim=(1, 2)) for layer in layers)
    assert torch.allclose(lpips(A, B), expected, rtol=1e-4)


def test_its_weights_are_frozen(lpips: perceptual.ToyboxLPIPS) -> None:
    assert not any(p.requires_grad for p in lpips.parameters())
    assert not lpips.training


def test_view_bins() -> None:
    def scene(elevation: float, azimuth: float, sun: float) -> SimpleNamespace:
        return SimpleNamespace(placement=Placement(Camera(azimuth, elevation, 4.7), sun_azimuth_deg=sun))

    table = perceptual.view_table([scene(15, 350, 20), scene(19, 10, 350), scene(25, 100, 170), scene(29, 100, 30)])
    assert table["elevation"].tolist() == [0, 1, 2, 3]
    assert table["light"].tolist() == [3, 1, 4, 0]  # 30, -20, 70 and -70 degrees from the camera
