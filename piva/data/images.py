"""Image files to tensors: opened carefully, and resized once; and tensors to 8-bit pictures."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image, UnidentifiedImageError
from torch import Tensor

FORMATS = ("JPEG", "PNG", "WEBP")
MAX_PIXELS = 89_478_485
"""A picture with more is refused by its header. Pillow's own limit of old: a quarter of a GiB as RGB."""


class ImageFileError(ValueError):
    """A file is missing, is no image, or is one that can't be read as 8-bit RGB."""


def image_size(path: Path) -> tuple[int, int]:
    """(H, W) from the header alone; the pixels are not decoded.

    Raises:
        ImageFileError: no such file, not a JPEG, PNG or WebP, or absurdly large.
    """
    with opened(path) as image:
        return image.height, image.width


def has_alpha(path: Path) -> bool:
    """Whether the header announces opacity.

    Raises:
        ImageFileError: as in `image_size`.
    """
    with opened(path) as image:
        return "A" in image.getbands() or "transparency" in image.info


def read_image(path: Path, alpha: bool = False) -> Tensor:
    """float32 [3, H, W] in [0, 1], or [4, H, W] with opacity last; of an animation the first frame.

    Any kind of colour becomes 8-bit RGB. Orientation tags are ignored, as PIE-Bench's evaluator and nerfstudio do.

    Args:
        alpha: keep opacity (1 where the file has none); otherwise it is dropped.

    Raises:
        ImageFileError: as in `image_size`, or the pixels are truncated or damaged.
    """
    with opened(path) as image:
        picture = from_deep(image) if is_deep(image) else image
        opacity = alpha or "transparency" in picture.info
        pixels = np.asarray(picture.convert("RGBA" if opacity else "RGB"))[..., : 4 if alpha else 3]  # [H, W, 3|4]
    return torch.from_numpy(pixels.copy()).permute(2, 0, 1).float() / 255


@contextmanager
def opened(path: Path, formats: tuple[str, ...] = FORMATS) -> Iterator[Image.Image]:
    """The picture in a file; its header is read, and in the `with` block its pixels may be.

    Raises:
        ImageFileError: no such file, empty, in another format, or with more than MAX_PIXELS; or the block fails,
            because the pixels are truncated or damaged.
    """
    with _header(path, formats) as image:
        if image.width * image.height > MAX_PIXELS:
            size = f"{image.width}x{image.height}"
            raise ImageFileError(f"the picture is {size}, too large: at most {MAX_PIXELS:,} pixels are read")
        try:
            yield image
        except Exception as problem:  # decoders fail in ways of their own on bytes from anywhere
            raise ImageFileError(f"the pixels can't be decoded ({problem})") from problem


def is_deep(image: Image.Image) -> bool:
    """Whether its pixels are grey with more than 8 bits; Pillow brings deeper colour down to 8 itself."""
    return image.mode.startswith(("I", "F"))


def from_deep(image: Image.Image) -> Image.Image:
    """8-bit grey of a picture with 16 or 32 bits, or floats, a pixel. White is the largest value of 16 bits; of floats
    1, and where 32 bits or floats are used as wide numbers, that of what they fit in.

    Raises:
        ValueError: not all its values are finite.
    """
    values = np.asarray(image).astype(np.float64)
    if not np.isfinite(values).all():
        raise ValueError("there are values that are not finite")
    sixteen = image.mode.startswith("I;16") or image.format == "PNG" or values.max() > 255
    top = 1.0 if image.mode.startswith("F") and values.max() <= 1 else 65535.0 if sixteen else 255.0
    return Image.fromarray(np.clip(values / top * 255, 0, 255).round().astype(np.uint8))


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


def _header(path: Path, formats: tuple[str, ...]) -> Image.Image:
    try:
        wrong = _no_picture(path)
        if wrong is None:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # `opened` looks at the size
                return Image.open(path, formats=formats)
    except UnidentifiedImageError as problem:
        names = " or ".join(formats).replace("WEBP", "WebP").replace(" or ", ", ", len(formats) - 2)
        raise ImageFileError(f"not a {names} image") from problem
    except Image.DecompressionBombError as problem:
        raise ImageFileError(f"the picture is too large: {problem}") from problem
    except (OSError, SyntaxError, ValueError) as problem:
        raise ImageFileError(f"can't be opened ({problem})") from problem
    raise ImageFileError(wrong)


def _no_picture(path: Path) -> str | None:
    """Why there is nothing to open, if so. What is no plain file, a named pipe say, is not opened: that might block."""
    if path.is_dir():
        return "a folder, not a file"
    if not path.is_file():
        return "the file does not exist"
    return None if path.stat().st_size else "the file is empty"
