"""The pictures of a scene: found at the wanted size, or averaged down to it."""

from __future__ import annotations

import contextlib
import math
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import psutil
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


def channels_of(files: Sequence[Path]) -> int:
    """4 where any picture has opacity, otherwise 3. What is no picture is `read_pictures`' to name."""
    for file in files:
        with contextlib.suppress(ImageFileError):
            if has_alpha(file):
                return 4
    return 3


def read_pictures(
    files: Sequence[Path], shots: Sequence[Shot], channels: int, downscale: int
) -> tuple[Tensor, list[str]]:
    """[V,channels,H,W] in [0,1], and what is wrong; the pictures mean nothing where something is.

    Args:
        files: of each shot, at its listed size or `downscale` times smaller.
    """
    if too_large := _too_large(shots, channels, downscale):
        return torch.empty(0), [too_large]
    pictures: Tensor | None = None
    sizes: Counter[tuple[int, int]] = Counter()
    problems = []
    for i, (file, shot) in enumerate(zip(files, shots, strict=True)):
        try:
            picture = _picture(file, shot, channels, downscale)
        except ImageFileError as problem:
            problems.append(f"{file.parent.name}/{file.name}: {problem}")
            continue
        height, width = picture.shape[-2:]
        sizes[height, width] += 1
        pictures = torch.empty(len(shots), *picture.shape) if pictures is None else pictures
        if len(sizes) == 1:
            pictures[i] = picture
    if len(sizes) > 1:
        counted = ", ".join(f"{count} of {width}x{height}" for (height, width), count in sizes.most_common())
        problems.append(f"the pictures have several sizes ({counted}): one size is needed")
    return torch.empty(0) if pictures is None else pictures, problems


def _too_large(shots: Sequence[Shot], channels: int, downscale: int) -> str | None:
    """Why the pictures cannot be in memory together, before one is read; None where they can."""
    wanted = sum(4 * channels * (shot.size[0] // downscale) * (shot.size[1] // downscale) for shot in shots)
    free = psutil.virtual_memory().available
    if wanted <= free:
        return None
    smaller = downscale * math.ceil(math.sqrt(wanted / max(free, 1)))
    return (
        f"{len(shots)} pictures take {wanted / 2**30:,.1f} GiB of memory, and {free / 2**30:,.1f} GiB are free: "
        f"make them smaller, as --downscale {smaller} does"
    )


def _picture(file: Path, shot: Shot, channels: int, downscale: int) -> Tensor:
    """[channels,H,W] of the shot, `downscale` times smaller than it lists.

    Raises:
        ImageFileError: the file can't be read, or is of another size.
    """
    picture = read_image(file, alpha=channels == 4)
    size, (height, width) = tuple(picture.shape[-2:]), shot.size
    if size == shot.size:
        return reduce_picture(picture, (max(1, height // downscale), max(1, width // downscale)))
    if abs(size[0] - height / downscale) < 1 and abs(size[1] - width / downscale) < 1:
        return picture
    raise ImageFileError(f"the picture is {size[1]}x{size[0]}, its camera says {width}x{height}")


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
