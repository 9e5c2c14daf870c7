"""Sparse point clouds in PLY files, ascii or binary."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from plyfile import PlyData, PlyParseError
from torch import Tensor

COLORS = ("red", "green", "blue")


class PointCloudError(ValueError):
    """A file is no PLY file, or has no points."""


def read_points(path: Path) -> tuple[Tensor, Tensor | None]:
    """Positions [N,3] as they are, and colours [N,3] in [0,1] or None where the file has none.

    Raises:
        PointCloudError: the file can't be read as PLY, has no vertices with x, y and z, or numbers that are not finite.
    """
    try:
        vertices = PlyData.read(path, mmap=False)["vertex"].data
        positions = np.stack([vertices[axis] for axis in "xyz"], axis=-1).astype(np.float32)
        channels = [vertices[channel] for channel in COLORS if channel in vertices.dtype.names]
        colours = np.stack(channels, axis=-1) if len(channels) == len(COLORS) else None
        full = 255 if colours is not None and colours.dtype.kind in "ui" else 1
        colours = None if colours is None else (colours / full).astype(np.float32)
    except (PlyParseError, OSError, ValueError, KeyError, TypeError, MemoryError) as problem:
        raise PointCloudError(f"can't be read as a PLY file with vertices ({problem})") from problem
    if not np.isfinite(positions).all():
        raise PointCloudError(f"{(~np.isfinite(positions).all(-1)).sum()} points are not finite")
    return torch.from_numpy(positions), None if colours is None else torch.from_numpy(colours).clamp(0, 1)
