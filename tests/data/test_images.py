"""Opening and resizing image files."""

import os

import numpy as np
import pytest
import torch
from PIL import Image

from piva.data.images import ImageFileError, has_alpha, image_size, read_image, resize_image


@pytest.fixture
def picture():
    return np.random.default_rng(0).integers(0, 256, (5, 7, 3), dtype=np.uint8)


def test_reading_gives_the_files_values(tmp_path, picture):
    Image.fromarray(picture).save(tmp_path / "a.png")
    image = read_image(tmp_path / "a.png")
    assert image_size(tmp_path / "a.png") == (5, 7)
    assert image.dtype == torch.float32
    assert torch.equal((image * 255).round().byte().permute(1, 2, 0), torch.from_numpy(picture))


def test_grey_palette_and_alpha_become_rgb(tmp_path, picture):
    Image.fromarray(picture[..., 0]).save(tmp_path / "grey.png")
    grey = read_image(tmp_path / "grey.png")
    assert torch.equal(grey[0], grey[2])
    assert torch.equal((grey[0] * 255).round().byte(), torch.from_numpy(picture[..., 0].copy()))
    alpha = np.concatenate([picture, np.zeros((5, 7, 1), np.uint8)], axis=2)
    Image.fromarray(alpha).save(tmp_path / "alpha.png")
    assert torch.equal((read_image(tmp_path / "alpha.png") * 255).byte().permute(1, 2, 0), torch.from_numpy(picture))


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("missing.png", None, "does not exist"),
        ("text.png", b"hello", "not a JPEG, PNG or WebP"),
        ("empty.png", b"", "the file is empty"),
    ],
)
def test_files_that_are_no_images(tmp_path, name, content, sentence):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(ImageFileError, match=sentence):
        image_size(tmp_path / name)


def test_a_folder_and_a_pipe_are_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / "pipe.png")
    with pytest.raises(ImageFileError, match="a folder, not a file"):
        read_image(tmp_path)
    with pytest.raises(ImageFileError, match="does not exist"):
        read_image(tmp_path / "pipe.png")


def test_a_truncated_file_has_a_size_but_no_pixels(tmp_path):
    Image.fromarray(np.random.default_rng(1).integers(0, 256, (64, 64, 3), dtype=np.uint8)).save(tmp_path / "a.jpg")
    whole = (tmp_path / "a.jpg").read_bytes()
    (tmp_path / "a.jpg").write_bytes(whole[: len(whole) // 2])
    assert image_size(tmp_path / "a.jpg") == (64, 64)
    with pytest.raises(ImageFileError, match="can't be decoded"):
        read_image(tmp_path / "a.jpg")


def test_resizing_keeps_constants_and_the_mean_and_stays_in_range():
    flat = torch.full((3, 512, 512), 0.3)
    torch.testing.assert_close(resize_image(flat, (64, 64)), torch.full((3, 64, 64), 0.3))
    stripes = (torch.arange(512) % 16 < 8).float().expand(3, 512, 512)  # period of 2 pixels at 64
    small = resize_image(stripes, (64, 64))
    assert small.mean().item() == pytest.approx(0.5, abs=1e-3)
    assert small.min() >= 0
    assert small.max() <= 1


def test_resizing_to_the_same_size_changes_nothing():
    image = torch.from_numpy(np.random.default_rng(2).random((3, 9, 8), dtype=np.float32))
    assert resize_image(image, (9, 8)) is image


def test_resizing_agrees_with_pillow():
    noise = np.random.default_rng(4).integers(60, 200, (96, 128, 3), dtype=np.uint8)
    image = torch.from_numpy(noise).permute(2, 0, 1).float() / 255
    pillow = np.asarray(Image.fromarray(noise).resize((32, 24), Image.Resampling.BICUBIC))
    ours = resize_image(image, (24, 32)).permute(1, 2, 0).numpy()
    assert np.abs(ours - pillow / 255).max() < 1.01 / 255  # Pillow rounds to bytes after each of its two passes


def test_opacity_is_kept_on_request(tmp_path):
    values = np.random.default_rng(0).integers(0, 256, (5, 7, 4), dtype=np.uint8)
    Image.fromarray(values).save(tmp_path / "a.png")
    image = read_image(tmp_path / "a.png", alpha=True)
    assert torch.equal((image * 255).round().byte().permute(1, 2, 0), torch.from_numpy(values))
    Image.fromarray(values[..., :3].copy()).save(tmp_path / "opaque.png")
    assert torch.equal(read_image(tmp_path / "opaque.png", alpha=True)[3], torch.ones(5, 7))
    assert (has_alpha(tmp_path / "a.png"), has_alpha(tmp_path / "opaque.png")) == (True, False)
