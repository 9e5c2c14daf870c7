"""Anyone's picture as a model wants it: upright, 8-bit RGB, at the model's size."""

import warnings
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor

from piva.data.images import ImageFileError, resize_image

Fit = Literal["crop", "stretch"]
FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "TIFF", "GIF")
"""What is read; Pillow's other decoders never see a file."""


def read_photo(path: Path) -> Image.Image:
    """An upright RGB image: EXIF orientation applied, transparency laid on white, 16 bits brought down to 8.

    Of an animation, the first frame.

    Raises:
        ImageFileError: there is no such file, or it cannot be read as an image.
    """
    if not path.is_file():
        raise ImageFileError(f"{path}: there is no such file")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path, formats=FORMATS) as opened:
                upright = ImageOps.exif_transpose(opened)
                upright.load()
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError, Image.DecompressionBombWarning) as problem:
        raise ImageFileError(f"{path}: cannot be read as an image ({problem})") from problem
    if upright.mode.startswith(("I", "F")):
        return _from_deep(upright)
    if "A" in upright.getbands() or "transparency" in upright.info:
        picture = upright.convert("RGBA")
        white = Image.new("RGBA", picture.size, "white")
        return Image.alpha_composite(white, picture).convert("RGB")
    return upright.convert("RGB")


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


def _from_deep(image: Image.Image) -> Image.Image:
    """8-bit RGB of a picture with 16 or 32 bits, or floats, a pixel."""
    values = np.asarray(image).astype(np.float64)
    top = 1.0 if image.mode.startswith("F") and values.max() <= 1 else 65535.0 if values.max() > 255 else 255.0
    pixels = np.clip(values / top * 255, 0, 255).round().astype(np.uint8)
    return Image.fromarray(pixels).convert("RGB")


def _to_tensor(image: Image.Image) -> Tensor:
    return torch.from_numpy(np.asarray(image).copy()).permute(2, 0, 1).float() / 255
