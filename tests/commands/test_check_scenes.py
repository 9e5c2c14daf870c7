"""`piva check data` of scenes and of lists of edits."""

import json
import shutil

import pytest
from scene_folders import picture, write_nerfstudio, write_synthetic

from piva.cli import main


@pytest.fixture
def root(tmp_path):
    write_nerfstudio(tmp_path / "bear", 10, lambda content: content.update(k1=0.1))
    write_synthetic(tmp_path / "cube")
    shutil.copytree(tmp_path / "cube", tmp_path / "truth/cube-hat")
    edits = [
        {"scene": "bear", "source": "a bear", "target": "a polar bear", "type": "translation"},
        {"scene": "cube", "source": "a cube", "target": "a cube with a hat", "type": "addition"},
    ]
    edits[1]["truth"] = "truth/cube-hat"
    (tmp_path / "edits.json").write_text(json.dumps(edits))
    return tmp_path


def test_a_scene(root, capsys):
    (root / "bear/images/04.png").unlink()
    assert main(["check", "data", str(root / "bear")]) == 0
    assert capsys.readouterr().out == (
        "bear: 9 pictures of 8x6, 0 held out, 1 skipped (no file); distorted cameras; no points; centred and scaled\n"
    )


def test_scenes_and_edits(root, capsys):
    assert main(["check", "data", str(root)]) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"{root}: 2 edits of 2 scenes: 1 addition, 1 translation; true edits: 1",
        "  bear: 10 pictures of 8x6, 1 held out, 0 skipped (no file); distorted cameras; no points; centred and scaled",
        "  cube: 6 pictures of 8x8 with opacity, 3 held out, 0 skipped (no file); pinhole cameras; no points; "
        "bounded, in its own units",
    ]


def test_everything_wrong_is_named_at_once(root, capsys):
    (root / "bear/images/04.png").write_text("no picture")
    (root / "bear/images/05.png").write_text("no picture")
    content = json.loads((root / "truth/cube-hat/transforms_train.json").read_text())
    content["frames"].pop()
    (root / "truth/cube-hat/transforms_train.json").write_text(json.dumps(content))
    assert main(["check", "data", str(root)]) == 3
    said = capsys.readouterr().err
    assert "bear: images/04.png: not a JPEG, PNG or WebP image" in said
    assert "bear: images/05.png: not a JPEG, PNG or WebP image" in said
    assert "truth/cube-hat: its views are not those of cube" in said
    assert "3 problems" in said


def test_a_list_that_cannot_be_read_does_not_hide_broken_scenes(root, capsys):
    (root / "edits.json").write_text("{")
    (root / "cube/train/r_0.png").write_text("no picture")
    assert main(["check", "data", str(root)]) == 3
    said = capsys.readouterr().err
    assert "edits.json is not JSON" in said
    assert "cube: train/r_0.png: not a JPEG, PNG or WebP image" in said


def test_a_link_out_of_the_folder_is_not_followed_though_the_list_cannot_be_read(root, tmp_path_factory, capsys):
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "wolf"
    write_synthetic(elsewhere)
    (elsewhere / "train/r_0.png").write_text("no picture")
    (root / "linked").symlink_to(elsewhere)
    (root / "edits.json").write_text("{")
    assert main(["check", "data", str(root)]) == 3
    said = capsys.readouterr().err
    assert "linked: leads out of the data folder" in said
    assert "r_0.png" not in said


def test_a_background_where_the_photographs_show_one_is_named(root, capsys):
    edits = [edit | {"background": [0, 1, 0]} for edit in json.loads((root / "edits.json").read_text())]
    (root / "edits.json").write_text(json.dumps(edits))
    assert main(["check", "data", str(root)]) == 3
    said = capsys.readouterr().err
    assert "bear-1: no background is to be given, its scene's photographs show what is there" in said
    assert len(said.splitlines()) == 1


def test_transparent_pictures_of_an_unbounded_capture_have_no_sky(tmp_path, capsys):
    write_nerfstudio(tmp_path / "bear", 3)
    picture(0, channels=4).save(tmp_path / "bear/images/00.png")
    assert main(["check", "data", str(tmp_path / "bear")]) == 0
    said = capsys.readouterr().out
    assert "3 pictures of 8x6 with opacity" in said
    assert "centred and scaled, and no sky is learned, for transparent pixels show none" in said
