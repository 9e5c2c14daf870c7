"""Saturation, clipping and detail: by hand, against colorsys and scipy-like loops, and on known changes."""

import colorsys

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from piva.metrics.batch import FULL_MASK, NO_MASK, NO_TRUE_EDIT, Batch, Missing, ScoreInput
from piva.metrics.cache import FeatureCache
from piva.metrics.drift import (
    FLAT,
    NO_INTERIOR,
    DriftScores,
    clipped,
    clipped_fraction,
    detail_ratio,
    interior,
    laplacian_energy,
    saturation,
    saturation_shift,
)


def images(seed, *shape):
    return torch.from_numpy(np.random.default_rng(seed).random(shape, dtype=np.float32))


def edit(src, edited, mask=None, true_edit=None):
    return ScoreInput(src_image=src, edited=edited, src_prompt="", tgt_prompt="", mask=mask, true_edit=true_edit)


def score(*cases):
    return DriftScores().score(Batch(cases), FeatureCache())


def colour(*rgb):
    return torch.tensor(rgb).reshape(1, 3, 1, 1)


def test_saturation_equals_colorsys():
    image = images(0, 1, 3, 6, 7)
    image[0, :, 0, 0] = 0
    expected = [colorsys.rgb_to_hsv(*pixel)[1] for pixel in image[0].permute(1, 2, 0).reshape(-1, 3).tolist()]
    assert saturation(image).flatten().tolist() == pytest.approx(expected, abs=1e-6)


def test_saturation_of_known_colours():
    assert saturation(colour(1.0, 0.0, 0.0)).item() == 1
    assert saturation(colour(0.8, 0.4, 0.6)).item() == pytest.approx(0.5)
    assert saturation(colour(0.5, 0.5, 0.5)).item() == 0
    assert saturation(colour(0.0, 0.0, 0.0)).item() == 0


def test_the_shift_is_signed_and_scaling_brightness_is_none():
    grey, red, pale = (colour(*rgb).expand(1, 3, 4, 4) for rgb in ((0.5, 0.5, 0.5), (0.8, 0.2, 0.2), (0.4, 0.1, 0.1)))
    assert saturation_shift(red, grey).item() == pytest.approx(0.75)
    assert saturation_shift(grey, red).item() == pytest.approx(-0.75)
    assert saturation_shift(pale, red).item() == pytest.approx(0, abs=1e-6)


def test_clipping_counts_pixels_not_channels_and_means_the_stored_bytes():
    image = torch.full((1, 3, 2, 5), 0.5)
    image[0, :, 0, 0] = 0  # all three channels: one pixel
    image[0, 1, 0, 1] = 1
    image[0, 2, 1, 0] = 0.4 / 255
    image[0, 0, 1, 1] = 1 - 0.4 / 255
    image[0, 0, 1, 2] = 0.6 / 255  # stored as 1
    assert clipped(image)[0].tolist() == [[1, 1, 0, 0, 0], [1, 1, 0, 0, 0]]
    stored = (image * 255).round() / 255
    assert torch.equal(clipped(image), clipped(stored))
    assert clipped_fraction(image, torch.full_like(image, 0.5)).item() == pytest.approx(0.4)


def test_laplacian_by_hand():
    image = torch.zeros(1, 3, 3, 4)
    image[0, 0, 1, 1] = 0.5  # one channel: Laplacians -2 at its place and .5 beside it
    torch.testing.assert_close(laplacian_energy(image), torch.tensor([[[4.0, 0.25]]]) / 3)
    ramp = torch.arange(12.0).reshape(1, 1, 3, 4).expand(1, 3, 3, 4) / 12
    torch.testing.assert_close(laplacian_energy(ramp), torch.zeros(1, 1, 2), atol=1e-10, rtol=0)


def test_detail_ratio_of_contrast_blur_and_noise():
    a = images(1, 2, 3, 32, 32) * 0.5 + 0.25
    torch.testing.assert_close(detail_ratio(a, a), torch.ones(2))
    torch.testing.assert_close(detail_ratio((a - 0.5) * 0.5 + 0.5, a), torch.full((2,), 0.25))  # energy is a square
    blurred = F.avg_pool2d(a, 3, stride=1, padding=1, count_include_pad=False)
    assert (detail_ratio(blurred, a) < 0.2).all()
    assert (detail_ratio((a + 0.2 * images(2, 2, 3, 32, 32)).clamp(0, 1), a) > 1.05).all()


def test_the_interior_is_where_the_whole_cross_is_inside():
    where = images(3, 2, 9, 8) > 0.2
    ours = interior(where)
    for b in range(2):
        for y in range(7):
            for x in range(6):
                cross = [(y + 1, x + 1), (y, x + 1), (y + 2, x + 1), (y + 1, x), (y + 1, x + 2)]
                assert ours[b, y, x].item() == all(where[b, i, j].item() for i, j in cross)


def test_what_happens_inside_the_mask_does_not_touch_the_background():
    src = images(4, 3, 20, 20) * 0.8 + 0.1
    mask = torch.zeros(20, 20, dtype=torch.bool)
    mask[5:12, 4:15] = True
    values = score(edit(src, torch.where(mask, torch.tensor([1.0, 0.0, 0.0]).reshape(3, 1, 1), src), mask))
    assert values["saturation_shift_background"] == [pytest.approx(0, abs=1e-7)]
    assert values["clipped_fraction_background"] == [pytest.approx(0, abs=1e-7)]
    assert values["detail_ratio_background"] == [pytest.approx(1, abs=1e-6)]
    assert values["clipped_fraction"] == [pytest.approx(77 / 400)]
    assert values["saturation_shift"][0] > 0.05


def test_background_values_equal_loops_over_background_pixels():
    src, edited = images(5, 3, 12, 12), images(6, 3, 12, 12)
    mask = torch.zeros(12, 12, dtype=torch.bool)
    mask[2:5, 3:9] = True
    values = score(edit(src, edited, mask))
    outside = ~mask
    expected = (saturation(edited[None])[0][outside].mean() - saturation(src[None])[0][outside].mean()).item()
    assert values["saturation_shift_background"][0] == pytest.approx(expected, abs=1e-6)
    inner = interior(outside[None])[0]
    expected = (laplacian_energy(edited[None])[0][inner].mean() / laplacian_energy(src[None])[0][inner].mean()).item()
    assert values["detail_ratio_background"][0] == pytest.approx(expected, rel=1e-5)


def test_scores_to_the_true_edit_and_reasons():
    src, edited, true = images(7, 3, 8, 8), images(8, 3, 8, 8), images(9, 3, 8, 8)
    whole = torch.ones(8, 8, dtype=torch.bool)
    values = score(edit(src, edited), edit(src, edited, whole, true_edit=true))
    for name, function in (
        ("saturation_shift", saturation_shift),
        ("clipped_fraction", clipped_fraction),
        ("detail_ratio", detail_ratio),
    ):
        assert values[f"{name}_background"] == [Missing(NO_MASK), Missing(FULL_MASK)]
        assert values[f"{name}_to_true"][0] == Missing(NO_TRUE_EDIT)
        assert values[f"{name}_to_true"][1] == pytest.approx(function(edited[None], true[None]).item(), rel=1e-6)


def test_no_detail_to_compare_with():
    flat, edited = torch.full((3, 8, 8), 0.5), images(10, 3, 8, 8)
    nearly = torch.ones(8, 8, dtype=torch.bool)
    nearly[3, 3:5] = False  # no background pixel has four background neighbours
    values = score(edit(flat, edited), edit(edited, flat, nearly))
    assert values["detail_ratio"][0] == Missing(FLAT)
    assert values["detail_ratio"][1] == 0
    assert values["detail_ratio_background"][1] == Missing(NO_INTERIOR)
