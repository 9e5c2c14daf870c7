"""Any picture becomes upright 8-bit RGB at the prior's size."""

import numpy as np
import pytest
import torch
from PIL import Image

from piva.data.images import ImageFileError
from piva.data.photos import fit_photo, read_photo


@pytest.mark.parametrize(
    ("mode", "colour", "pixel"),
    [
        ("RGB", (10, 20, 30), (10, 20, 30)),
        ("L", 77, (77, 77, 77)),
        ("1", 1, (255, 255, 255)),
        ("RGBA", (10, 20, 30, 0), (255, 255, 255)),
        ("RGBA", (10, 20, 30, 255), (10, 20, 30)),
        ("LA", (77, 255), (77, 77, 77)),
        ("I;16", 65535, (255, 255, 255)),
    ],
)
def test_modes(tmp_path, mode, colour, pixel):
    file = tmp_path / "a.png"
    Image.new(mode, (6, 4), colour).save(file)
    image = read_photo(file)
    assert (image.mode, image.size) == ("RGB", (6, 4))
    assert image.getpixel((0, 0)) == pixel


def test_palette_with_transparency_is_laid_on_white(tmp_path):
    picture = Image.new("P", (4, 4), 0)
    picture.putpalette([200, 0, 0] + [0] * 765)
    picture.save(tmp_path / "a.png", transparency=0)
    assert read_photo(tmp_path / "a.png").getpixel((0, 0)) == (255, 255, 255)


def test_cmyk(tmp_path):
    Image.new("CMYK", (4, 4), (0, 0, 0, 0)).save(tmp_path / "a.jpg")
    assert read_photo(tmp_path / "a.jpg").getpixel((0, 0)) == (255, 255, 255)


@pytest.mark.parametrize(("suffix", "is_read"), [("bmp", True), ("tiff", True), ("gif", True), ("ppm", False)])
def test_formats(tmp_path, suffix, is_read):
    Image.new("RGB", (4, 4), "white").save(tmp_path / f"a.{suffix}")
    if is_read:
        assert read_photo(tmp_path / f"a.{suffix}").getpixel((0, 0)) == (255, 255, 255)
    else:
        with pytest.raises(ImageFileError, match="not a PNG, JPEG, WebP, BMP, TIFF or GIF image"):
            read_photo(tmp_path / f"a.{suffix}")


def test_orientation_is_applied(tmp_path):
    picture = Image.new("RGB", (8, 4), "black")
    picture.putpixel((0, 0), (255, 255, 255))
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned a quarter to the right
    picture.save(tmp_path / "a.png", exif=exif)
    upright = read_photo(tmp_path / "a.png")
    assert upright.size == (4, 8)
    assert upright.getpixel((3, 0)) == (255, 255, 255)


@pytest.mark.parametrize("content", [None, b"", b"not an image", b"\x89PNG\r\n\x1a\n half"])
def test_what_is_no_image_is_a_sentence(tmp_path, content):
    file = tmp_path / "a.png"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(ImageFileError, match=r"a\.png"):
        read_photo(file)


def test_a_truncated_picture_is_a_sentence(tmp_path):
    file = tmp_path / "a.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)).save(file)
    file.write_bytes(file.read_bytes()[:2000])
    with pytest.raises(ImageFileError, match="the pixels can't be decoded"):
        read_photo(file)


def test_the_right_size_is_left_alone():
    image, change = fit_photo(Image.new("RGB", (8, 8), (51, 102, 255)), (8, 8), "crop")
    assert change is None
    assert torch.equal(image[:, 0, 0], torch.tensor([51, 102, 255]) / 255)


@pytest.mark.parametrize("size", [(1, 1), (3, 900), (900, 3), (65, 64), (640, 480)])
@pytest.mark.parametrize("fit", ["crop", "stretch"])
def test_any_size_becomes_the_priors(size, fit):
    image, change = fit_photo(Image.new("RGB", size, "red"), (64, 64), fit)
    assert image.shape == (3, 64, 64)
    assert image.dtype == torch.float32
    assert 0 <= image.min() <= image.max() <= 1
    assert change.startswith(f"{size[0]}x{size[1]}: ")


def test_crop_takes_the_middle_and_stretch_takes_all():
    picture = Image.new("RGB", (30, 10), "black")
    picture.paste((255, 255, 255), (10, 0, 20, 10))
    crop, said = fit_photo(picture, (10, 10), "crop")
    assert crop.min() == 1
    assert said == "30x10: cropped to its middle 10x10"
    stretched, said = fit_photo(picture, (10, 10), "stretch")
    assert stretched.mean() == pytest.approx(1 / 3, abs=0.02)
    assert said == "30x10: resized to the prior's 10x10"
