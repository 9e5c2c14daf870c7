import pytest
import torch

from piva.toybox.models.held_out import psnr_db, sample_shares
from piva.toybox.scene import named_labels, sample_scene

SCENES = [sample_scene(i, "dev") for i in range(40)]


def test_psnr_of_a_tenth_is_twenty_decibels() -> None:
    assert psnr_db(torch.zeros(2, 3, 4, 4), torch.full((2, 3, 4, 4), 0.1)).tolist() == pytest.approx([20, 20])


def test_shares_of_a_perfect_sampler_are_one() -> None:
    shares = sample_shares([named_labels(scene) for scene in SCENES], SCENES)
    assert set(shares.values()) == {1.0}
    assert "front" not in shares
    assert "hat_where_asked" in shares


def test_shares_count_what_was_asked() -> None:
    found = [named_labels(scene) | {"hat": "none", "color": "red"} for scene in SCENES]
    shares = sample_shares(found, SCENES)
    bare = [scene.hat == "none" for scene in SCENES]
    colored = [scene.color == "red" for scene in SCENES if scene.shape != "snowman"]
    assert shares["hat"] == pytest.approx(sum(bare) / 40)
    assert shares["hat_where_asked"] == 0.0
    assert shares["color"] == pytest.approx(sum(colored) / len(colored))
    assert shares["shape"] == 1.0
