"""Scene folders as their files say, in both formats."""

import json
import math
import shutil
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image
from scene_folders import picture, poses, write_nerfstudio, write_synthetic

from piva.data import scene_images
from piva.data.problems import DataError
from piva.data.scenes import read_scene
from piva.rendering.cameras import project

PLY = "ply\nformat ascii 1.0\nelement vertex 2\n" + "".join(f"property float {axis}\n" for axis in "xyz")
PLY += "".join(f"property uchar {channel}\n" for channel in ("red", "green", "blue"))
PLY += "end_header\n1 2 3 255 0 0\n1 4 3 0 255 0\n"


def _pixels(image):
    return torch.from_numpy(np.asarray(image).copy()).permute(2, 0, 1).float() / 255


def test_a_nerfstudio_capture_is_sorted_and_split_as_nerfstudio_does(tmp_path):
    write_nerfstudio(tmp_path / "bear")
    scene = read_scene(tmp_path / "bear")
    # ten frames: nine evenly spaced places from 0 to 9, rounded down, leave out 8
    assert scene.train.names == tuple(f"images/{i:02d}.png" for i in (0, 1, 2, 3, 4, 5, 6, 7, 9))
    assert scene.test.names == ("images/08.png",)
    assert (scene.name, scene.bounded, scene.skipped, scene.points) == ("bear", False, 0, None)
    torch.testing.assert_close(scene.train.images[3], _pixels(picture(3)))
    torch.testing.assert_close(scene.test.images[0], _pixels(picture(8)))
    cameras = scene.train.cameras
    assert (cameras.focal[4].tolist(), cameras.center[4].tolist()) == ([10, 12], [4.5, 2.5])
    assert (cameras.width, cameras.height, cameras.distortion) == (8, 6, None)
    assert scene.train[[2, 0]].names == ("images/02.png", "images/00.png")
    assert torch.equal(scene.train[[2, 0]].images, scene.train.images[[2, 0]])


def test_poses_are_oriented_centred_and_scaled_over_all_frames(tmp_path):
    write_nerfstudio(tmp_path / "a")
    scene = read_scene(tmp_path / "a")
    given = torch.tensor(poses(10), dtype=torch.float64)
    order = [0, 1, 2, 3, 4, 5, 6, 7, 9, 8]  # train, then test
    c2w = torch.cat([scene.train.cameras.c2w, scene.test.cameras.c2w])
    assert c2w[:, :, 3].mean(0).abs().max() < 1e-6
    assert float(c2w[:, :, 3].abs().max()) == pytest.approx(1)
    assert torch.nn.functional.normalize(c2w[:, :, 1].mean(0), dim=0).tolist() == pytest.approx([0, 0, 1], abs=1e-6)
    moved = (scene.orient.double() @ given[order])[:, :3, 3]
    torch.testing.assert_close(moved.float(), c2w[:, :, 3], atol=1e-6, rtol=1e-5)
    # a rotation: cosines between what cameras look at stay
    ahead, before = c2w[:, :, 2], given[order][:, :3, 2].float()
    torch.testing.assert_close(ahead @ ahead.T, before @ before.T, atol=1e-5, rtol=0)
    assert bool((torch.linalg.det(c2w[:, :, :3]) - 1).abs().max() < 1e-5)


def test_intrinsics_and_distortion_of_each_frame(tmp_path):
    def change(content):
        content["camera_model"] = "PINHOLE"
        for number, frame in enumerate(content["frames"]):
            frame |= {"fl_x": 10.0 + number, "k1": 0.01 * number, "p2": 0.002}
        del content["fl_x"]

    write_nerfstudio(tmp_path / "a", 3, change)  # listed backwards: 02, 01, 00
    cameras = read_scene(tmp_path / "a").train.cameras
    assert cameras.focal[:, 0].tolist() == [12, 11, 10]
    torch.testing.assert_close(cameras.distortion[1], torch.tensor([0.01, 0, 0, 0, 0, 0.002]))


def test_shared_values_come_before_a_frames_own(tmp_path):
    def change(content):
        content |= {"k1": 0.1, "k2": 0.2, "k3": 0.3, "k4": 0.4, "p1": 0.5, "p2": 0.6}
        content["frames"][0] |= {"fl_x": 99.0, "k1": 0.9}

    write_nerfstudio(tmp_path / "a", 2, change)
    cameras = read_scene(tmp_path / "a").train.cameras
    assert cameras.focal[:, 0].tolist() == [10, 10]
    torch.testing.assert_close(cameras.distortion, torch.tensor([[0.1, 0.2, 0.3, 0.4, 0.5, 0.6]]).repeat(2, 1))


def test_frames_without_a_file_are_skipped_and_counted(tmp_path):
    write_nerfstudio(tmp_path / "a", 10, lambda content: content.update(train_filenames=["./images/01.png"] + [
        f"images/{i:02d}.png" for i in (2, 4)], val_filenames=["images/05.png"]))  # fmt: skip
    (tmp_path / "a/images/04.png").unlink()
    (tmp_path / "a/images/09.png").unlink()
    scene = read_scene(tmp_path / "a")
    assert scene.skipped == 2
    assert scene.train.names == ("images/01.png", "images/02.png")
    assert scene.test.names == ("images/05.png",)
    # frames of neither part count where the world is centred: the eight with a file
    present = torch.tensor([poses(10)[i] for i in (0, 1, 2, 3, 5, 6, 7, 8)])[:, :3, 3]
    middle = scene.orient @ torch.cat([present.mean(0), torch.ones(1)])
    assert middle[:3].abs().max() < 1e-6


def test_the_listed_test_split_comes_before_val(tmp_path):
    names = [f"images/{i:02d}.png" for i in range(3)]
    listed = {"train_filenames": names[:1], "val_filenames": names[1:2], "test_filenames": names[2:]}
    write_nerfstudio(tmp_path / "a", 3, lambda content: content.update(listed))
    assert read_scene(tmp_path / "a").test.names == ("images/02.png",)


def test_points_are_moved_with_the_cameras(tmp_path):
    write_nerfstudio(tmp_path / "a", 4, lambda content: content.update(ply_file_path="sparse.ply"))
    (tmp_path / "a/sparse.ply").write_text(PLY)
    scene = read_scene(tmp_path / "a")
    assert scene.point_colors.tolist() == [[1, 0, 0], [0, 1, 0]]
    # the cameras look at (1, 2, 3): seen in the principal point; (1, 4, 3) is above it
    pixels, depth = project(scene.train.cameras, scene.points)
    torch.testing.assert_close(pixels[:, 0], scene.train.cameras.center, atol=1e-4, rtol=0)
    assert bool((pixels[:, 1, 1] < pixels[:, 0, 1]).all())
    scale = float(torch.linalg.det(scene.orient[:3, :3]) ** (1 / 3))
    torch.testing.assert_close(depth[:, 0], torch.full((4,), 4 * scale))
    assert float((scene.points[1] - scene.points[0]).norm()) == pytest.approx(2 * scale, rel=1e-5)


def test_orientation_override(tmp_path):
    write_nerfstudio(tmp_path / "a", 4, lambda content: content.update(orientation_override="none"))
    linear = read_scene(tmp_path / "a").orient[:3, :3]
    assert torch.equal(linear, linear[0, 0] * torch.eye(3))


def test_downscaling_averages_areas_and_intrinsics_follow(tmp_path):
    write_nerfstudio(tmp_path / "a", 2)
    scene = read_scene(tmp_path / "a", downscale=2)
    full = _pixels(picture(1))
    means = full.reshape(3, 3, 2, 4, 2).mean((2, 4))
    torch.testing.assert_close(scene.train.images[1], means)
    cameras = scene.train.cameras
    assert (cameras.width, cameras.height) == (4, 3)
    assert (cameras.focal[0].tolist(), cameras.center[0].tolist()) == ([5, 6], [2.25, 1.25])


def test_sizes_that_do_not_divide_keep_the_field_of_view(tmp_path):
    write_nerfstudio(tmp_path / "a", 2)
    cameras = read_scene(tmp_path / "a", downscale=5).train.cameras
    assert (cameras.width, cameras.height) == (1, 1)
    assert cameras.focal[0].tolist() == pytest.approx([10 / 8, 12 / 6])


def test_nerfstudios_reduced_pictures_are_taken_where_all_are_there(tmp_path):
    write_nerfstudio(tmp_path / "a", 2)
    (tmp_path / "a/images_2").mkdir()
    for i in range(2):
        picture(50 + i, (4, 3)).save(tmp_path / f"a/images_2/{i:02d}.png")
    scene = read_scene(tmp_path / "a", downscale=2)
    torch.testing.assert_close(scene.train.images[0], _pixels(picture(50, (4, 3))))
    assert scene.train.cameras.focal[0].tolist() == [5, 6]
    (tmp_path / "a/images_2/01.png").unlink()
    averaged = _pixels(picture(0)).reshape(3, 3, 2, 4, 2).mean((2, 4))
    torch.testing.assert_close(read_scene(tmp_path / "a", downscale=2).train.images[0], averaged)


def test_a_nerf_synthetic_scene_keeps_its_units(tmp_path):
    write_synthetic(tmp_path / "lego")
    scene = read_scene(tmp_path / "lego")
    assert scene.bounded
    assert torch.equal(scene.orient, torch.eye(4))
    assert (scene.train.names, scene.test.names[0]) == (("train/r_0", "train/r_1", "train/r_2"), "test/r_0")
    torch.testing.assert_close(scene.train.cameras.c2w, torch.tensor(poses(3))[:, :3], atol=1e-6, rtol=0)
    assert scene.train.cameras.focal[0].tolist() == pytest.approx([4 / math.tan(0.6)] * 2)
    assert scene.train.cameras.center[0].tolist() == [4, 4]
    torch.testing.assert_close(scene.train.images[1], _pixels(picture(1, (8, 8), 4)))
    torch.testing.assert_close(scene.test.images[2], _pixels(picture(22, (8, 8), 4)))


def test_without_a_test_file_val_is_held_out_and_without_that_nothing(tmp_path):
    write_synthetic(tmp_path / "a", ("train", "val"))
    assert read_scene(tmp_path / "a").test.names == ("val/r_0", "val/r_1", "val/r_2")
    write_synthetic(tmp_path / "b", ("train",))
    scene = read_scene(tmp_path / "b")
    assert (len(scene.test), scene.test.images.shape, len(scene.test.cameras)) == (0, (0, 4, 8, 8), 0)


def test_what_is_transparent_lends_no_colour_to_its_neighbours(tmp_path):
    write_synthetic(tmp_path / "a", ("train",), 1)
    values = np.zeros((2, 2, 4), dtype=np.uint8)
    values[0, 0], values[0, 1], values[1, 0] = (255, 0, 0, 255), (0, 255, 0, 0), (0, 0, 255, 51)
    Image.fromarray(values).save(tmp_path / "a/train/r_0.png")
    image = read_scene(tmp_path / "a", downscale=2).train.images[0, :, 0, 0]
    torch.testing.assert_close(image, torch.tensor([1 / 1.2, 0, 0.2 / 1.2, 0.3]))
    values[...] = 0
    Image.fromarray(values).save(tmp_path / "a/train/r_0.png")
    assert read_scene(tmp_path / "a", downscale=2).train.images[0, :, 0, 0].tolist() == [0, 0, 0, 0]


def test_the_digest_is_of_the_content(tmp_path):
    write_nerfstudio(tmp_path / "a", 3, lambda content: content.update(ply_file_path="sparse.ply"))
    (tmp_path / "a/sparse.ply").write_text(PLY)
    shutil.copytree(tmp_path / "a", tmp_path / "elsewhere")
    seen = {read_scene(tmp_path / "a").digest}
    assert seen == {read_scene(tmp_path / "elsewhere").digest}
    assert len(next(iter(seen))) == 64
    picture(99).save(tmp_path / "a/images/01.png")
    seen.add(read_scene(tmp_path / "a").digest)
    (tmp_path / "a/sparse.ply").write_text(PLY.replace("1 4 3", "1 5 3"))
    seen.add(read_scene(tmp_path / "a").digest)
    content = json.loads((tmp_path / "a/transforms.json").read_text()) | {"cx": 4.0}
    (tmp_path / "a/transforms.json").write_text(json.dumps(content))
    seen.add(read_scene(tmp_path / "a").digest)
    assert len(seen) == 4


def test_opacity_that_is_1_everywhere_is_none_in_an_unbounded_capture(tmp_path):
    write_nerfstudio(tmp_path / "a", 3)
    for i in range(3):
        with_opacity = picture(i)
        with_opacity.putalpha(255)
        with_opacity.save(tmp_path / f"a/images/{i:02d}.png")
    scene = read_scene(tmp_path / "a")
    assert not scene.transparent
    torch.testing.assert_close(scene.train.images[1], _pixels(picture(1)))
    with_opacity.putpixel((2, 2), (0, 0, 0, 254))
    with_opacity.save(tmp_path / "a/images/02.png")
    scene = read_scene(tmp_path / "a")
    assert scene.transparent
    assert scene.train.images.shape[1] == 4


def test_pictures_that_do_not_fit_into_memory_are_refused_before_one_is_read(tmp_path, monkeypatch):
    write_nerfstudio(tmp_path / "a")
    picture = 4 * 3 * 8 * 6  # bytes
    monkeypatch.setattr(scene_images.psutil, "virtual_memory", lambda: SimpleNamespace(available=10 * picture - 1))
    with monkeypatch.context() as patch:
        patch.setattr(scene_images, "read_image", lambda *_: pytest.fail("a picture was read"))
        with pytest.raises(DataError, match=r"10 pictures take .* GiB of memory, .* as --downscale 2 does"):
            read_scene(tmp_path / "a")
    assert read_scene(tmp_path / "a", downscale=2).train.images.shape == (9, 3, 3, 4)
    monkeypatch.setattr(scene_images.psutil, "virtual_memory", lambda: SimpleNamespace(available=10 * picture))
    assert len(read_scene(tmp_path / "a").train) == 9
