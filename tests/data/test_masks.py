"""Run lengths and area resizing, against slow twins and values worked out by hand."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from piva.data.masks import decode_mask, encode_mask, resize_mask


def slow_decode(runs, size):
    """PIE-Bench's own wording, one pixel at a time."""
    height, width = size
    flat = [0] * (height * width)
    for start, length in zip(runs[0::2], runs[1::2], strict=True):
        for cell in range(start, start + length):
            if cell < len(flat):
                flat[cell] = 1
    rows = [flat[row * width : (row + 1) * width] for row in range(height)]
    for row in range(height):
        for column in range(width):
            if row in (0, height - 1) or column in (0, width - 1):
                rows[row][column] = 1
    return np.array(rows, dtype=bool)


def slow_resize(mask, size):
    """Splits every pixel into new x new parts, so that each new pixel is a whole number of parts."""
    fine = np.repeat(np.repeat(mask, size[0], axis=0), size[1], axis=1)
    blocks = fine.reshape(size[0], mask.shape[0], size[1], mask.shape[1])
    return blocks.mean(axis=(1, 3)) > 0.5


def with_border(mask):
    out = mask.copy()
    out[[0, -1], :] = True
    out[:, [0, -1]] = True
    return out


def test_a_run_wraps_over_rows_and_the_border_is_set():
    mask = decode_mask([7, 5], (4, 5))
    assert mask.astype(int).tolist() == [[1, 1, 1, 1, 1], [1, 0, 1, 1, 1], [1, 1, 0, 0, 1], [1, 1, 1, 1, 1]]


def test_whole_image_and_empty_list():
    assert decode_mask([0, 262144], (512, 512)).all()
    assert decode_mask([], (512, 512)).sum() == 4 * 512 - 4


@pytest.mark.parametrize("runs", [[30, 10_000], [30, 10**30], [10**30, 1], [35, 1, 36, 4], [0, 0]])
def test_runs_past_the_end_are_clipped(runs):
    expected = slow_decode([min(number, 40) for number in runs], (6, 6))
    assert np.array_equal(decode_mask(runs, (6, 6)), expected)


@settings(max_examples=60, deadline=None)
@given(
    st.tuples(st.integers(1, 9), st.integers(1, 9)),
    st.lists(st.tuples(st.integers(0, 120), st.integers(0, 60)), max_size=8),
)
def test_decode_equals_its_slow_twin(size, pairs):
    runs = [number for pair in pairs for number in pair]  # overlapping, unsorted and empty runs included
    assert np.array_equal(decode_mask(runs, size), slow_decode(runs, size))


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.tuples(st.integers(1, 12), st.integers(1, 12)), st.floats(0, 1))
def test_encode_then_decode_is_the_mask_with_its_border(seed, size, share):
    mask = np.random.default_rng(seed).random(size) < share
    runs = encode_mask(mask)
    assert np.array_equal(decode_mask(runs, size), with_border(mask))
    assert encode_mask(with_border(mask)) == encode_mask(decode_mask(runs, size))
    assert all(type(number) is int for number in runs)


def test_encoding_writes_maximal_runs():
    assert encode_mask(np.array([[0, 1, 1], [1, 0, 1]], dtype=bool)) == [1, 3, 5, 1]
    assert encode_mask(np.zeros((3, 3), dtype=bool)) == []
    assert encode_mask(np.ones((3, 3), dtype=bool)) == [0, 9]


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), *[st.integers(1, 9)] * 4)
def test_resizing_equals_its_slow_twin(seed, height, width, new_height, new_width):
    mask = np.random.default_rng(seed).random((height, width)) < 0.5
    assert np.array_equal(resize_mask(mask, (new_height, new_width)), slow_resize(mask, (new_height, new_width)))


def test_exactly_half_is_outside_and_just_more_is_inside():
    mask = np.zeros((6, 6), dtype=bool)
    mask[:3, :3] = True  # 9 of the 9 pixels of a 2x2 result's first cell
    mask[0, 3:] = True  # 3 of 9
    mask[3:, :3] = [[1, 1, 1], [1, 1, 0], [0, 0, 0]]  # 5 of 9
    assert resize_mask(mask, (2, 2)).tolist() == [[True, False], [True, False]]
    checkers = np.indices((4, 4)).sum(0) % 2 == 0
    assert not resize_mask(checkers, (2, 2)).any()  # half of each cell


def test_the_border_alone_disappears_at_an_eighth_of_the_size():
    border = decode_mask([], (512, 512))
    assert not resize_mask(border, (64, 64)).any()


def test_integer_ratios_agree_with_average_pooling():
    mask = np.random.default_rng(3).random((64, 96)) < 0.5
    pooled = torch.nn.functional.avg_pool2d(torch.from_numpy(mask)[None, None].double(), 8)[0, 0] > 0.5
    assert np.array_equal(resize_mask(mask, (8, 12)), pooled.numpy())
