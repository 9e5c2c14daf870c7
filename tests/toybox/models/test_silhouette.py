from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from toybox.models.tiny import TINY

from piva.toybox.models import silhouette
from piva.toybox.models.augment import discolor
from piva.toybox.models.silhouette import intersection_over_union
from piva.toybox.render import Rendering, render
from piva.toybox.scene import sample_scene
from piva.toybox.training_set import Geometry


@pytest.fixture(scope="module")
def rendering() -> Rendering:
    return render([sample_scene(i, "train") for i in range(12)])


@pytest.fixture(scope="module")
def trained(rendering: Rendering, tmp_path_factory: pytest.TempPathFactory) -> Path:
    data = SimpleNamespace(images=rendering.image.mul(255).byte().numpy(), scenes=[None] * 12)
    geometry = Geometry(rendering.depth.numpy(), rendering.objects.byte().numpy())
    settings = silhouette.SilhouetteSettings(
        steps=60, learning_rate=5e-3, **TINY | {"batch_size": 12, "warmup_steps": 5}
    )
    return silhouette.train(settings, tmp_path_factory.mktemp("silhouette"), data, geometry)


def test_it_finds_the_objects_it_was_shown(trained: Path, rendering: Rendering) -> None:
    found = silhouette.load_silhouette("cpu", trained).predict(rendering.image)
    assert found.shape == (12, 1, 64, 64)
    assert found.dtype == torch.bool
    assert intersection_over_union(found, rendering.objects).mean() > 0.7


def test_overlap_of_known_masks() -> None:
    masks = torch.zeros(4, 1, 4, 4, dtype=torch.bool)
    masks[0, :, :2], masks[1, :, 1:3], masks[2] = True, True, True
    first = masks[:1].expand(4, -1, -1, -1)
    assert intersection_over_union(first, masks).tolist() == pytest.approx([1, 1 / 3, 1 / 2, 0])
    assert intersection_over_union(masks, first).tolist() == pytest.approx([1, 1 / 3, 1 / 2, 0])
    assert intersection_over_union(masks[3:], masks[3:]).item() == 1


def test_discoloured_pictures_keep_their_outlines() -> None:
    halves = torch.zeros(8, 3, 16, 16)
    halves[..., 8:] = 1
    seen = discolor(halves, torch.Generator().manual_seed(0))
    assert (seen - halves).abs().max() > 0.01
    assert torch.equal(seen.mean(dim=(1, 2)) > 0.5, halves.mean(dim=(1, 2)) > 0.5)
