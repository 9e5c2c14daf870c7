"""Pictures that cannot be read are found without decoding those that can."""

import os
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from harness_world import case_file, write_bench
from PIL import Image
from scene_world import write_scenes

from benchmarks.preflight import readable
from benchmarks.preflight.readable import unreadable, unreadable_pictures, unreadable_scenes
from piva.data.edits import find_edits, read_edits
from piva.data.pie_bench import read

PIXELS = np.random.default_rng(0).integers(0, 256, (24, 24, 3), dtype=np.uint8)


@pytest.fixture
def decoded(monkeypatch):
    """The names of the files that were decoded."""
    seen, real = [], readable.read_image
    monkeypatch.setattr(readable, "read_image", lambda path: (seen.append(path.name), real(path))[1])
    return seen


@pytest.mark.parametrize("kind", ["png", "jpg", "webp"])
def test_what_is_cut_short_is_found_and_what_is_whole_is_not_decoded(tmp_path, decoded, kind):
    whole, cut, empty = (tmp_path / f"{name}.{kind}" for name in ("whole", "cut", "empty"))
    Image.fromarray(PIXELS).save(whole)
    cut.write_bytes(whole.read_bytes()[:-100])
    empty.touch()
    found = unreadable([whole, cut, empty, tmp_path / f"none.{kind}"])
    assert [path.name for path in found] == [f"cut.{kind}", f"empty.{kind}", f"none.{kind}"]
    assert found[empty] == "the file is empty"
    assert "cut.png" not in found[cut]
    assert f"whole.{kind}" not in decoded


def test_bytes_after_the_end_of_a_picture_are_no_fault(tmp_path, decoded):
    files = [tmp_path / "little.jpg", tmp_path / "much.jpg", tmp_path / "much.png"]
    for file in files:
        Image.fromarray(PIXELS).save(file)
        with file.open("ab") as opened:
            opened.write(b"\0" * (10 if file.stem == "little" else 1000))
    assert unreadable(files) == {}
    assert decoded == ["much.jpg", "much.png"]


def test_each_case_is_told_what_is_wrong_with_its_picture(tmp_path):
    root = write_bench(tmp_path / "bench", 6)
    true_edit = root / "true_edits" / "4" / "000000000004.png"
    true_edit.parent.mkdir(parents=True)
    Image.open(case_file(root, 4)).save(true_edit)
    cases = read(root)
    case_file(root, 1).unlink()
    os.truncate(true_edit, 50)
    os.truncate(case_file(root, 3), 50)
    found = unreadable_pictures(cases)
    assert list(found) == ["000000000001", "000000000003", "000000000004"]
    assert found["000000000001"] == "the file does not exist"
    assert found["000000000004"].startswith("its true edit: the pixels can't be decoded")


def test_a_fault_that_the_reader_found_is_told_as_it_is(tmp_path):
    root = write_bench(tmp_path / "bench", 2)
    case_file(root, 1).write_bytes(b"no picture")
    found = unreadable_pictures(read(root, lenient=True))
    assert list(found) == ["000000000001"]
    assert "not a PNG" in found["000000000001"] or "not a JPEG" in found["000000000001"]


def test_all_edits_of_a_scene_share_its_fault(tmp_path):
    root = write_scenes(tmp_path / "data", scenes=2, edits=2)
    cases = [SimpleNamespace(id=edit.id, edit=edit) for edit in read_edits(find_edits(root))]
    assert unreadable_scenes(cases) == {}
    malformed = SimpleNamespace(id="x", edit=replace(cases[0].edit, folder=root / "x", fault="its type is none"))
    assert unreadable_scenes([malformed, *cases]) == {"x": "its type is none"}
    for name in ("3.png", "4.png"):
        file = root / "scene-0/train" / name
        os.truncate(file, file.stat().st_size // 2)
    found = unreadable_scenes(cases)
    assert list(found) == ["scene-0-0", "scene-0-1"]
    assert "scene-0: 3.png: the pixels can't be decoded" in found["scene-0-0"]
    assert found["scene-0-0"].endswith(", and 1 more")
    (root / "scene-1/train/1.png").write_bytes(b"no picture")
    assert "scene-1: train/1.png: not a JPEG, PNG or WebP image" in unreadable_scenes(cases)["scene-1-1"]
