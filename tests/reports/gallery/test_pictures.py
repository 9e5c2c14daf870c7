"""Pictures beside the page: copies of what is small, thumbnails of what is not, each made once."""

import os

import numpy as np
import pytest
from PIL import Image

from reports.gallery.pictures import Pictures


@pytest.fixture
def source(tmp_path):
    """Writes a picture of noise, and says where."""

    def write(name, size, mode="RGB"):
        pixels = np.random.default_rng(size[0]).integers(0, 255, (size[1], size[0], 3), dtype=np.uint8)
        Image.fromarray(pixels).convert(mode).save(tmp_path / name)
        return tmp_path / name

    return write


def test_a_small_picture_is_copied_byte_by_byte(tmp_path, source):
    file = source("a.png", (64, 48))
    assert Pictures(tmp_path / "out", full=True).images("runs/x", [("k", file)]) == [".png"]
    assert (tmp_path / "out/pictures/runs/x/k.png").read_bytes() == file.read_bytes()
    assert not (tmp_path / "out/pictures/full").exists()


def test_a_large_one_gets_a_thumbnail_and_on_request_itself(tmp_path, source):
    file = source("a.png", (700, 350))
    assert Pictures(tmp_path / "out", full=False).images("g", [("k", file)]) == [".jpg"]
    assert Image.open(tmp_path / "out/pictures/g/k.jpg").size == (336, 168)
    assert not (tmp_path / "out/pictures/full").exists()
    assert Pictures(tmp_path / "out", full=True).images("g", [("k", file)]) == [".jpg"]
    assert (tmp_path / "out/pictures/full/g/k.png").read_bytes() == file.read_bytes()


def test_what_is_no_rgb_png_or_has_another_size_becomes_one(tmp_path, source):
    pictures = Pictures(tmp_path / "out", full=False)
    files = [("grey", source("a.png", (30, 20), "L")), ("jpeg", source("b.jpg", (30, 20)))]
    assert pictures.images("g", files, size=(16, 24)) == [".png", ".png"]
    for name in ("grey", "jpeg"):
        with Image.open(tmp_path / f"out/pictures/g/{name}.png") as image:
            assert (image.size, image.mode, image.format) == ((24, 16), "RGB", "PNG")


def test_a_file_that_is_gone_or_broken_has_no_picture(tmp_path, source):
    whole = source("a.png", (64, 64)).read_bytes()
    (tmp_path / "torn.png").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "text.png").write_text("<script>")
    files = [("none", None), ("gone", tmp_path / "gone.png"), ("torn", tmp_path / "torn.png"),
             ("text", tmp_path / "text.png")]  # fmt: skip
    assert Pictures(tmp_path / "out", full=False).images("g", files) == ["", "", "", ""]
    assert list((tmp_path / "out/pictures/g").iterdir()) == []


@pytest.mark.parametrize("size", [(64, 64), (400, 400)])
def test_pictures_that_are_there_are_left_alone_until_their_file_changes(tmp_path, source, size):
    file = source("a.png", size)
    pictures = Pictures(tmp_path / "out", full=False)
    (ending,) = pictures.images("g", [("k", file)])
    target = tmp_path / f"out/pictures/g/k{ending}"
    target.write_bytes(b"marked")
    os.utime(target, ns=(file.stat().st_mtime_ns + file.stat().st_size,) * 2)
    assert pictures.images("g", [("k", file)]) == [ending]
    assert target.read_bytes() == b"marked"
    time = file.stat().st_mtime_ns
    Image.new("RGB", size, "red").save(file)
    os.utime(file, ns=(time, time))  # another size alone will do
    pictures.images("g", [("k", file)])
    assert Image.open(target).getpixel((3, 3))[0] > 250


def test_videos_are_copied(tmp_path):
    (tmp_path / "film.mp4").write_bytes(b"film")
    files = [("a", tmp_path / "film.mp4"), ("b", tmp_path / "gone.mp4"), ("c", None)]
    assert Pictures(tmp_path / "out", full=False).films("films", files) == [".mp4", "", ""]
    assert (tmp_path / "out/pictures/films/a.mp4").read_bytes() == b"film"
