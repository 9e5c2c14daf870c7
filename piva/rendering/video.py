"""Views as a video: H.264 in an mp4 that any player and browser shows."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import imageio.v2 as imageio
import torch
import torch.nn.functional as F
from torch import Tensor

from piva.data.images import to_eight_bits

LEAST_SIDE = 256
"""Pixels; smaller frames are enlarged, for a player would blur them."""
GAP = 4
"""White columns between videos that stand side by side, before they are enlarged."""


def turntable(file: Path, views: Sequence[Tensor], fps: float = 24) -> None:
    """Writes stacks of the same cameras' views as one video, side by side: original | edit.

    Args:
        views: stacks [V, 3, H, W] in [0, 1], of one size, from left to right.
        fps: views a second.
    """
    white = torch.ones(*views[0].shape[:3], GAP)
    columns = [column for stack in views for column in (white, stack.detach().float().cpu())]
    write_video(file, torch.cat(columns[1:], dim=3), fps)


def write_video(file: Path, frames: Tensor, fps: float = 24) -> None:
    """Writes frames [V, 3, H, W] in [0, 1] as an mp4 (libx264, yuv420p).

    Frames of less than 256 pixels a side are enlarged a whole number of times, with hard pixels; an odd side is
    lengthened by its last row or column, since yuv420p halves its colours.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    settings = {"codec": "libx264", "pixelformat": "yuv420p", "macro_block_size": 1, "quality": 8}
    writer: Any = imageio.get_writer(file, format="FFMPEG", fps=fps, **settings)  # type: ignore[arg-type]
    with writer:
        for frame in frames:
            pixels = (_playable(to_eight_bits(frame)) * 255).round().byte()
            writer.append_data(pixels.permute(1, 2, 0).contiguous().numpy())


def _playable(frame: Tensor) -> Tensor:
    """[3, H', W'] of [3, H, W]: both sides even and at least 256 pixels."""
    times = -(-LEAST_SIDE // min(frame.shape[1:]))
    large = frame.repeat_interleave(times, dim=1).repeat_interleave(times, dim=2)
    height, width = large.shape[1:]
    return F.pad(large[None], (0, width % 2, 0, height % 2), mode="replicate")[0]
