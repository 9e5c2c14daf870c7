"""Image files to tensors: opened carefully, and resized once; and tensors to 8-bit pictures."""

import warnings
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image, UnidentifiedImageError
from torch import Tensor

FORMATS = ("JPEG", "PNG", "WEBP")
EIGHT_BIT_MODES = frozenset({"1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr"})


class ImageFileError(ValueError):
    """A file is missing, is no image, or is one that can't be read as 8-bit RGB."""


def image_size(path: Path) -> tuple[int, int]:
    """(H, W) from the header alone; the pixels are not decoded.

    Raises:
        ImageFileError: no such file, not a JPEG, PNG or WebP, more than 8 bits a channel, or absurdly large.
    """
    with _opened(path) as image:
        return image.height, image.width


def has_alpha(path: Path) -> bool:
    """Whether the header announces opacity.

    Raises:
        ImageFileError: as in `image_size`.
    """
    with _opened(path) as image:
        return "A" in image.getbands() or "transparency" in image.info


def read_image(path: Path, alpha: bool = False) -> Tensor:
    """float32 [3, H, W] in [0, 1], or [4, H, W] with opacity last; orientation tags are ignored, as PIE-Bench's
    evaluator and nerfstudio do.

    Args:
        alpha: keep opacity (1 where the file has none); otherwise it is dropped.

    Raises:
        ImageFileError: as in `image_size`, or the pixels are truncated or damaged.
    """
    with _opened(path) as image:
        try:
            pixels = np.asarray(image.convert("RGBA" if alpha else "RGB"))  # [H, W, 3|4] uint8
        except (OSError, SyntaxError, ValueError) as problem:
            raise ImageFileError(f"the pixels can't be decoded ({problem})") from problem
    return torch.from_numpy(pixels.copy()).permute(2, 0, 1).float() / 255


def resize_image(image: Tensor, size: tuple[int, int]) -> Tensor:
    """float32 [3, H', W'] in [0, 1]: antialiased bicubic, clamped; the image itself where the size is right already.

    Args:
        image: [3, H, W] in [0, 1].
        size: (H', W').
    """
    if tuple(image.shape[-2:]) == tuple(size):
        return image
    resized = F.interpolate(image[None], size=tuple(size), mode="bicubic", antialias=True, align_corners=False)
    return resized[0].clamp(0, 1)


def to_eight_bits(image: Tensor) -> Tensor:
    """[3, H, W] in [0, 1], rounded to the values that an 8-bit file can hold."""
    return (image.detach().float().cpu().clamp(0, 1) * 255).round() / 255


def to_pil(image: Tensor) -> Image.Image:
    """An 8-bit RGB image of [3, H, W] in [0, 1]."""
    pixels = (to_eight_bits(image) * 255).round().byte()
    return Image.fromarray(pixels.permute(1, 2, 0).contiguous().numpy())


def bottom_right(image: Tensor, side: int = 512) -> Tensor:
    """What PIE-Bench's evaluator scores of an edit that is not square: [3, side, side] of it; a square one as it is.

    Methods save strips that end with the edit. (evaluation/evaluate.py of PnP Inversion's code.)

    Raises:
        ValueError: it is not square, and smaller than that on a side.
    """
    height, width = image.shape[-2:]
    if height == width:
        return image
    if min(height, width) < side:
        raise ValueError(f"the edit is {width}x{height}: neither square nor with a corner of {side}x{side} to score")
    return image[..., -side:, -side:]


def _opened(path: Path) -> Image.Image:
    if not path.is_file():  # also keeps a named pipe from blocking the open
        raise ImageFileError("the file does not exist")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            image = Image.open(path, formats=FORMATS)
    except UnidentifiedImageError as problem:
        raise ImageFileError("not a JPEG, PNG or WebP image") from problem
    except (Image.DecompressionBombWarning, Image.DecompressionBombError) as problem:
        raise ImageFileError("too many pixels to be an image of a benchmark") from problem
    except (OSError, SyntaxError, ValueError) as problem:
        raise ImageFileError(f"can't be opened ({problem})") from problem
    if image.mode not in EIGHT_BIT_MODES:
        mode = image.mode
        image.close()
        raise ImageFileError(f"mode {mode} is not 8-bit colour or grey")
    return image
