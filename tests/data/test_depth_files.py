"""Depth in files: 8 and 16 bits, .npy; everything else is named."""

import numpy as np
import pytest
import torch
from PIL import Image

from piva.data.depth_files import read_depth
from piva.data.images import ImageFileError

DEPTH = np.array([[0.0, 0.25, 0.5], [0.75, 0.9, 1.0]])


@pytest.mark.parametrize(
    ("name", "pixels", "error"),
    [
        ("eight.png", (DEPTH * 255).round().astype(np.uint8), 0.5 / 255),
        ("grey-in-three.png", np.repeat((DEPTH * 255).round().astype(np.uint8)[..., None], 3, axis=2), 0.5 / 255),
        ("sixteen.png", (DEPTH * 65535).round().astype(np.uint16), 0.5 / 65535),
    ],
)
def test_pictures_of_depth(tmp_path, name, pixels, error):
    Image.fromarray(pixels).save(tmp_path / name)
    found = read_depth(tmp_path / name)
    assert found.dtype == torch.float32
    assert found.shape == (1, 2, 3)
    assert (found[0] - torch.from_numpy(DEPTH)).abs().max() <= error * 1.01


def test_an_array_is_taken_as_it_is(tmp_path):
    np.save(tmp_path / "depth.npy", DEPTH.astype(np.float32))
    assert torch.equal(read_depth(tmp_path / "depth.npy")[0], torch.from_numpy(DEPTH.astype(np.float32)))


@pytest.mark.parametrize(
    ("array", "reason"),
    [
        (DEPTH * 20, r"lies in \[0, 1\]"),
        (DEPTH - 0.1, r"lies in \[0, 1\]"),
        (np.full((2, 2), np.nan), r"lies in \[0, 1\]"),
        (DEPTH[None], r"has the shape \[1, 2, 3\]"),
        ((DEPTH * 255).astype(np.uint8), "floating-point numbers"),
        (np.array([{"a": 1}], dtype=object), "cannot be read as an .npy array"),
    ],
)
def test_arrays_that_are_no_depth(tmp_path, array, reason):
    np.save(tmp_path / "depth.npy", array, allow_pickle=True)
    with pytest.raises(ImageFileError, match=reason):
        read_depth(tmp_path / "depth.npy")


@pytest.mark.parametrize("shape", ["(1000000, 1000000, 1000000)", "(-1, 2)", "('a',)", "((", "x" * 20_000])
def test_an_array_whose_header_lies(tmp_path, shape):
    np.save(tmp_path / "depth.npy", DEPTH.astype(np.float32))
    whole = (tmp_path / "depth.npy").read_bytes()
    header = f"{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}".encode()
    lying = whole[:8] + len(header).to_bytes(2, "little") + header + b"\0" * 24
    for content in (lying, whole[:40], whole[:-1], b"PK\x03\x04", b""):
        (tmp_path / "depth.npy").write_bytes(content)
        with pytest.raises(ImageFileError, match=r"cannot be read as an \.npy array"):
            read_depth(tmp_path / "depth.npy")


def test_files_that_are_no_depth(tmp_path):
    with pytest.raises(ImageFileError, match="there is no such file"):
        read_depth(tmp_path / "none.png")
    Image.fromarray(np.arange(12, dtype=np.uint8).reshape(2, 2, 3)).save(tmp_path / "colour.png")
    with pytest.raises(ImageFileError, match="depth is a grey picture, this one is RGB"):
        read_depth(tmp_path / "colour.png")
    (tmp_path / "text.png").write_text("no picture")
    with pytest.raises(ImageFileError, match="cannot be read as a PNG"):
        read_depth(tmp_path / "text.png")
