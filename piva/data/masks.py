"""Edit masks: PIE-Bench's run lengths, and resizing by area.

A mask is written as [start, length, start, length, ...] over the row-major array of the image's own size; 1 is the
region to edit. This is not COCO's run-length encoding. All functions are numpy only.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

BoolArray = npt.NDArray[np.bool_]


def decode_mask(runs: Sequence[int], size: tuple[int, int]) -> BoolArray:
    """Boolean [H, W], true where the image is to be edited.

    A run past the end of the array is clipped; then the outer one-pixel border is set (PIE-Bench sets it against
    annotation errors at the boundary, so every decoded mask has it).

    Args:
        runs: [start, length, ...], an even number of non-negative integers.
        size: (H, W) of the image that the mask was drawn on.
    """
    height, width = size
    cells = height * width
    pairs = zip(runs[0::2], runs[1::2], strict=True)
    clipped = np.array([(min(start, cells), min(start + length, cells)) for start, length in pairs], dtype=np.int64)
    starts, ends = clipped.reshape(-1, 2).T
    steps = np.bincount(starts, minlength=cells + 1) - np.bincount(ends, minlength=cells + 1)
    mask = (np.cumsum(steps)[:cells] > 0).reshape(height, width)
    mask[[0, -1], :] = True
    mask[:, [0, -1]] = True
    return mask


def encode_mask(mask: BoolArray) -> list[int]:
    """Run lengths of a boolean [H, W]: maximal runs in ascending order, with no border added.

    `decode_mask(encode_mask(m), m.shape)` is m with its border set.
    """
    flat = np.concatenate([[False], np.asarray(mask, dtype=bool).ravel(), [False]])
    edges = np.flatnonzero(flat[1:] != flat[:-1])
    starts, ends = edges[0::2], edges[1::2]
    return np.stack([starts, ends - starts], axis=1).ravel().tolist()


def resize_mask(mask: BoolArray, size: tuple[int, int]) -> BoolArray:
    """The mask at another size: a new pixel is set when more than half of its area was.

    Areas are exact for any ratio of sizes: pixels are measured in units of 1 / (old x new) of the side, so that every
    overlap is an integer, and the products stay below 2^53.

    Args:
        mask: boolean [H, W].
        size: (H', W') of the result.
    """
    height, width = mask.shape
    if (height, width) == tuple(size):
        return mask.copy()
    covered = _overlaps(height, size[0]) @ mask.astype(np.float64) @ _overlaps(width, size[1]).T  # [H', W']
    return 2 * covered > height * width


def _overlaps(old: int, new: int) -> npt.NDArray[np.float64]:
    """[new, old]: how much of each old pixel lies in each new one, in units of 1 / (old x new) of the side."""
    left_new, left_old = np.arange(new)[:, None] * old, np.arange(old)[None, :] * new
    overlap = np.minimum(left_new + old, left_old + new) - np.maximum(left_new, left_old)
    return np.maximum(overlap, 0).astype(np.float64)
