import pytest
import torch

from piva.toybox.models import augment
from piva.toybox.models.training import keyed_generator

PICTURES = torch.rand((16, 3, 64, 64), generator=keyed_generator("pictures"))


@pytest.mark.parametrize(
    "step", [augment.distort, augment.mirror, augment.soften, augment.stain, augment.grain, augment.relight]
)
def test_same_generator_same_pictures(step) -> None:
    first, again = (step(PICTURES, keyed_generator("a")) for _ in range(2))
    assert torch.equal(first, again)
    assert not torch.equal(first, step(PICTURES, keyed_generator("b")))
    assert first.shape == PICTURES.shape


def test_distorted_pictures_stay_in_range_and_near() -> None:
    moved = augment.distort(PICTURES.mul(0.2).add(0.4), keyed_generator("a"), mirrored=False)
    assert moved.min() >= 0
    assert moved.max() <= 1
    assert (moved.mean(dim=(1, 2, 3)) - 0.5).abs().max() < 0.13


def test_shift_moves_by_at_most_so_many_pixels() -> None:
    dots = torch.zeros(64, 1, 9, 9)
    dots[:, :, 4, 4] = 1
    moved = augment.shift(dots, 2, keyed_generator("s"))
    rows, columns = moved[:, 0].amax(2).argmax(1), moved[:, 0].amax(1).argmax(1)
    assert set(rows.tolist()) == {2, 3, 4, 5, 6} == set(columns.tolist())


def test_softening_keeps_flat_pictures_and_lowers_contrast() -> None:
    flat = torch.full((4, 3, 8, 8), 0.3)
    assert torch.allclose(augment.soften(flat, keyed_generator("f")), flat)
    assert augment.soften(PICTURES, keyed_generator("f")).std() < PICTURES.std()


def test_black_out_leaves_a_box() -> None:
    ones = torch.ones(32, 3, 64, 64)
    none, everyone = (augment.black_out(ones, share, keyed_generator("b")) for share in (0.0, 1.0))
    assert torch.equal(none, ones)
    assert (everyone[:, :, 32, 32] == 1).all()
    assert (everyone[:, :, [0, 0, -1, -1], [0, -1, 0, -1]] == 0).all()
    box = everyone[:, 0].amax(2).sum(1) * everyone[:, 0].amax(1).sum(1)  # rows x columns
    assert torch.equal(box, everyone[:, 0].sum(dim=(1, 2)))
