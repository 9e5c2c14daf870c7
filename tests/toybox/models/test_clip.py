import math
from pathlib import Path
from types import SimpleNamespace

import open_clip
import pytest
import torch
import torch.nn.functional as F
from toybox.models.tiny import TINY

from piva.toybox.models import clip as recipe
from piva.toybox.models.training import keyed_generator

SETTINGS = recipe.ClipSettings(steps=2, vision_width=8, text_width=32, text_layers=1, embed_dim=16, **TINY)
TEXTS = ["a red cube on grass", "a zebra"]


@pytest.fixture(scope="module")
def folder(tiny_data: SimpleNamespace, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return recipe.train(SETTINGS, tmp_path_factory.mktemp("clip"), tiny_data)


def test_open_clip_loads_the_export(folder: Path) -> None:
    """Model, tokenizer and preprocessing by open_clip's own means give the features that ours gives."""
    theirs = open_clip.create_model(f"local-dir:{folder}").eval()
    ours = recipe.load_clip("cpu", folder)
    ids = open_clip.get_tokenizer(f"local-dir:{folder}")(TEXTS)
    images = torch.rand((2, 3, 64, 64), generator=keyed_generator("pictures"))
    with torch.no_grad():
        assert torch.allclose(theirs.encode_text(ids), ours.encode_text(TEXTS), atol=1e-5)
        assert torch.allclose(theirs.encode_image(2 * images - 1), ours.encode_image(images), atol=1e-5)
    assert ours.encode_text(TEXTS).shape == (2, 16)


def test_other_sizes_are_resized(folder: Path) -> None:
    clip = recipe.load_clip("cpu", folder)
    small = torch.rand((1, 3, 64, 64), generator=keyed_generator("small"))
    large = F.interpolate(small, scale_factor=3, mode="nearest")
    cosine = F.cosine_similarity(clip.encode_image(small), clip.encode_image(large))
    assert cosine.item() > 0.95


def test_loss_of_indifferent_features_is_the_logarithm_of_the_batch() -> None:
    same = torch.ones(8, 4)
    assert recipe.contrastive_loss(same, same, torch.tensor(10.0)).item() == pytest.approx(math.log(8), rel=1e-5)


def test_loss_of_perfect_features_vanishes() -> None:
    assert recipe.contrastive_loss(3 * torch.eye(8), torch.eye(8), torch.tensor(50.0)).item() < 1e-6
    swapped = torch.eye(8).roll(1, 0)
    assert recipe.contrastive_loss(torch.eye(8), swapped, torch.tensor(50.0)).item() == pytest.approx(50, rel=1e-3)


def test_a_batch_has_no_caption_twice() -> None:
    groups = torch.arange(400) // 4
    rows = recipe.distinct_rows(groups, 64, keyed_generator("rows"))
    assert len(rows) == 64 == len(set(groups[rows].tolist()))
