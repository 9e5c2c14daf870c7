"""Run-length masks against a slow twin, and on any numbers."""

import numpy as np
from hypothesis import example, given
from hypothesis import strategies as st
from json_values import STEADY

from piva.data.json_files import JsonObject
from piva.data.masks import decode_mask, encode_mask, resize_mask
from piva.data.pie_bench_checks import check_entry, check_runs

SIZES = st.tuples(st.integers(1, 9), st.integers(1, 9))
RUNS = st.lists(st.tuples(st.integers(0, 100), st.integers(0, 100)), max_size=12).map(
    lambda runs: [number for run in runs for number in run]
)
HUGE = st.lists(st.integers(0, 10**30), max_size=8).map(lambda numbers: numbers[: len(numbers) // 2 * 2])


def slow_decode(runs, size):
    """PIE-Bench's own way, cell by cell."""
    height, width = size
    flat = [False] * (height * width)
    for start, length in zip(runs[::2], runs[1::2], strict=True):
        for cell in range(start, min(start + length, len(flat))):
            flat[cell] = True
    mask = np.array(flat).reshape(height, width)
    mask[0], mask[-1], mask[:, 0], mask[:, -1] = True, True, True, True
    return mask


@STEADY
@given(RUNS | HUGE, SIZES)
@example([0, 10**4000], (3, 3))
def test_it_decodes_as_its_slow_twin(runs, size):
    assert np.array_equal(decode_mask(runs, size), slow_decode(runs, size))


@STEADY
@given(st.lists(st.booleans(), min_size=1, max_size=64), st.integers(1, 8))
def test_encoding_and_decoding_is_the_mask_with_its_border(cells, width):
    height = max(1, len(cells) // width)
    mask = np.resize(np.array(cells), (height, width))
    runs = encode_mask(mask)
    assert all(length > 0 for length in runs[1::2])
    assert check_runs(tuple(runs), (height, width)) == []
    bordered = mask.copy()
    bordered[[0, -1]] = True
    bordered[:, [0, -1]] = True
    assert np.array_equal(decode_mask(runs, (height, width)), bordered)


@STEADY
@given(st.lists(st.one_of(st.integers(), st.integers(0, 90), st.floats(), st.booleans(), st.text(max_size=3))), SIZES)
def test_any_list_is_decoded_or_refused_with_its_first_bad_number(numbers, size):
    _, wrong = check_entry(JsonObject([("mask", numbers)]), "0")
    about = [sentence for sentence in wrong if sentence.startswith("mask")]
    bad = [i for i, number in enumerate(numbers) if type(number) is not int or number < 0]
    if len(numbers) % 2:
        assert about == [f"mask has {len(numbers)} numbers; [start, length, ...] needs an even count"]
    elif bad:
        assert len(about) == 1
        assert about[0].startswith(f"mask[{bad[0]}] is ")
    else:
        assert about == []
        past = [i for i in range(0, len(numbers), 2) if numbers[i] >= size[0] * size[1] and numbers[i + 1]]
        assert [sentence.partition("]")[0] for sentence in check_runs(tuple(numbers), size)] == [
            f"mask[{i}" for i in past[:1]
        ]
        assert np.array_equal(decode_mask(numbers, size), slow_decode(numbers, size))


@STEADY
@given(RUNS, SIZES, SIZES)
def test_resizing_keeps_a_whole_and_an_empty_mask(runs, size, other):
    mask = decode_mask(runs, size)
    resized = resize_mask(mask, other)
    assert resized.shape == other
    assert resize_mask(np.ones_like(mask), other).all()
    assert not resize_mask(np.zeros_like(mask), other).any()
    assert np.array_equal(resize_mask(~mask, other) & resized, np.zeros(other, bool))
