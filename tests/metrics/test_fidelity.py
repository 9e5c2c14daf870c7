"""MSE, PSNR, SSIM: by hand, against torchmetrics and scikit-image, and over the background only."""

import numpy as np
import pytest
import torch
from skimage.metrics import peak_signal_noise_ratio as skimage_psnr
from skimage.metrics import structural_similarity as skimage_ssim
from torchmetrics.functional import mean_squared_error
from torchmetrics.functional.image import (
    peak_signal_noise_ratio,
    structural_similarity_index_measure,
)

from piva.metrics.batch import EMPTY_MASK, FULL_MASK, NO_MASK, NO_TRUE_EDIT, Batch, Missing, ScoreInput
from piva.metrics.cache import FeatureCache
from piva.metrics.fidelity import EQUAL, TOO_SMALL, FidelityScores, mse, psnr, ssim


def images(seed, *shape):
    return torch.from_numpy(np.random.default_rng(seed).random(shape, dtype=np.float32))


@pytest.fixture
def pair():
    a = images(0, 3, 3, 24, 32)
    return a, (a + 0.3 * images(1, 3, 3, 24, 32) - 0.1).clamp(0, 1)


def square_mask(size=(24, 32), rows=slice(6, 14), columns=slice(8, 20)):
    mask = torch.zeros(size, dtype=torch.bool)
    mask[rows, columns] = True
    return mask


def edit(src, edited, mask=None, true_edit=None):
    return ScoreInput(src_image=src, edited=edited, src_prompt="", tgt_prompt="", mask=mask, true_edit=true_edit)


def score(*cases):
    return FidelityScores().score(Batch(cases), FeatureCache())


def test_by_hand():
    a, b = torch.zeros(1, 3, 2, 2), torch.zeros(1, 3, 2, 2)
    b[0, 0, 0, 0] = 0.6  # one of 12 values
    assert mse(a, b).item() == pytest.approx(0.36 / 12)
    assert psnr(a, b).item() == pytest.approx(10 * np.log10(12 / 0.36), rel=1e-6)
    where = torch.tensor([[[True, True], [False, False]]])
    assert mse(a, b, where).item() == pytest.approx(0.36 / 6)
    assert mse(a, b, ~where).item() == 0
    assert psnr(a, a).item() == float("inf")


def test_psnr_and_ssim_equal_torchmetrics_row_by_row(pair):
    a, b = pair
    expected = [peak_signal_noise_ratio(b[k : k + 1], a[k : k + 1], data_range=1.0).item() for k in range(3)]
    assert psnr(b, a).tolist() == pytest.approx(expected, rel=1e-5)
    expected = structural_similarity_index_measure(b, a, data_range=1.0, reduction="none")
    torch.testing.assert_close(ssim(b, a), expected)


def test_scores_of_a_batch_are_torchmetrics_own(pair):
    """Whole, and MSE and PSNR of the pixels outside a mask by themselves; the true edit is another image."""
    src, edited = pair
    masks = [square_mask(), square_mask(rows=slice(0, 12)), square_mask(columns=slice(0, 3))]
    true = images(7, 3, 24, 32)
    found = score(*(edit(a, b, mask, true) for a, b, mask in zip(src, edited, masks, strict=True)))
    whole = structural_similarity_index_measure(edited, src, data_range=1.0, reduction="none").tolist()
    assert found["ssim"] == pytest.approx(whole, rel=1e-5)
    for k, mask in enumerate(masks):
        pairs = {"": (edited[k], src[k]), "_background": (edited[k][:, ~mask], src[k][:, ~mask])}
        for where, (b, a) in pairs.items():
            assert found["mse" + where][k] == pytest.approx(mean_squared_error(b, a).item(), rel=1e-5)
            expected = peak_signal_noise_ratio(b, a, data_range=1.0).item()
            assert found["psnr" + where][k] == pytest.approx(expected, rel=1e-5)
        expected = peak_signal_noise_ratio(edited[k], true, data_range=1.0).item()
        assert found["psnr_to_true"][k] == pytest.approx(expected, rel=1e-5)


def test_in_the_official_profile_background_scores_are_torchmetrics_of_blackened_images(pair):
    src, edited, mask = pair[0][0], pair[1][0], square_mask()
    found = FidelityScores("official").score(Batch([edit(src, edited, mask)]), FeatureCache())
    b, a = (image[None] * ~mask for image in (edited, src))
    assert found["mse_background"] == [pytest.approx(mean_squared_error(b, a).item(), rel=1e-5)]
    assert found["psnr_background"] == [pytest.approx(peak_signal_noise_ratio(b, a, data_range=1.0).item(), rel=1e-5)]
    expected = structural_similarity_index_measure(b, a, data_range=1.0).item()
    assert found["ssim_background"] == [pytest.approx(expected, rel=1e-5)]


def test_psnr_and_ssim_equal_scikit_image(pair):
    a, b = (x[0].permute(1, 2, 0).double().numpy() for x in pair)
    assert psnr(pair[1], pair[0])[0].item() == pytest.approx(skimage_psnr(a, b, data_range=1.0), rel=1e-5)
    _, per_pixel = skimage_ssim(
        a, b, data_range=1.0, channel_axis=2, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, full=True
    )
    inner = torch.zeros(1, 24, 32, dtype=torch.bool)
    inner[:, 5:-5, 5:-5] = True  # where no window leaves the image: the two pad differently
    ours = ssim(pair[1][:1], pair[0][:1], inner).item()
    assert ours == pytest.approx(per_pixel[5:-5, 5:-5].mean(), abs=1e-5)


def test_the_background_is_averaged_over_the_background_only(pair):
    src, edited = pair[0][0], pair[1][0]
    mask = square_mask()
    values = score(edit(src, edited, mask))
    difference = ((src - edited) ** 2).numpy()[:, ~mask.numpy()]
    assert values["mse_background"][0] == pytest.approx(difference.mean(), rel=1e-5)
    assert values["psnr_background"][0] == pytest.approx(-10 * np.log10(difference.mean()), rel=1e-5)
    restored = torch.where(mask, src, edited)
    _, per_pixel = structural_similarity_index_measure(
        restored[None], src[None], data_range=1.0, reduction="none", return_full_image=True
    )
    assert values["ssim_background"][0] == pytest.approx(per_pixel[0][:, ~mask].mean().item(), rel=1e-5)


def test_an_edit_inside_the_mask_alone_leaves_the_background_perfect(pair):
    src, mask = pair[0][0], square_mask()
    values = score(edit(src, torch.where(mask, 1 - src, src), mask))
    assert values["mse_background"] == [0.0]
    assert values["psnr_background"] == [Missing(EQUAL)]
    assert values["ssim_background"] == [pytest.approx(1.0, abs=1e-6)]
    assert values["ssim"][0] < 0.9


def test_an_empty_mask_makes_background_and_whole_the_same(pair):
    values = score(edit(pair[0][0], pair[1][0], torch.zeros(24, 32, dtype=torch.bool)))
    for name in ("mse", "psnr", "ssim"):
        assert values[f"{name}_background"] == pytest.approx(values[name], rel=1e-5)


def test_every_missing_value_has_its_reason(pair):
    a, b = pair
    whole = torch.ones(24, 32, dtype=torch.bool)
    values = score(edit(a[0], b[0]), edit(a[1], b[1], whole), edit(a[2], a[2], square_mask(), true_edit=b[2]))
    for name in ("mse_background", "psnr_background", "ssim_background"):
        assert values[name][:2] == [Missing(NO_MASK), Missing(FULL_MASK)]
    assert values["psnr"][2] == Missing(EQUAL)
    assert values["psnr_to_true"][:2] == [Missing(NO_TRUE_EDIT)] * 2
    assert values["psnr_to_true"][2] == pytest.approx(psnr(a[2:], b[2:]).item())
    assert EMPTY_MASK not in {
        value.reason for column in values.values() for value in column if isinstance(value, Missing)
    }


def test_a_tiny_image_has_no_ssim_but_the_rest():
    a = images(3, 3, 5, 8)
    values = score(edit(a, 1 - a))
    assert values["ssim"] == [Missing(TOO_SMALL)]
    assert values["mse"][0] == pytest.approx(((2 * a - 1) ** 2).mean().item())
    six = images(4, 3, 6, 6)
    assert score(edit(six, six))["ssim"] == [pytest.approx(1.0)]
