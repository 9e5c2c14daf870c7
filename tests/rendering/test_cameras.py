"""Cameras against numbers worked by hand."""

import math

import pytest
import torch

from piva.rendering.cameras import Cameras, all_rays, focus, look_at, orbit, rays_at


def _one(width: int = 4, height: int = 2) -> Cameras:
    """At (1, 2, 3), axes as the world's: it looks along -z."""
    c2w = torch.cat([torch.eye(3), torch.tensor([[1.0], [2.0], [3.0]])], dim=1)[None]
    return Cameras(c2w, torch.tensor([[2.0, 1.0]]), torch.tensor([[2.0, 1.0]]), width, height)


def test_rays_by_hand() -> None:
    rays = all_rays(_one())
    assert rays.origins.shape == rays.directions.shape == (1, 8, 3)
    assert torch.equal(rays.origins[0, 5], torch.tensor([1.0, 2.0, 3.0]))
    # pixel (0, 0): ((.5 - 2) / 2, -(.5 - 1) / 1, -1) = (-.75, .5, -1)
    expected = torch.tensor([-0.75, 0.5, -1.0])
    length = math.sqrt(0.75**2 + 0.5**2 + 1)
    assert torch.allclose(rays.directions[0, 0], expected / length)
    assert rays.cosines[0, 0].item() == pytest.approx(1 / length)
    # the last pixel of the first row looks to the right and up, the first of the second row down
    assert rays.directions[0, 3, 0] > 0
    assert rays.directions[0, 3, 1] > 0 > rays.directions[0, 4, 1]


def test_chosen_pixels_are_those_of_all_pixels() -> None:
    cameras = orbit(torch.tensor([0.0, 70.0]), 20.0, 3.0, torch.zeros(3), 40.0, (3, 5))
    every = all_rays(cameras)
    views, pixels = torch.tensor([1, 0]), torch.tensor([[2.5, 1.5], [4.5, 2.5]])
    some = rays_at(cameras, views, pixels)
    assert torch.allclose(
        some.directions, torch.stack([every.directions[1, 1 * 5 + 2], every.directions[0, 2 * 5 + 4]])
    )
    assert torch.allclose(some.cosines, torch.stack([every.cosines[1, 7], every.cosines[0, 14]]))
    assert torch.equal(every.flat().origins[15], cameras.positions[1])


def test_orbit_stands_where_it_says_and_looks_at_its_target() -> None:
    target = torch.tensor([0.0, 0.0, 0.5])
    cameras = orbit(torch.tensor([0.0, 90.0]), 30.0, 2.0, target, 60.0, (10, 20))
    sideways, upwards = 2 * math.cos(math.radians(30)), 0.5 + 2 * math.sin(math.radians(30))
    expected = torch.tensor([[sideways, 0.0, upwards], [0.0, sideways, upwards]])
    assert torch.allclose(cameras.positions, expected, atol=1e-6)
    assert torch.allclose(cameras.forward, torch.nn.functional.normalize(target - expected, dim=-1), atol=1e-6)
    assert torch.allclose(cameras.c2w[:, 2, 0], torch.zeros(2), atol=1e-6)  # right is horizontal
    assert torch.all(cameras.c2w[:, 2, 1] > 0)  # up is upwards
    assert cameras.focal[0, 0].item() == pytest.approx(5 / math.tan(math.radians(30)))
    assert torch.equal(cameras.center[0], torch.tensor([10.0, 5.0]))
    axes = cameras.c2w[:, :, :3]
    assert torch.allclose(torch.linalg.det(axes), torch.ones(2), atol=1e-5)  # right-handed


def test_look_at_takes_another_up() -> None:
    c2w = look_at(torch.tensor([[0.0, 0.0, 4.0]]), torch.zeros(3), up=torch.tensor([0.0, 1.0, 0.0]))
    assert torch.allclose(c2w[0, :, :3], torch.eye(3))


def test_a_resized_picture_shows_the_same() -> None:
    cameras = _one()
    double = cameras.cropped(8, 4)
    before = rays_at(cameras, torch.tensor([0]), torch.tensor([[1.0, 0.25]]))
    after = rays_at(double, torch.tensor([0]), torch.tensor([[2.0, 0.5]]))
    assert torch.allclose(before.directions, after.directions)
    assert (double.width, double.height) == (8, 4)


def test_chosen_cameras_keep_their_order() -> None:
    cameras = orbit(torch.tensor([0.0, 90.0, 180.0]), 0.0, 1.0, torch.zeros(3), 40.0, (2, 2))
    assert torch.equal(cameras[[2, 0]].c2w, cameras.c2w[[2, 0]])
    assert len(cameras[1]) == 1
    assert torch.equal(cameras[1].c2w[0], cameras.c2w[1])


def test_focus_is_what_the_cameras_look_at() -> None:
    target = torch.tensor([0.3, -0.2, 0.5])
    cameras = orbit(torch.tensor([0.0, 80.0, 200.0]), torch.tensor([10.0, 30.0, 50.0]), 2.0, target, 60.0, (4, 4))
    torch.testing.assert_close(focus(cameras), target, atol=2e-3, rtol=0)


def test_a_cropped_picture_is_the_middle_of_the_view() -> None:
    wide = orbit(torch.tensor([0.0]), 0.0, 2.0, torch.zeros(3), 60.0, (10, 20))
    square = wide.cropped(5, 5)
    before = rays_at(wide, torch.tensor([0, 0]), torch.tensor([[10.0, 0.0], [15.0, 10.0]]))
    after = rays_at(square, torch.tensor([0, 0]), torch.tensor([[2.5, 0.0], [5.0, 5.0]]))
    torch.testing.assert_close(after.directions, before.directions)
