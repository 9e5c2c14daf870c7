"""The pictures of a scene: found at the wanted size, or averaged down to it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from piva.data.images import ImageFileError, has_alpha, read_image
from piva.data.scene_files import Shot


def files_at(root: Path, shots: Sequence[Shot], downscale: int) -> list[Path]:
    """Where the shots' pictures are: in nerfstudio's `images_2/` (for 2) where it has them all, or as listed."""
    reduced = [root / f"images_{downscale}" / shot.file.name for shot in shots]
    if downscale > 1 and all(file.is_file() and file.resolve().is_relative_to(root) for file in reduced):
        return reduced
    return [shot.file for shot in shots]


def channels_of(files: Sequence[Path]) -> tuple[int, list[str]]:
    """4 where any picture has opacity, otherwise 3; and a sentence for every file that is no picture."""
    channels, problems = 3, []
    for file in files:
        try:
            channels = 4 if has_alpha(file) else channels
        except ImageFileError as problem:
            problems.append(f"{file.name}: {problem}")
    return channels, problems


def read_pictures(
    files: Sequence[Path], shots: Sequence[Shot], channels: int, downscale: int
) -> tuple[Tensor, list[str]]:
    """[V,channels,H,W] in [0,1], and what is wrong; the pictures mean nothing where something is.

    Args:
        files: of each shot, at its listed size or `downscale` times smaller.
    """
    pictures: list[Tensor] = []
    problems = []
    for file, shot in zip(files, shots, strict=True):
        shown = f"{file.parent.name}/{file.name}"
        try:
            picture = read_image(file, alpha=channels == 4)
        except ImageFileError as problem:
            problems.append(f"{shown}: {problem}")
            continue
        size, (height, width) = tuple(picture.shape[-2:]), shot.size
        if size == shot.size:
            pictures.append(reduce_picture(picture, (height // downscale, width // downscale)))
        elif abs(size[0] - height / downscale) < 1 and abs(size[1] - width / downscale) < 1:
            pictures.append(picture)
        else:
            problems.append(f"{shown} is {size[1]}x{size[0]}, its camera says {width}x{height}")
    sizes = Counter(tuple(picture.shape[-2:]) for picture in pictures)
    if len(sizes) > 1:
        counted = ", ".join(f"{count} of {width}x{height}" for (height, width), count in sizes.most_common())
        problems.append(f"the pictures have several sizes ({counted}): one size is needed")
    return (torch.zeros(0) if problems or not pictures else torch.stack(pictures)), problems


def reduce_picture(picture: Tensor, size: tuple[int, int]) -> Tensor:
    """[C,H',W'] of [C,H,W]: the mean over each pixel's area; with a fourth channel, colour is weighted by opacity."""
    if tuple(picture.shape[-2:]) == size:
        return picture
    if len(picture) == 3:
        return _mean_over_area(picture, size)
    opacity = _mean_over_area(picture[3:], size)
    colour = _mean_over_area(picture[:3] * picture[3:], size) / opacity.clamp_min(torch.finfo(torch.float32).tiny)
    return torch.cat([colour, opacity]).clamp(0, 1)


def _mean_over_area(picture: Tensor, size: tuple[int, int]) -> Tensor:
    return F.interpolate(picture[None], size=size, mode="area")[0]
