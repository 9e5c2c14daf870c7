"""What is written is whole; what has to outlast a power cut is waited for, and an image, whose hash is kept, is not."""

import hashlib
import os

import pytest
from PIL import Image

from piva.disk import write_atomically, write_png


@pytest.fixture
def waits(monkeypatch):
    """Handles that were waited for."""
    waits, real = [], os.fsync
    monkeypatch.setattr(os, "fsync", lambda handle: (waits.append(handle), real(handle)))
    return waits


def test_a_file_is_waited_for_unless_told_otherwise(tmp_path, waits):
    write_atomically(tmp_path / "a", b"1")
    assert len(waits) == 1
    write_atomically(tmp_path / "a", b"22", wait=False)
    assert len(waits) == 1
    assert (tmp_path / "a").read_bytes() == b"22"
    assert os.listdir(tmp_path) == ["a"]


def test_an_image_is_not_waited_for_and_its_hash_is_the_file_s(tmp_path, waits):
    sha = write_png(tmp_path / "images" / "a.png", Image.new("RGB", (4, 4), "red"))
    assert waits == []
    assert sha == hashlib.sha256((tmp_path / "images" / "a.png").read_bytes()).hexdigest()
