"""Which pixel shows what, against rays that meet spheres in closed form; and which pixels should stay."""

import math
from dataclasses import replace

import pytest
import torch

from piva.rendering.cameras import all_rays, orbit
from piva.toybox import vocabulary as words
from piva.toybox.object_views import LEFT_ALONE, object_views, toybox_rays
from piva.toybox.render import render, render_along
from piva.toybox.scene import Camera, Clutter, Placement, Scene
from piva.toybox.scene_cameras import WORLD_FROM_TOYBOX, world_pose
from piva.toybox.views import camera_rays

SIZE, FOV = 48, 34.0
BALL = Clutter("sphere", "green", 0.6, azimuth_deg=0.0, distance=1.0)
PLACE = Placement(Camera(0.0, 20.0, 4.75), sun_azimuth_deg=50.0, clutter=(BALL,))
WORLD = Scene("sphere", "red", PLACE, size="medium")
ORIENT = torch.eye(4)  # from the file's world: half as large, moved
ORIENT[:3] = torch.cat([0.5 * torch.eye(3), torch.tensor([[0.1], [-0.2], [0.3]])], dim=1)


def cameras(azimuths_deg, elevation_deg=15.0):
    """Around the subject, in the oriented world; 270 stands on Toybox's side of azimuth 0."""
    center = ORIENT[:3, :3] @ torch.tensor([0.0, 0.0, 0.6]) + ORIENT[:3, 3]
    return orbit(torch.tensor(azimuths_deg), elevation_deg, 0.5 * 4.75, center, FOV, (SIZE, SIZE))


def met(views, center, radius):
    """Distance at which every pixel's ray meets a sphere of the file's world, inf where it misses: [V,N]. Also by how
    many pixels' widths it passes the sphere's surface."""
    rays = all_rays(views)
    center = ORIENT[:3, :3] @ torch.tensor(center) + ORIENT[:3, 3]
    offset = center - rays.origins
    along = (offset * rays.directions).sum(-1)
    passes = (offset.square().sum(-1) - along.square()).clamp(min=0).sqrt()
    radius = 0.5 * radius
    distance = torch.where(passes < radius, along - (radius**2 - passes**2).clamp(min=0).sqrt(), torch.inf)
    return distance, (passes - radius).abs() / (along / views.focal[0, 0])


SUBJECT_RADIUS = 0.5 * words.SIZES["medium"]
SUBJECT = ((0.0, 0.0, SUBJECT_RADIUS), SUBJECT_RADIUS)
BALL_IN_FILE = ((0.0, -1.0, 0.3), 0.3)  # Toybox's (0, 0.3, 1)


def test_the_mask_of_a_sphere_is_where_rays_meet_it():
    world = WORLD.replace(placement=replace(PLACE, clutter=()))
    views = cameras([10.0, 130.0, 250.0])
    found = object_views(world, world.replace(hat="blue"), views, ORIENT)
    distance, off = met(views, *SUBJECT)
    clear = off > 0.6
    mask = render_along([world] * 3, toybox_rays(views, ORIENT), (SIZE, SIZE)).owner == 0
    assert torch.equal(mask.flatten(1)[clear], torch.isfinite(distance)[clear])
    share = math.pi * (SIZE / 2 * SUBJECT_RADIUS / 4.75 / math.tan(math.radians(FOV / 2))) ** 2  # seen from afar
    assert mask.flatten(1).sum(1).tolist() == pytest.approx([share] * 3, rel=0.12)
    assert set(found.kept) == {"subject"}
    assert not (found.kept["subject"] & ~mask).any()


def test_a_pixel_belongs_to_the_nearest_object():
    views = cameras([270.0, 300.0, 90.0])  # before the ball, beside it, behind the subject
    found = object_views(WORLD, WORLD.replace(hat="blue"), views, ORIENT)
    subject, off_subject = met(views, *SUBJECT)
    ball, off_ball = met(views, *BALL_IN_FILE)
    clear = (off_subject > 1) & (off_ball > 1)
    both = torch.isfinite(subject) & torch.isfinite(ball)
    assert both.sum(1)[[0, 2]].min() > 25
    seen = render_along([WORLD] * 3, toybox_rays(views, ORIENT), (SIZE, SIZE)).owner.flatten(1)
    nearest = torch.where(ball < subject, 3, 0)
    nearest = torch.where(torch.isfinite(subject) | torch.isfinite(ball), nearest, -1)
    assert torch.equal(seen[clear], nearest[clear])
    ball_in_front, ball_behind = (found.kept["clutter-1"][view].flatten()[both[view]] for view in (0, 2))
    assert ball_in_front.float().mean() > 0.9
    assert ball_behind.float().mean() < 0.1


def test_rays_of_a_capture_are_those_of_the_camera_it_was_drawn_from():
    camera = PLACE.camera
    pose = world_pose(camera)
    views = replace(cameras([0.0]), c2w=torch.cat([pose[:3, :3], 0.5 * pose[:3, 3:] + ORIENT[:3, 3:]], dim=1)[None])
    ours, theirs = toybox_rays(views, ORIENT), camera_rays([camera], SIZE)
    torch.testing.assert_close(ours.origin, theirs.origin, atol=1e-5, rtol=0)
    torch.testing.assert_close(ours.direction, theirs.direction, atol=1e-5, rtol=0)
    assert ours.pixel_width == pytest.approx(theirs.pixel_width)
    drawn = render_along([WORLD], ours, (SIZE, SIZE))
    torch.testing.assert_close(drawn.image, render([WORLD], SIZE).image, atol=2e-3, rtol=0)
    assert torch.allclose(WORLD_FROM_TOYBOX @ WORLD_FROM_TOYBOX.T, torch.eye(3))


def test_what_should_stay_and_what_changes():
    views = cameras([250.0, 320.0])
    red, blue = WORLD, WORLD.replace(color="blue")
    found = object_views(red, blue, views, ORIENT)
    before, after = (render_along([world] * 2, toybox_rays(views, ORIENT), (SIZE, SIZE)) for world in (red, blue))
    assert set(found.kept) == {"clutter-1"}
    assert torch.equal(found.changed, before.owner == 0)
    same = (before.image - after.image).abs().amax(1) <= LEFT_ALONE
    assert torch.equal(found.kept["clutter-1"], (before.owner == 3) & same)
    assert found.kept["clutter-1"].sum() > 0.9 * (before.owner == 3).sum()
    everything = torch.stack([*found.kept.values(), *found.backdrop.values(), found.changed]).sum(0)
    assert everything.max() == 1
    assert torch.equal(everything == 0, ~same & (before.owner != 0))


def test_where_the_true_edit_casts_another_shadow_nothing_should_stay():
    views = cameras([250.0, 320.0])
    found = object_views(WORLD, WORLD.replace(hat="black"), views, ORIENT)
    before = render_along([WORLD] * 2, toybox_rays(views, ORIENT), (SIZE, SIZE))
    ground = (before.owner < 0) & (before.depth[:, 0] < 12)
    shaded = ground & ~found.backdrop["ground"] & ~found.changed
    assert shaded.sum() > 20
    assert found.kept["subject"].sum() < (before.owner == 0).sum()  # the hat covers and shades it
    assert "hat" not in found.kept
    assert found.backdrop["sky"].sum() > 50
