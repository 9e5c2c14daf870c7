"""Depth in a file, as depth estimators and ControlNets write it: inverse depth in [0, 1], near = 1 (white)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from piva.data.images import ImageFileError, opened


def read_depth(path: Path) -> Tensor:
    """float32 [1,H,W] in [0,1], near = 1: a PNG of 8 or 16 bits over its largest value, or an .npy [H,W] as it is.

    Raises:
        ImageFileError: there is no such file, it is neither of the two, in colour, or its numbers are not in [0, 1].
    """
    if not path.is_file():
        raise ImageFileError(f"{path}: there is no such file")
    values = _array(path) if path.suffix == ".npy" else _png(path)
    if values.ndim != 2 or values.size == 0:
        raise ImageFileError(f"{path}: depth has one number a pixel, this file has the shape {list(values.shape)}")
    if not (np.isfinite(values).all() and values.min() >= 0 and values.max() <= 1):
        raise ImageFileError(f"{path}: inverse depth lies in [0, 1], near = 1; this file has other numbers")
    return torch.from_numpy(values.astype(np.float32))[None]


def _array(path: Path) -> np.ndarray:
    try:
        values = np.load(path, allow_pickle=False)
    except Exception as problem:  # numpy's readers of headers fail in ways of their own
        raise ImageFileError(f"{path}: cannot be read as an .npy array ({problem})") from problem
    if not isinstance(values, np.ndarray) or values.dtype.kind != "f":
        raise ImageFileError(f"{path}: an .npy array of floating-point numbers is expected")
    return values


def _png(path: Path) -> np.ndarray:
    try:
        with opened(path, ("PNG",)) as image:
            mode, pixels = image.mode, np.asarray(image)
    except ImageFileError as problem:
        raise ImageFileError(f"{path}: cannot be read as a PNG or .npy file: {problem}") from problem
    if mode == "RGB" and (pixels == pixels[..., :1]).all():  # grey in three equal channels
        mode, pixels = "L", pixels[..., 0]
    if not (mode == "L" or mode.startswith("I")):
        raise ImageFileError(f"{path}: depth is a grey picture, this one is {mode}")
    return pixels.astype(np.float64) / (255 if mode == "L" else 65535)
