"""Anyone's picture as a model wants it: upright, 8-bit RGB, at the model's size."""

from pathlib import Path
from typing import Literal

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor

from piva.data.images import ImageFileError, from_deep, is_deep, opened, resize_image

Fit = Literal["crop", "stretch"]
FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "TIFF", "GIF")
"""What is read; Pillow's other decoders never see a file."""


def read_photo(path: Path) -> Image.Image:
    """An upright RGB image: EXIF orientation applied, transparency laid on white, 16 bits brought down to 8.

    Of an animation, the first frame.

    Raises:
        ImageFileError: there is no such file, or it cannot be read as an image.
    """
    try:
        with opened(path, FORMATS) as image:
            return _on_white(ImageOps.exif_transpose(image))
    except ImageFileError as problem:
        raise ImageFileError(f"{path}: {problem}") from problem


def _on_white(picture: Image.Image) -> Image.Image:
    """8-bit RGB; white where it is transparent."""
    if is_deep(picture):
        return from_deep(picture).convert("RGB")
    if "A" in picture.getbands() or "transparency" in picture.info:
        opaque = Image.new("RGBA", picture.size, "white")
        return Image.alpha_composite(opaque, picture.convert("RGBA")).convert("RGB")
    return picture.convert("RGB")


def fit_photo(image: Image.Image, size: tuple[int, int], fit: Fit) -> tuple[Tensor, str | None]:
    """(float32 [3, H, W] in [0, 1], what was done to the picture or None where it has the size already).

    Args:
        size: (H, W).
        fit: crop the middle part that has the wanted shape first, or stretch the whole picture.
    """
    height, width = size
    if image.size == (width, height):
        return _to_tensor(image), None
    steps = []
    given = f"{image.width}x{image.height}"
    left, top, box_width, box_height = _middle((image.height, image.width), size, fit)
    if (box_width, box_height) != image.size:
        image = image.crop((left, top, left + box_width, top + box_height))
        steps.append(f"cropped to its middle {box_width}x{box_height}")
    if image.size != (width, height):
        steps.append(f"resized to the prior's {width}x{height}")
    return resize_image(_to_tensor(image), size), f"{given}: " + ", ".join(steps)


def fit_depth(depth: Tensor, size: tuple[int, int], fit: Fit) -> Tensor:
    """Depth [1,H',W'] of a photo as `fit_photo` fits that: [1,H,W]."""
    left, top, width, height = _middle((depth.shape[-2], depth.shape[-1]), size, fit)
    return resize_image(depth[:, top : top + height, left : left + width], size)


def _middle(given: tuple[int, int], size: tuple[int, int], fit: Fit) -> tuple[int, int, int, int]:
    """left, top, width and height of the part of a picture of (H, W) `given` that is kept for one of `size`."""
    (given_height, given_width), (height, width) = given, size
    if fit == "stretch" or given_width * height == given_height * width:
        return 0, 0, given_width, given_height
    scale = min(given_width / width, given_height / height)
    box_width, box_height = max(1, round(width * scale)), max(1, round(height * scale))
    return (given_width - box_width) // 2, (given_height - box_height) // 2, box_width, box_height


def _to_tensor(image: Image.Image) -> Tensor:
    return torch.from_numpy(np.asarray(image).copy()).permute(2, 0, 1).float() / 255
