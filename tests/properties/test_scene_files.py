"""The readers of scenes and camera paths: whatever the JSON holds, a scene or sentences come out."""

import json
import math

import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st
from json_values import ANY_JSON, STEADY, can_be_shown, spoiled, text_of
from scene_folders import poses, write_nerfstudio, write_synthetic

from piva.data.camera_paths import read_path
from piva.data.problems import DataError
from piva.data.scenes import read_scene
from piva.errors import ConfigError, PreflightError

IDENTITY = [[float(i == j) for j in range(4)] for i in range(4)]
PATH = {"camera_path": [{"camera_to_world": [number for row in IDENTITY for number in row], "fov": 50.0}] * 2}


@pytest.fixture(scope="module")
def capture(tmp_path_factory):
    folder = tmp_path_factory.mktemp("capture") / "scene"
    write_nerfstudio(folder, 3)
    (folder / "points.ply").write_text(PLY)
    return folder


@pytest.fixture(scope="module")
def blender(tmp_path_factory):
    folder = tmp_path_factory.mktemp("blender") / "scene"
    write_synthetic(folder, ("train", "test"), 2)
    return folder


AXES = "".join(f"property float {axis}\n" for axis in "xyz")
PLY = f"ply\nformat ascii 1.0\nelement vertex 1\n{AXES}end_header\n0 1 2\n"
CAPTURE = {
    "camera_model": "OPENCV", "fl_x": 10.0, "fl_y": 12.0, "cx": 4.5, "cy": 2.5, "w": 8, "h": 6, "k1": 0.1,
    "frames": [{"file_path": f"images/{i:02d}.png", "transform_matrix": pose} for i, pose in enumerate(poses(3))],
    "ply_file_path": "points.ply", "orientation_override": "up", "train_filenames": ["images/00.png", "images/01.png"],
    "test_filenames": ["images/02.png"],
}  # fmt: skip
BLENDER = {
    "camera_angle_x": 1.2,
    "frames": [{"file_path": f"./train/r_{i}", "transform_matrix": pose} for i, pose in enumerate(poses(2))],
}


def scene_or_sentences(folder):
    try:
        scene = read_scene(folder)
    except (DataError, ConfigError) as problem:
        can_be_shown(problem)
        return
    for views in (scene.train, scene.test):
        assert bool(torch.isfinite(views.cameras.c2w).all() and torch.isfinite(views.cameras.focal).all())
        assert 0 <= float(views.images.min() if len(views) else 0) <= 1


@STEADY
@given(ANY_JSON | spoiled(CAPTURE))
@example(CAPTURE)
@example(CAPTURE | {"w": 10**30, "h": 10**30})
@example(CAPTURE | {"frames": [*CAPTURE["frames"], {"file_path": "../../x.png", "transform_matrix": IDENTITY}]})
@example(CAPTURE | {"frames": [frame | {"transform_matrix": IDENTITY} for frame in CAPTURE["frames"]]})
def test_a_capture(capture, content):
    (capture / "transforms.json").write_bytes(text_of(content))
    scene_or_sentences(capture)


@STEADY
@given(ANY_JSON | spoiled(BLENDER), st.booleans())
@example(BLENDER, False)
@example(BLENDER | {"camera_angle_x": math.pi - 1e-16}, True)
@example(BLENDER | {"camera_angle_x": 1e-300}, False)
def test_a_synthetic_scene(blender, content, is_held_out):
    sound = text_of(BLENDER)
    (blender / "transforms_train.json").write_bytes(sound if is_held_out else text_of(content))
    (blender / "transforms_test.json").write_bytes(text_of(content) if is_held_out else sound)
    scene_or_sentences(blender)


@STEADY
@given(st.binary(max_size=40), st.integers(0, 900), st.integers(0, 900))
def test_any_bytes_anywhere(capture, content, start, end):
    sound = text_of(CAPTURE)
    (capture / "transforms.json").write_bytes(sound[: min(start, end)] + content + sound[max(start, end) :])
    scene_or_sentences(capture)


@STEADY
@given(st.one_of(ANY_JSON, spoiled(PATH), spoiled(CAPTURE), spoiled(BLENDER)))
@example(PATH)
@example(PATH | {"camera_path": [{"camera_to_world": [1e308] * 16, "fov": 1e-300}]})
def test_a_camera_path(tmp_path, content):
    (tmp_path / "path.json").write_bytes(text_of(content))
    try:
        cameras = read_path(tmp_path / "path.json", (4, 6), torch.eye(4))
    except (ConfigError, PreflightError) as problem:
        can_be_shown(problem)
        return
    assert cameras.c2w.shape == (len(cameras), 3, 4)
    assert bool(torch.isfinite(cameras.c2w).all() and torch.isfinite(cameras.focal).all())


@STEADY
@given(st.binary(max_size=40), st.integers(0, len(PLY)), st.integers(0, len(PLY)))
def test_a_point_cloud(capture, content, start, end):
    (capture / "points.ply").write_bytes(PLY[: min(start, end)].encode() + content + PLY[max(start, end) :].encode())
    (capture / "transforms.json").write_bytes(json.dumps(CAPTURE).encode())
    scene_or_sentences(capture)
    (capture / "points.ply").write_text(PLY)
    assert read_scene(capture).points.shape == (1, 3)
