"""Pictures that go wrong, and pictures of every kind of colour, as bytes."""

import io
import struct
import zlib

import numpy as np
from PIL import Image


def encoded(image: Image.Image, form: str, **options) -> bytes:
    """The picture as a file of this format."""
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()


def noise(size: int = 64) -> Image.Image:
    """A picture that no format makes small."""
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (size, size, 3), dtype=np.uint8))


def png_header(width: int, height: int) -> bytes:
    """A PNG whose header announces this size, and which has next to no pixels: a decompression bomb."""
    return _png(width, height, 8, b"\0" * 64)


def broken() -> dict[str, tuple[bytes, str]]:
    """Name of each broken file -> its bytes, and what the sentence about it says."""
    jpeg, png, webp = (encoded(noise(), form) for form in ("JPEG", "PNG", "WEBP"))
    flipped = bytearray(png)
    flipped[len(png) // 2] ^= 0xFF
    return {
        "half a JPEG": (jpeg[: len(jpeg) // 2], "the pixels can't be decoded"),
        "half a PNG": (png[: len(png) // 2], "the pixels can't be decoded"),
        "half a WebP": (webp[: len(webp) // 2], "can't be"),
        "a flipped bit": (bytes(flipped), "the pixels can't be decoded"),
        "only a signature": (png[:8], "not a"),
        "an empty file": (b"", "the file is empty"),
        "text": (b"not an image", "not a"),
        "a bomb": (png_header(20_000, 20_000), "the picture is too large: Image size (400000000 pixels) exceeds limit"),
        "a smaller bomb": (png_header(10_000, 10_000), "the picture is 10000x10000, too large: at most 89,478,485"),
    }


def turned() -> Image.Image:
    """8x4, red on the left and blue on the right, to be turned a quarter to the right: 4x8, red at the top."""
    picture = Image.new("RGB", (8, 4), (255, 0, 0))
    picture.paste((0, 0, 255), (4, 0, 8, 4))
    picture.getexif()[0x0112] = 6
    return picture


def of_every_kind() -> dict[str, tuple[bytes, tuple[int, int, int], int]]:
    """Kind -> a file of one colour, that colour as 8-bit RGB with opacity dropped, and its opacity, 0 to 255."""
    teal, palette = (10, 200, 120), Image.new("P", (6, 4), 3)
    palette.putpalette([0, 0, 0] * 3 + [10, 200, 120] + [0, 0, 0] * 252)
    cyan = Image.new("CMYK", (6, 4), (255, 0, 0, 0))
    deep = Image.fromarray(np.full((4, 6), 32_896, np.uint16))  # 128 / 255 of 65535
    dark = Image.fromarray(np.full((4, 6), 200, np.uint16))  # next to black
    frames = [Image.new("RGB", (6, 4), teal), Image.new("RGB", (6, 4), "white")]
    return {
        "RGB": (encoded(frames[0], "PNG"), teal, 255),
        "L": (encoded(Image.new("L", (6, 4), 77), "PNG"), (77, 77, 77), 255),
        "1": (encoded(Image.new("1", (6, 4), 1), "PNG"), (255, 255, 255), 255),
        "LA": (encoded(Image.new("LA", (6, 4), (77, 51)), "PNG"), (77, 77, 77), 51),
        "RGBA": (encoded(Image.new("RGBA", (6, 4), (*teal, 0)), "PNG"), teal, 0),
        "palette": (encoded(palette, "PNG"), teal, 255),
        "palette with transparency": (encoded(palette, "PNG", transparency=3), teal, 0),
        "palette with opacities": (encoded(palette, "PNG", transparency=bytes([0, 0, 0, 102])), teal, 102),
        "RGB with a transparent colour": (encoded(frames[0], "PNG", transparency=teal), teal, 0),
        "CMYK": (encoded(cyan, "JPEG", quality=100), (0, 255, 255), 255),
        "16 bits": (encoded(deep, "PNG"), (128, 128, 128), 255),
        "16 bits, dark": (encoded(dark, "PNG"), (1, 1, 1), 255),
        "16 bits of colour": (sixteen_bits_of_colour(), (0x40, 0x80, 0xC0), 255),
        "APNG": (encoded(frames[0], "PNG", save_all=True, append_images=frames[1:]), teal, 255),
        "WebP animation": (
            encoded(frames[0], "WEBP", save_all=True, append_images=frames[1:], lossless=True), teal, 255,
        ),
    }  # fmt: skip


def sixteen_bits_of_colour() -> bytes:
    """A PNG with 16 bits a channel, which Pillow reads and does not write: 0x4040, 0x8080, 0xC0C0."""
    return _png(6, 4, 16, (b"\0" + bytes([0x40, 0x40, 0x80, 0x80, 0xC0, 0xC0]) * 6) * 4)


def _png(width: int, height: int, bits: int, pixels: bytes) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, bits, 2, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(pixels)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body)) for name, body in chunks
    )
