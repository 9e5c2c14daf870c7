"""Scene folders that are not what their format promises: one sentence for each problem."""

import json

import pytest
import torch
from scene_folders import picture, write_nerfstudio, write_synthetic

from piva.data.problems import DataError
from piva.data.scenes import read_scene
from piva.errors import ConfigError


def _first(**values):
    """A change of the first listed frame (00, listed last, is left alone)."""
    return lambda content: content["frames"][0].update(values)


def _matrix(row, column, value):
    def change(content):
        content["frames"][0]["transform_matrix"][row][column] = value

    return change


def _without(key):
    return lambda content: content.pop(key)


def _problems(folder, **options):
    with pytest.raises(DataError) as found:
        read_scene(folder, **options)
    assert all("\n" not in sentence for sentence in found.value.problems)
    return list(found.value.problems)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (_without("frames"), "transforms.json: frames: Field required"),
        (_without("fl_x"), "transforms.json: frames[0]: fl_x is neither here nor shared by all frames"),
        (lambda content: content.update(frames=[]), "transforms.json: frames: List should have at least 1 item"),
        (lambda content: content.update(fl_y=0), "transforms.json: fl_y: Input should be greater than 0"),
        (lambda content: content.update(k1="much"), "transforms.json: k1: Input should be a valid number"),
        (
            lambda content: content.update(camera_model="OPENCV_FISHEYE"),
            "transforms.json: camera_model: 'OPENCV_FISHEYE' is not read, only OPENCV and PINHOLE are",
        ),
        (
            _first(mask_path="masks/00.png"),
            "transforms.json: frames: 1 have a mask_path: masks are not read, so take it",
        ),
        (lambda content: content.update(orientation_override="pca"), "transforms.json: orientation_override: Input"),
        (_matrix(1, 3, float("nan")), "transforms.json: frames[0].transform_matrix[1][3]: Input should be a finite"),
        (_matrix(0, 0, 5.0), "transforms.json: frames[0].transform_matrix: is not a rotation and a translation"),
        (_matrix(3, 0, 1.0), "transforms.json: frames[0].transform_matrix: is not a rotation and a translation"),
        (
            _first(transform_matrix=[[1, 0], [0, 1]]),
            "transforms.json: frames[0].transform_matrix[0][2]: Field required",
        ),
        (
            _first(file_path="../images/01.png"),
            "transforms.json: frames[0].file_path: '../images/01.png' is not a plain",
        ),
        (_first(file_path="/etc/passwd"), "transforms.json: frames[0].file_path: '/etc/passwd' is not a plain"),
        (_first(file_path="images\\01.png"), "transforms.json: frames[0].file_path: 'images\\\\01.png' is not a plain"),
        (_first(file_path="./images/00.png"), "transforms.json: frames[2].file_path: 'images/00.png' is listed twice"),
        (
            lambda content: content.update(ply_file_path="../points.ply"),
            "transforms.json: ply_file_path: '../points.ply' is no file of the scene",
        ),
        (
            lambda content: content.update(train_filenames=["images/77.png"]),
            "transforms.json: 'images/77.png' is listed in a split, but is no frame",
        ),
        (
            lambda content: content.update(test_filenames=["images/00.png"]),
            "transforms.json: train_filenames is missing beside the names of other splits",
        ),
        (
            lambda content: content.update(train_filenames=[]),
            "transforms.json: train_filenames has no frame whose file is there",
        ),
    ],
)
def test_what_the_file_says(tmp_path, change, sentence):
    write_nerfstudio(tmp_path / "a", 3, change)
    assert _problems(tmp_path / "a")[0].startswith(sentence)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "transforms.json is not JSON"),
        ("[]", "transforms.json holds a list where an object of cameras belongs"),
        ('{"w": 1, "w": 2}', "w: appears more than once in transforms.json"),
        ('{"frames": [{}, {"w": 1, "w": 2}]}', "frames[1].w: appears more than once in transforms.json"),
        ('{"frames": "caf\udce9"}', "transforms.json is not UTF-8 text"),
        ('{"frames": ' + "[" * 100_000, "transforms.json is nested too deeply"),
    ],
)
def test_what_is_no_object(tmp_path, text, sentence):
    (tmp_path / "transforms.json").write_text(text, encoding="utf-8", errors="surrogateescape")
    assert _problems(tmp_path)[0].startswith(sentence)


def test_no_scene_at_all(tmp_path):
    assert _problems(tmp_path) == [
        "there is neither transforms.json (nerfstudio) nor transforms_train.json (NeRF-synthetic)"
    ]
    with pytest.raises(ConfigError, match="downscale is a whole number from 1 on, not 0"):
        read_scene(tmp_path, downscale=0)


def test_links_may_not_lead_out(tmp_path):
    write_nerfstudio(tmp_path / "a", 3)
    picture(1).save(tmp_path / "secret.png")
    (tmp_path / "a/images/01.png").unlink()
    (tmp_path / "a/images/01.png").symlink_to(tmp_path / "secret.png")
    assert _problems(tmp_path / "a")[0].startswith(
        "transforms.json: frames[1].file_path: 'images/01.png' is not a plain"
    )


def test_every_problem_of_the_files_is_named_at_once(tmp_path):
    write_nerfstudio(tmp_path / "a", 4, lambda content: content.update(ply_file_path="points.ply"))
    images = tmp_path / "a/images"
    (images / "00.png").write_text("no picture")
    (images / "01.png").write_bytes((images / "01.png").read_bytes()[:90])
    picture(0, (5, 6)).save(images / "02.png")
    (tmp_path / "a/points.ply").write_text("ply?")
    found = _problems(tmp_path / "a")
    assert [sentence.split(":")[0] for sentence in found] == [
        "images/00.png", "images/01.png", "images/02.png", "points.ply",
    ]  # fmt: skip
    assert found[0] == "images/00.png: not a JPEG, PNG or WebP image"
    assert found[1].startswith("images/01.png: the pixels can't be decoded")
    assert found[2] == "images/02.png: the picture is 5x6, its camera says 8x6"


def test_every_problem_of_the_poses_is_named_at_once(tmp_path):
    def change(content):
        _matrix(0, 3, float("inf"))(content)
        content["frames"][1].pop("file_path")
        content["camera_model"] = "FISHEYE"

    write_nerfstudio(tmp_path / "a", 3, change)
    assert len(_problems(tmp_path / "a")) == 3


def test_several_sizes(tmp_path):
    write_nerfstudio(tmp_path / "a", 3, _first(w=4))
    content = json.loads((tmp_path / "a/transforms.json").read_text())
    for frame, width in zip(content["frames"], (4, 8, 8), strict=True):
        frame["w"] = width
    (tmp_path / "a/transforms.json").write_text(json.dumps({**content, "w": None}))
    picture(2, (4, 6)).save(tmp_path / "a/images/02.png")
    assert _problems(tmp_path / "a") == ["the pictures have several sizes (2 of 8x6, 1 of 4x6): one size is needed"]


def test_not_one_file_is_there(tmp_path):
    write_nerfstudio(tmp_path / "a", 3)
    for file in (tmp_path / "a/images").iterdir():
        file.unlink()
    assert _problems(tmp_path / "a") == ["transforms.json: not one of its 3 frames has a file in the scene folder"]


def test_a_synthetic_scenes_problems(tmp_path):
    write_synthetic(tmp_path / "a")
    (tmp_path / "a/train/r_1.png").unlink()
    assert read_scene(tmp_path / "a").skipped == 1
    (tmp_path / "a/train/r_0.png").write_text("no picture")
    content = json.loads((tmp_path / "a/transforms_test.json").read_text())
    content["frames"][2]["file_path"] = "../test/r_2"
    (tmp_path / "a/transforms_test.json").write_text(json.dumps(content))
    first, second = _problems(tmp_path / "a")
    assert first == "train/r_0.png: not a JPEG, PNG or WebP image"
    assert second.startswith("transforms_test.json: frames[2].file_path: '../test/r_2' is not a plain relative path")
    (tmp_path / "a/transforms_train.json").write_text(json.dumps({"camera_angle_x": 4, "frames": content["frames"]}))
    assert _problems(tmp_path / "a")[0].startswith("transforms_train.json: camera_angle_x: Input should be less than")


def test_coinciding_cameras_are_left_at_their_scale(tmp_path):
    write_nerfstudio(tmp_path / "a", 1)
    scene = read_scene(tmp_path / "a")
    assert bool(torch.isfinite(scene.train.cameras.c2w).all())
    assert float(torch.linalg.det(scene.orient[:3, :3])) == pytest.approx(1, abs=1e-5)
