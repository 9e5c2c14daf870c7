"""Every kind of picture is decoded right; every broken one is a sentence, and a bomb is refused by its header."""

import tracemalloc

import numpy as np
import pytest
import torch
from hostile_pictures import broken, encoded, of_every_kind, png_header, turned
from PIL import Image

from piva.data.depth_files import read_depth
from piva.data.images import MAX_PIXELS, ImageFileError, has_alpha, image_size, read_image
from piva.data.photos import read_photo

KINDS, BROKEN = of_every_kind(), broken()


@pytest.mark.parametrize("kind", KINDS)
def test_a_picture_of_any_kind_becomes_rgb(tmp_path, kind):
    content, colour, opacity = KINDS[kind]
    file = tmp_path / "picture"  # its name says nothing of the format
    file.write_bytes(content)
    assert image_size(file) == (4, 6)
    found = read_image(file) * 255
    assert found.shape == (3, 4, 6)
    assert (found - torch.tensor(colour)[:, None, None]).abs().max() <= (3 if kind == "CMYK" else 1e-3)
    with_opacity = read_image(file, alpha=True) * 255
    assert with_opacity.shape == (4, 4, 6)
    assert (with_opacity[3] - opacity).abs().max() < 1e-3
    assert has_alpha(file) or opacity == 255


@pytest.mark.parametrize("kind", KINDS)
def test_a_photo_of_any_kind_is_laid_on_white(tmp_path, kind):
    content, colour, opacity = KINDS[kind]
    (tmp_path / "picture").write_bytes(content)
    photo = read_photo(tmp_path / "picture")
    assert (photo.mode, photo.size) == ("RGB", (6, 4))
    wanted = [value * opacity / 255 + 255 - opacity for value in colour]
    assert np.abs(np.asarray(photo).astype(float) - wanted).max() <= (3 if kind == "CMYK" else 1)


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP"])
def test_orientation_turns_a_photo_but_no_picture_of_a_benchmark(tmp_path, form):
    """A benchmark's masks are drawn on the file's own grid."""
    picture = turned()
    (tmp_path / "a").write_bytes(encoded(picture, form, exif=picture.getexif(), quality=95))
    photo = read_photo(tmp_path / "a")
    assert photo.size == (4, 8)
    top, bottom = photo.getpixel((2, 1)), photo.getpixel((2, 6))
    assert top[0] > 200 > 60 > top[2]
    assert bottom[2] > 200 > 60 > bottom[0]
    assert image_size(tmp_path / "a") == (4, 8)
    kept = read_image(tmp_path / "a")
    assert kept[0, 2, 1] > 0.8 > 0.2 > kept[2, 2, 1]


def test_of_an_animated_gif_a_photo_has_the_first_frame(tmp_path):
    frames = [Image.new("RGB", (6, 4), colour) for colour in ((10, 200, 120), "white")]
    (tmp_path / "a.gif").write_bytes(encoded(frames[0], "GIF", save_all=True, append_images=frames[1:]))
    assert read_photo(tmp_path / "a.gif").getpixel((3, 2)) == (10, 200, 120)
    with pytest.raises(ImageFileError, match="not a JPEG, PNG or WebP image"):
        read_image(tmp_path / "a.gif")


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_picture_is_a_sentence(tmp_path, name):
    content, sentence = BROKEN[name]
    file = tmp_path / "broken.png"
    file.write_bytes(content)
    with pytest.raises(ImageFileError) as of_benchmark:
        read_image(file)
    with pytest.raises(ImageFileError) as of_photo:
        read_photo(file)
    assert sentence in str(of_benchmark.value)
    assert str(of_photo.value).startswith(f"{file}: ")
    assert sentence in str(of_photo.value)
    assert "\n" not in str(of_photo.value)


def test_a_bomb_is_refused_before_its_pixels_are_decoded(tmp_path):
    (tmp_path / "bomb.png").write_bytes(png_header(20_000, 20_000))
    tracemalloc.start()
    for read in (image_size, read_image, read_photo, read_depth):
        with pytest.raises(ImageFileError, match=r"too large: Image size .400000000 pixels."):
            read(tmp_path / "bomb.png")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2**20


def test_the_limit_is_ours_whatever_other_libraries_do_with_pillows(tmp_path, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", None)
    (tmp_path / "bomb.png").write_bytes(png_header(20_000, 20_000))
    with pytest.raises(ImageFileError, match=f"the picture is 20000x20000, too large: at most {MAX_PIXELS:,} pixels"):
        image_size(tmp_path / "bomb.png")


def test_floats_that_are_no_numbers_are_named(tmp_path):
    Image.fromarray(np.full((4, 4), np.nan, np.float32)).save(tmp_path / "a.tiff")
    with pytest.raises(ImageFileError, match="there are values that are not finite"):
        read_photo(tmp_path / "a.tiff")
    Image.fromarray(np.full((4, 4), 0.5, np.float32)).save(tmp_path / "a.tiff")
    assert read_photo(tmp_path / "a.tiff").getpixel((0, 0)) == (128, 128, 128)


def test_a_folder_a_link_to_nowhere_and_a_name_too_long(tmp_path):
    (tmp_path / "link.png").symlink_to(tmp_path / "nowhere.png")
    for path, sentence in (
        (tmp_path, "a folder, not a file"),
        (tmp_path / "link.png", "the file does not exist"),
        (tmp_path / ("x" * 300), "File name too long"),
    ):
        for read in (image_size, read_image, read_photo):
            with pytest.raises(ImageFileError, match=sentence):
                read(path)
