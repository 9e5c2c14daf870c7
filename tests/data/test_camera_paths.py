"""Cameras of files: nerfstudio's viewer's paths, and captures' own."""

import json
import math
import shutil

import pytest
import torch
from scene_folders import write_nerfstudio, write_synthetic

from piva.data.camera_paths import read_path
from piva.data.problems import DataError
from piva.data.scenes import read_scene
from piva.rendering.cameras import project


def test_a_camera_path_of_nerfstudio_is_read(tmp_path):
    pose = torch.eye(4)
    pose[:3, 3] = torch.tensor([1.0, 2.0, 3.0])
    frame = {"camera_to_world": pose.flatten().tolist(), "fov": 90.0, "aspect": 1}
    (tmp_path / "path.json").write_text(json.dumps({"camera_path": [frame, frame | {"fov": 60.0}]}))
    cameras = read_path(tmp_path / "path.json", (100, 200), None)
    assert cameras.positions.tolist() == [[1.0, 2.0, 3.0]] * 2
    torch.testing.assert_close(cameras.focal[:, 1], torch.tensor([50.0, 50 / math.tan(math.radians(30))]))
    assert cameras.center[0].tolist() == [100.0, 50.0]


def one_camera(fov, x):
    """A camera path as JSON."""
    pose = torch.eye(4)
    pose[0, 3] = x
    return json.dumps({"camera_path": [{"camera_to_world": pose.flatten().tolist(), "fov": fov}]})


@pytest.mark.parametrize(
    "content",
    [
        *("{}", '{"camera_path": []}', '{"camera_path": [{"fov": 50}]}', "no", None),
        *(one_camera(0, 0), one_camera(180, 0), one_camera(math.nan, 0), one_camera(50, math.inf)),
    ],
)
def test_what_is_no_camera_path_is_refused(tmp_path, content):
    file = tmp_path / "path.json"
    if content is not None:
        file.write_text(content)
    with pytest.raises(DataError, match=r"path\.json"):
        read_path(file, (8, 8), None)


@pytest.mark.parametrize("place", ["path", "frame"])
def test_a_panorama_is_refused(tmp_path, place):
    content = json.loads(one_camera(50, 0))
    (content if place == "path" else content["camera_path"][0])["camera_type"] = "equirectangular"
    (tmp_path / "path.json").write_text(json.dumps(content))
    with pytest.raises(DataError, match="camera_type: Input should be 'perspective'"):
        read_path(tmp_path / "path.json", (8, 8), None)


def test_rows_may_be_lists_of_their_own(tmp_path):
    pose = torch.arange(16.0).view(4, 4)
    (tmp_path / "path.json").write_text(json.dumps({"camera_path": [{"camera_to_world": pose.tolist(), "fov": 90}]}))
    assert torch.equal(read_path(tmp_path / "path.json", (8, 8), None).c2w[0], pose[:3])


def test_the_cameras_of_a_capture_are_where_its_reader_puts_them_without_its_pictures(tmp_path):
    write_nerfstudio(tmp_path / "a", change=lambda content: content.update(k1=0.1))
    scene = read_scene(tmp_path / "a")
    shutil.rmtree(tmp_path / "a/images")
    cameras = read_path(tmp_path / "a/transforms.json", (6, 8), scene.orient)
    known = {name: cameras for cameras in (scene.train, scene.test) for name in cameras.names}
    for number, place in enumerate(range(9, -1, -1)):  # frames are listed backwards
        views = known[f"images/{place:02d}.png"]
        theirs = views.cameras[views.names.index(f"images/{place:02d}.png")]
        for name in ("c2w", "focal", "center", "distortion"):
            torch.testing.assert_close(getattr(cameras, name)[number], getattr(theirs, name)[0], atol=1e-6, rtol=1e-6)


def test_pictures_of_another_size_show_the_middle_of_the_capture_s(tmp_path):
    write_nerfstudio(tmp_path / "a")
    whole, part = (read_path(tmp_path / "a/transforms.json", size, torch.eye(4)) for size in ((6, 8), (12, 12)))
    point = whole.positions[:1] + whole.forward[:1] * 3
    at, seen = (project(cameras[0], point)[0][0, 0] for cameras in (whole, part))
    torch.testing.assert_close(seen, (at - torch.tensor([4.0, 3.0])) * 2 + 6, atol=1e-4, rtol=0)


def test_nerf_synthetic_s_cameras_are_those_of_square_pictures(tmp_path):
    write_synthetic(tmp_path)
    theirs = read_scene(tmp_path).train.cameras
    cameras = read_path(tmp_path / "transforms_train.json", (8, 8), torch.eye(4))
    for name in ("c2w", "focal", "center"):
        torch.testing.assert_close(getattr(cameras, name), getattr(theirs, name))


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda content: content.pop("fl_x"), r"frames\[0\]: fl_x is neither here nor shared"),
        (lambda content: content["frames"][2].pop("transform_matrix"), r"frames\[2\].transform_matrix: Field required"),
        (
            lambda content: content.pop("frames"),
            "has neither camera_path, as nerfstudio's viewer writes it, nor frames",
        ),
    ],
)
def test_what_is_wrong_with_a_capture_s_cameras_is_said(tmp_path, change, sentence):
    write_nerfstudio(tmp_path / "a", change=change)
    with pytest.raises(DataError, match=sentence):
        read_path(tmp_path / "a/transforms.json", (6, 8), torch.eye(4))


def test_a_field_that_does_not_know_its_capture_s_world_has_no_place_for_its_cameras(tmp_path):
    write_nerfstudio(tmp_path / "a")
    with pytest.raises(DataError, match="reconstruct it again"):
        read_path(tmp_path / "a/transforms.json", (6, 8), None)
