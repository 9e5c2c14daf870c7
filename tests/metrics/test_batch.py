"""What a metric is given: checked inputs, masked averages, and the feature cache."""

import numpy as np
import pytest
import torch

from piva.metrics.batch import EMPTY_MASK, FULL_MASK, NO_MASK, NO_TRUE_EDIT, Batch, Missing, ScoreInput, average


def images(seed, *shape):
    return torch.from_numpy(np.random.default_rng(seed).random(shape, dtype=np.float32))


def edit(**changes):
    fields = {"src_image": images(0, 3, 6, 8), "edited": images(1, 3, 6, 8), "src_prompt": "", "tgt_prompt": ""}
    return ScoreInput(**fields | changes)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"edited": images(1, 3, 8, 6)}, "edited is 8x6, the source 6x8: an edit must keep the source's size"),
        ({"true_edit": images(1, 3, 6, 7)}, "true_edit is 6x7"),
        ({"edited": images(1, 1, 6, 8)}, "not float32"),
        ({"edited": images(1, 3, 6, 8).double()}, "not float32"),
        ({"edited": images(1, 3, 6, 8) * 255}, "outside"),
        ({"edited": images(1, 3, 6, 8) - 0.5}, "outside"),
        ({"edited": torch.full((3, 6, 8), torch.nan)}, "not finite"),
        ({"src_image": torch.full((3, 6, 8), torch.inf)}, "not finite"),
        ({"mask": torch.ones(8, 6, dtype=torch.bool)}, "mask is torch.bool"),
        ({"mask": torch.ones(6, 8)}, "mask is torch.float32"),
    ],
)
def test_inputs_that_are_not_an_edit(changes, sentence):
    with pytest.raises(ValueError, match=sentence):
        edit(**changes)


def test_reasons_and_composites():
    mask = torch.zeros(6, 8, dtype=torch.bool)
    mask[2, 3] = True
    batch = Batch([edit(), edit(mask=mask), edit(mask=~mask | mask), edit(mask=mask & ~mask)])
    assert batch.without_background == [NO_MASK, None, FULL_MASK, None]
    assert batch.without_region == [NO_MASK, None, None, EMPTY_MASK]
    assert torch.equal(batch.outside[0], batch.edited[0])
    assert torch.equal(batch.outside[1, :, 2, 3], batch.src[1, :, 2, 3])
    assert (batch.outside[1] != batch.edited[1]).any(0).sum() == 1
    assert torch.equal(batch.outside[2], batch.src[2])


def test_true_edits_are_spread_to_their_rows():
    batch = Batch([edit(), edit(true_edit=images(5, 3, 6, 8)), edit(), edit(true_edit=images(6, 3, 6, 8))])
    assert batch.with_true == [1, 3]
    none = Missing(NO_TRUE_EDIT)
    assert batch.spread_true(torch.tensor([0.25, 0.5])) == [none, 0.25, none, 0.5]
    assert Batch([edit()]).spread_true(None) == [none]


def test_equal_images_have_equal_keys_and_others_others():
    batch = Batch([edit(), edit(), edit(src_image=images(2, 3, 6, 8))])
    assert batch.src_keys[0] == batch.src_keys[1] != batch.src_keys[2]


def test_averages():
    x = images(3, 2, 3, 4, 5)
    where = images(4, 2, 4, 5) > 0.5
    torch.testing.assert_close(average(x), x.mean((1, 2, 3)))
    torch.testing.assert_close(average(x, where), torch.stack([x[k][:, where[k]].mean() for k in range(2)]))
    torch.testing.assert_close(average(x[:, 0], where), torch.stack([x[k, 0][where[k]].mean() for k in range(2)]))
    assert average(x, where & ~where).isnan().all()
