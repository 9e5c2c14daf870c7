import math

import pytest
import torch

from piva.toybox import vocabulary as words
from piva.toybox.render import FAR, render, render_objects
from piva.toybox.scene import Camera, Companion, Placement, Scene, sample_scene
from piva.toybox.views import camera_rays, camera_to_world

PLACE = Placement(Camera(30.0, 20.0, 4.5), yaw_deg=40.0, sun_azimuth_deg=60.0, companion_azimuth_deg=120.0)
RED_CUBE = Scene("cube", "red", PLACE)


def test_a_scene_is_the_same_picture_alone_and_in_any_company():
    scenes = [sample_scene(i, "train") for i in range(24)]
    together = render(scenes, 32)
    for i in (0, 7, 23):
        assert torch.allclose(render([scenes[i]], 32).image[0], together.image[i], atol=2e-5)
    assert torch.equal(render(scenes, 32).image, together.image)


def test_ranges_and_shapes():
    out = render([sample_scene(i, "test") for i in range(40)], 32)
    assert out.image.shape == (40, 3, 32, 32)
    assert out.image.min() >= 0
    assert out.image.max() <= 1
    assert out.depth.min() > 1
    assert out.depth.max() <= FAR
    assert torch.isfinite(out.image).all()


def test_the_camera_looks_at_its_target():
    camera = Camera(azimuth_deg=70.0, elevation_deg=25.0, distance=5.0)
    pose = camera_to_world(camera)
    rays = camera_rays([camera], 33)  # odd: one ray through the middle
    middle = rays.direction[0, 33 * 33 // 2]
    target = torch.tensor([0.0, camera.target_height, 0.0])
    assert torch.allclose(pose[:3, 3] + 5.0 * middle, target, atol=1e-5)
    assert torch.allclose(pose[:3, :3] @ pose[:3, :3].T, torch.eye(3), atol=1e-6)
    assert torch.det(pose[:3, :3]) == pytest.approx(1.0, abs=1e-5)


def test_depth_of_a_sphere_is_the_closed_form():
    place = Placement(Camera(0.0, 0.0, 5.0, target_height=0.5))
    scene = Scene("sphere", "blue", place, size="medium")
    radius = 0.5 * words.SIZES["medium"]
    out = render([scene], 65)
    height = radius - 0.5  # the sphere's centre against the optical axis, which is at y = 0.5
    expected = 5.0 - (radius**2 - height**2) ** 0.5
    assert out.depth[0, 0, 32, 32].item() == pytest.approx(expected, abs=2e-3)


def test_ground_depth_is_the_plane_s():
    place = Placement(Camera(0.0, 30.0, 5.0))
    out = render([Scene("sphere", "blue", place, size="small")], 64)
    rays = camera_rays([place.camera], 64)
    corner = 63 * 64  # bottom left: open ground
    distance = rays.origin[0, 1] / -rays.direction[0, corner, 1]
    assert out.depth[0, 0, 63, 0].item() == pytest.approx((distance * rays.cosine[0, corner]).item(), rel=1e-5)


def test_masks_show_what_is_there_and_are_disjoint():
    scene = RED_CUBE.replace(hat="blue", companion=Companion("sphere", "green"))
    out = render([scene, RED_CUBE], 64)
    counts = {name: mask.flatten(1).sum(1).tolist() for name, mask in out.masks.items()}
    assert all(values[0] > 20 for values in counts.values())
    assert counts["hat"][1] == counts["companion"][1] == 0
    assert torch.stack(list(out.masks.values())).sum(0).max() == 1
    red, _, blue = out.image[0][:, out.masks["hat"][0]].mean(1)
    assert blue > 1.5 * red
    red, _, blue = out.image[0][:, out.masks["subject"][0]].mean(1)
    assert red > 1.5 * blue


@pytest.mark.parametrize(
    "change",
    [
        {"color": "green"},
        {"hat": "black"},
        {"leaning": True},
        {"shiny": True},
        {"pattern": "checkered"},
        {"shape": "cone"},
    ],
)
def test_an_edit_of_the_subject_leaves_the_far_background_alone(change):
    before, after = render([RED_CUBE], 64), render([RED_CUBE.replace(**change)], 64)
    difference = (before.image - after.image).abs().amax(1)[0]
    assert (difference > 10 / 255).sum() > 25
    assert difference[:6].max() < 2 / 255  # sky
    assert difference[-4:, :12].max() < 2 / 255  # the ground in a front corner


def test_at_night_it_is_dark_and_a_sketch_is_pale():
    day, night, sketch = (
        render([RED_CUBE.replace(**change)], 32).image for change in ({}, {"time": "night"}, {"style": "sketch"})
    )
    assert night.mean() < 0.5 * day.mean()
    assert (sketch.amax(1) - sketch.amin(1)).mean() < 0.6 * (day.amax(1) - day.amin(1)).mean()


def test_shadows_fall_away_from_the_sun():
    def shadow_side(sun_azimuth):
        place = Placement(Camera(0.0, 25.0, 4.8), sun_azimuth_deg=sun_azimuth, sun_elevation_deg=40.0)
        bare = render([Scene("sphere", "white", place, size="small", ground="snow")], 64)
        ground = bare.image[0].mean(0).masked_fill(bare.masks["subject"][0], 1.0)
        dark = (ground[36:] < 0.55).nonzero()
        return dark[:, 1].float().mean()

    assert shadow_side(80.0) < 30 < 34 < shadow_side(-80.0)


def test_no_scenes_is_an_error():
    with pytest.raises(ValueError, match="at least one scene"):
        render([])


GOLDEN = {
    0: [216.08, 197.03, 170.63, 211.64, 186.67, 132.65],
    1: [230.63, 226.65, 235.43, 221.06, 216.52, 223.04],
    2: [192.85, 194.56, 194.0, 186.37, 149.75, 102.96],
    3: [177.15, 135.21, 73.73, 70.23, 84.75, 30.76],
}
"""Seed of a dev scene -> mean red, green and blue of its 64x64 picture, times 255, above and below the middle."""


@pytest.mark.parametrize("seed", GOLDEN)
def test_the_world_looks_as_it_did_when_its_version_was_set(seed):
    """Another picture means another PIE-Toybox: raise `piva.toybox.pie_toybox.VERSION`, and note it in CHANGELOG."""
    halves = render([sample_scene(seed, "dev")]).image[0].unflatten(1, (2, -1))  # [3,2,32,64]
    found = 255 * halves.mean(dim=(2, 3)).T.flatten()
    torch.testing.assert_close(found, torch.tensor(GOLDEN[seed]), atol=0.05, rtol=0)


OBJECTS = [RED_CUBE, RED_CUBE.replace(shape="sphere", hat="blue"), RED_CUBE.replace(shiny=True, ground="snow")]


def test_objects_alone_are_the_objects_of_the_whole_picture():
    whole, alone = render(OBJECTS, 64), render_objects(OBJECTS, 64)
    assert alone.shape == (3, 4, 64, 64)
    solid = (alone[:, 3] == 1)[:, None].expand(-1, 3, -1, -1)
    assert solid.float().mean() > 0.02
    assert torch.equal(alone[:, :3][solid], whole.image[solid])
    assert torch.equal(alone[:, 3:] >= 0.5, whole.objects)
    assert alone[:, :3][(alone[:, 3:] == 0).expand(-1, 3, -1, -1)].max() == 0


def test_alpha_of_a_sphere_adds_up_to_its_disc():
    """Alpha falls from 1 to 0 within the pixel outside the silhouette: the disc's radius is half a pixel more."""
    place = Placement(Camera(0.0, 0.0, 5.0, target_height=0.475))
    alpha = render_objects([Scene("sphere", "blue", place)], 128)[0, 3]
    radius, focal = 0.5 * words.SIZES["medium"], 64 / math.tan(math.radians(17))
    in_pixels = focal * radius / (5.0**2 - radius**2) ** 0.5
    assert alpha.sum().item() == pytest.approx(math.pi * (in_pixels + 0.5) ** 2, rel=0.01)
    assert ((alpha > 0.05) & (alpha < 0.95)).sum() > 50


def test_no_objects_alone_without_scenes():
    with pytest.raises(ValueError, match="at least one scene"):
        render_objects([])
