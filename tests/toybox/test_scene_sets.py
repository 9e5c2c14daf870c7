import hashlib
import json
import math
import shutil
from dataclasses import replace

import pytest
import torch
from PIL import Image

from piva.data.edits import find_edits, read_edits
from piva.data.scenes import read_scene
from piva.errors import ConfigError
from piva.rendering.cameras import all_rays
from piva.toybox import scene_sets
from piva.toybox.captions import caption
from piva.toybox.parts import assemble
from piva.toybox.render import render, render_objects
from piva.toybox.scene_cameras import cameras_along
from piva.toybox.scene_captures import pose_rows
from piva.toybox.scene_edits import in2n_toybox, noe_toybox
from piva.toybox.scene_sets import SETS, ground_color, write

SIZE, TRAIN, TEST = 32, 8, 3


@pytest.fixture(scope="module")
def few():
    """Two dev scenes of each set, the snowman among them, so that writing takes a moment."""
    with pytest.MonkeyPatch.context() as patch:
        for name, scenes in (("noe-toybox", noe_toybox()), ("in2n-toybox", in2n_toybox())):
            chosen = [scene for scene in scenes if scene.id in ("red-cube", "snowman-on-grass", "purple-sphere")]
            some = replace(SETS[name], scenes=lambda chosen=tuple(chosen): chosen)
            patch.setitem(SETS, name, some)
        yield


@pytest.fixture(scope="module", params=["noe-toybox", "in2n-toybox"])
def written(request, few, tmp_path_factory):
    root = tmp_path_factory.mktemp("sets") / request.param
    write(root, request.param, "dev", SIZE, TRAIN, TEST)
    return root


def known(root):
    return {scene.id: scene for scene in SETS[root.name].scenes()}


def seen(scene, part, count):
    """The source world from the cameras of a part."""
    cameras = cameras_along(scene.path, scene.source.placement.camera.azimuth_deg, part, count)
    return [scene.source.replace(placement=replace(scene.source.placement, camera=camera)) for camera in cameras]


def project(camera, point):
    """Pixel (x, y) of a world point, by one camera of a `Cameras`."""
    local = camera.c2w[0, :, :3].T @ (point - camera.positions[0])
    return camera.center[0] + camera.focal[0] * torch.stack([local[0], -local[1]]) / -local[2]


def carrot(capture, azimuth_deg):
    """Orange pixels in the views from before the front, and in those from behind it."""
    counts = []
    for pose, image in zip(capture.train.cameras.positions, capture.train.images, strict=True):
        red, green, blue = image[:3]
        orange = (red > 0.4) & (green > 0.3 * red) & (green < 0.7 * red) & (blue < 0.4 * green)
        if image.shape[0] == 4:
            orange &= image[3] > 0.9
        middle = capture.orient[:3, 3]  # where the subject stands
        azimuth = math.degrees(math.atan2(pose[1] - middle[1], pose[0] - middle[0]))
        turned = abs((azimuth - azimuth_deg + 180) % 360 - 180)
        counts.append((turned, int(orange.sum())))
    return [count for turned, count in counts if turned < 60], [count for turned, count in counts if turned > 120]


def test_the_ordinary_readers_read_it(written):
    edits = read_edits(find_edits(written))
    scenes = known(written)
    assert [edit.id for edit in edits] == [edit.id for scene in scenes.values() for edit in scene.edits]
    for edit in edits:
        scene = scenes[edit.scene]
        target = next(other.target for other in scene.edits if other.id == edit.id)
        assert (edit.source, edit.target) == (caption(scene.source), caption(target))
        assert (edit.background is None) == (written.name == "in2n-toybox")
        source, truth = read_scene(edit.folder), read_scene(edit.truth)
        for capture in (source, truth):
            assert capture.skipped == 0
            assert capture.bounded == (written.name == "noe-toybox")
            assert (len(capture.train), len(capture.test)) == (TRAIN, TEST)
            assert capture.train.images.shape[1:] == (4 if capture.bounded else 3, SIZE, SIZE)
        assert torch.equal(source.train.cameras.c2w, truth.train.cameras.c2w)
        assert torch.equal(source.test.cameras.c2w, truth.test.cameras.c2w)


def test_pictures_are_the_renderer_s(written):
    scene = known(written)["red-cube"]
    worlds = seen(scene, "test", TEST)
    drawn = render_objects(worlds, SIZE) if written.name == "noe-toybox" else render(worlds, SIZE).image
    found = read_scene(written / "red-cube").test.images
    assert (found - drawn).abs().max() <= 0.5 / 255 + 1e-4


def test_poses_show_the_subject_where_it_is(written):
    capture = read_scene(written / "snowman-on-grass")
    middle = torch.tensor([0.0, 0.0, 0.34 * 0.95, 1.0])  # of the snowman's lower ball
    point = (capture.orient @ middle)[:3]
    for k in range(TRAIN):
        x, y = project(capture.train.cameras[k], point)
        patch = capture.train.images[k, :, int(y), int(x)]
        assert abs(x - SIZE / 2) < 0.01  # cameras look at a point above the origin
        assert patch[:3].max() - patch[:3].min() < 0.25  # white
        assert SIZE / 2 < y < 0.75 * SIZE


def test_rays_meet_the_world_where_the_renderer_says(written):
    """The depth of the renderer, walked along the reader's rays, ends on the ground plane or on an object."""
    scene = known(written)["red-cube"]
    world = seen(scene, "train", TRAIN)[3].replace(companion=None)
    drawn = render([world], SIZE)
    capture = read_scene(written / "red-cube")
    rays = all_rays(capture.train.cameras[[3]])
    scale = capture.orient[:3, :3].det() ** (1 / 3)
    along = drawn.depth.flatten() * scale / rays.cosines[0]
    points = rays.origins[0] + along[:, None] * rays.directions[0]
    back = (points - capture.orient[:3, 3]) @ torch.linalg.inv(capture.orient[:3, :3]).T
    cube = back[drawn.masks["subject"].flatten()]
    pixel = 5 * 2 * math.tan(math.radians(17)) / SIZE  # silhouettes are half of it too wide
    assert cube[:, :2].abs().max() < 0.41 * 0.95 * 2**0.5 + pixel / 2
    assert cube[:, 2].max() == pytest.approx(0.82 * 0.95, abs=pixel / 2)
    near_ground = back[(drawn.depth.flatten() < 6) & ~drawn.objects.flatten()]
    assert near_ground[:, 2].abs().max() < 1e-3


def test_the_front_faces_the_azimuth_that_is_written(written):
    facts = json.loads((written / "dataset.json").read_text())["captures"]
    assert facts["red-cube"]["front_azimuth_deg"] is None
    azimuth = facts["snowman-on-grass"]["front_azimuth_deg"]
    assert facts["true_edits/snowman-on-grass-addition"]["front_azimuth_deg"] == azimuth
    assert facts["true_edits/snowman-on-grass-translation"]["front_azimuth_deg"] is None
    before, behind = carrot(read_scene(written / "snowman-on-grass"), azimuth)
    assert len(before) >= 2
    assert len(behind) >= 2
    assert min(before) > 0
    assert max(behind) == 0


def test_a_hat_changes_only_what_is_near_it(written):
    edit = next(edit for edit in read_edits(find_edits(written)) if edit.id == "red-cube-addition")
    source, truth = read_scene(edit.folder).train.images, read_scene(edit.truth).train.images
    changed = (source - truth).abs().amax(1) > 1.5 / 255  # [V,H,W]
    assert (changed.sum((1, 2)) > 10).all()
    assert not changed[:, :6].any()  # above the hat
    if source.shape[1] == 4:
        hat = truth[:, 3] > source[:, 3] + 1.5 / 255
        shaded = changed & (source[:, 3] > 0) & (truth[:, 3] > 0)  # the hat covers and shades the cube
        grazing = changed & ~hat & ~shaded  # rays that pass the cube within a pixel are stepped along otherwise
        assert hat.any(2).any(1).all()
        assert grazing.sum((1, 2)).max() <= 3


def test_noe_s_objects_fit_and_their_background_is_the_ground_s_colour(few, tmp_path):
    scene = noe_toybox()[0]
    worlds = seen(scene, "train", 60)
    color = torch.tensor(ground_color(scene.source, [world.placement.camera for world in worlds], 64))
    drawn = render(worlds[::6], 64)
    lowest = drawn.image[:, :, -6:, :10].mean((0, 2, 3))  # open ground at the left front
    torch.testing.assert_close(color, lowest, atol=0.05, rtol=0)
    for known_scene in noe_toybox():
        for world in (known_scene.source, *(edit.target for edit in known_scene.edits)):
            parts = assemble([world])
            top = parts.center[0, :, 1].max() + 0.16 * parts.scale[0].max()  # half a hat
            assert top < 1.5
            assert parts.center[0, :, [0, 2]].abs().max() < 1.3


def test_writing_again_does_nothing_and_a_part_is_completed_to_the_same_bytes(few, tmp_path, monkeypatch):
    def contents(root):
        return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}

    root, name = tmp_path / "a", "noe-toybox"
    write(root, name, "dev", 16, 3, 1)
    first = contents(root)
    assert json.loads(first["dataset.json"])["sha256"] == scene_sets._digest(root)

    facts = json.loads(first["dataset.json"])
    stopped = {key: value for key, value in facts.items() if key not in ("captures", "sha256")}
    (root / "dataset.json").write_text(json.dumps(stopped))
    (root / "edits.json").unlink()
    shutil.rmtree(root / "true_edits" / "red-cube-addition")
    (root / ".unfinished-x").mkdir()
    (root / ".unfinished-x" / "r_000.png").write_bytes(b"half")
    drawn = []
    real = scene_sets.write_once
    monkeypatch.setattr(scene_sets, "write_once", lambda *args: drawn.append(args[0].name) or real(*args))
    write(root, name, "dev", 16, 3, 1)
    assert drawn == ["red-cube-addition"]
    shutil.rmtree(root / ".unfinished-x")
    assert contents(root) == first
    write(root, name, "dev", 16, 3, 1)
    assert len(drawn) == 1


def test_a_folder_of_something_else_is_left_alone(few, tmp_path):
    write(tmp_path / "a", "noe-toybox", "dev", 16, 2, 1)
    for other in (("in2n-toybox", "dev", 16, 2, 1), ("noe-toybox", "dev", 24, 2, 1), ("noe-toybox", "dev", 16, 3, 1)):
        with pytest.raises(ConfigError, match="something else"):
            write(tmp_path / "a", *other)
    picture = tmp_path / "a" / "red-cube" / "train" / "r_000.png"
    Image.new("RGBA", (16, 16)).save(picture)
    with pytest.raises(ConfigError, match="changed or removed"):
        write(tmp_path / "a", "noe-toybox", "dev", 16, 2, 1)
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "mine.txt").write_text("mine")
    with pytest.raises(ConfigError, match="something else"):
        write(tmp_path / "b", "noe-toybox", "dev", 16, 2, 1)


@pytest.mark.parametrize(
    ("name", "split", "known"),
    [
        ("noe-toybox", "dev", "25d1222098813eb7"),
        ("noe-toybox", "test", "a2c3560991dc9310"),
        ("in2n-toybox", "dev", "ab9d8b44f8efe6a6"),
        ("in2n-toybox", "test", "3c66ae391dabf0df"),
    ],
)
def test_what_the_first_version_s_sets_describe_is_as_it_was(name, split, known, tmp_path, monkeypatch):
    """Edits, captions, cameras and attributes, drawn or not; pictures are the renderer's tests' to judge."""
    monkeypatch.setattr(scene_sets, "_write_capture", lambda *shots: None)
    all_scenes = {"noe-toybox": noe_toybox, "in2n-toybox": in2n_toybox}[name]
    monkeypatch.setitem(SETS, name, replace(SETS[name], scenes=all_scenes))
    write(tmp_path, name, split, 16, 3, 1)
    edits = json.loads((tmp_path / "edits.json").read_bytes())
    for edit in edits:
        edit.pop("background", None)  # a mean over pixels: its last digit is the machine's
    captures = json.loads((tmp_path / "dataset.json").read_bytes())["captures"]
    poses = [
        [pose_rows(camera) for camera in cameras]
        for scene in all_scenes()
        for cameras in scene_sets._cameras(scene, {"train": 5, "val": 4, "test": 3}).values()
    ]
    content = json.dumps([edits, captures, poses], sort_keys=True)
    assert hashlib.sha256(content.encode()).hexdigest()[:16] == known


@pytest.mark.parametrize("content", ["[1, 2]", "[]", "3", "null", "no"])
def test_a_description_that_is_no_object_is_something_else(tmp_path, content):
    (tmp_path / "dataset.json").write_text(content)
    with pytest.raises(ConfigError, match="something else"):
        write(tmp_path, "noe-toybox", "dev", 16, 2, 1)


def test_formats_have_the_fields_that_others_read(few, tmp_path):
    write(tmp_path / "noe", "noe-toybox", "dev", 16, 2, 1)
    scene = tmp_path / "noe" / "red-cube"
    for part, count in (("train", 2), ("val", 4), ("test", 1)):
        content = json.loads((scene / f"transforms_{part}.json").read_text())
        assert content["camera_angle_x"] == pytest.approx(math.radians(34))
        assert len(content["frames"]) == count
        for frame in content["frames"]:
            assert Image.open(scene / f"{frame['file_path']}.png").mode == "RGBA"
    write(tmp_path / "in2n", "in2n-toybox", "dev", 16, 2, 1)
    content = json.loads((tmp_path / "in2n" / "red-cube" / "transforms.json").read_text())
    assert content["camera_model"] == "PINHOLE"
    assert content["fl_x"] == content["fl_y"] == pytest.approx(8 / math.tan(math.radians(17)))
    assert content["applied_transform"] == torch.eye(4)[:3].tolist()
    assert len(content["frames"]) == 3
    assert content["test_filenames"] == ["images/test_000.png"]
