"""What is written is whole; what has to outlast a power cut is waited for, and an image, whose hash is kept, is not."""

import hashlib
import os

import pytest
from PIL import Image

from piva.disk import draft_of, write_atomically, write_png
from piva.records.run_files import is_temporary, writer_is_gone


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


def test_processes_of_one_number_in_two_containers_have_drafts_of_their_own(tmp_path):
    one, other = draft_of(tmp_path / "a.png"), draft_of(tmp_path / "a.png")
    assert one != other
    assert is_temporary(one.name)
    assert not writer_is_gone(one.name)
    assert writer_is_gone(one.name.replace(str(os.getpid()), "99999999"))


def test_an_image_is_not_waited_for_and_its_hash_is_the_file_s(tmp_path, waits):
    sha = write_png(tmp_path / "images" / "a.png", Image.new("RGB", (4, 4), "red"))
    assert waits == []
    assert sha == hashlib.sha256((tmp_path / "images" / "a.png").read_bytes()).hexdigest()
