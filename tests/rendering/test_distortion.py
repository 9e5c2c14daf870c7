"""Radial-tangential distortion: worked numbers, and the inverse."""

import pytest
import torch

from piva.rendering.cameras import Cameras, all_rays, orbit, project, rays_at
from piva.rendering.distortion import distort, undistort

LENS = torch.tensor([0.1, -0.2, 0.04, 0.08, 0.01, 0.02], dtype=torch.float64)
MILD = torch.tensor([0.05, -0.03, 0.0, 0.0, 0.002, -0.001])


def test_distortion_by_hand():
    # x = .5, y = .25, r = .3125; radial = 1 + .03125 - .01953125 + .001220703125 + .000762939453125
    radial = 1.013702392578125
    expected = [
        0.5 * radial + 2 * 0.01 * 0.125 + 0.02 * (0.3125 + 0.5),
        0.25 * radial + 2 * 0.02 * 0.125 + 0.01 * (0.3125 + 0.125),
    ]
    found = distort(torch.tensor([0.5, 0.25], dtype=torch.float64), LENS)
    assert found.tolist() == pytest.approx(expected, abs=1e-15)
    assert found.tolist() == pytest.approx([0.5256011962890625, 0.26280059814453125], abs=1e-15)


def test_p1_goes_with_y_and_p2_with_x():
    # OpenCV's order: on the x axis p2 adds 3 x^2 to x, p1 adds x^2 to y
    p1, p2 = torch.eye(6)[4], torch.eye(6)[5]
    point = torch.tensor([0.1, 0.0])
    torch.testing.assert_close(distort(point, p1), torch.tensor([0.1, 0.01]))
    torch.testing.assert_close(distort(point, p2), torch.tensor([0.13, 0.0]))


def test_undistorting_inverts_distorting():
    axis = torch.linspace(-0.6, 0.6, 13, dtype=torch.float64)
    points = torch.cartesian_prod(axis, axis)
    torch.testing.assert_close(undistort(distort(points, LENS), LENS), points, rtol=0, atol=1e-12)
    torch.testing.assert_close(distort(undistort(points, LENS), LENS), points, rtol=0, atol=1e-12)


def test_where_the_lens_folds_over_a_point_stays():
    # k1 = -1/3 on the x axis: d(x - x^3 / 3) / dx = 1 - x^2 is 0 at x = 1
    lens = torch.tensor([-1 / 3, 0.0, 0.0, 0.0, 0.0, 0.0], dtype=torch.float64)
    point = torch.tensor([1.0, 0.0], dtype=torch.float64)
    assert torch.equal(undistort(point, lens), point)


def _bent(count: int = 2) -> Cameras:
    plain = orbit(torch.tensor([10.0, 80.0])[:count], 20.0, 3.0, torch.zeros(3), 60.0, (6, 8))
    lenses = torch.stack([MILD, 2 * MILD])[:count]
    return Cameras(plain.c2w, plain.focal, plain.center + 0.3, plain.width, plain.height, lenses)


def test_a_pixels_ray_leads_to_what_is_seen_there():
    cameras = _bent()
    rays = all_rays(cameras)
    points = rays.origins + 2.5 * rays.directions  # [2,48,3]
    centers = torch.cartesian_prod(torch.arange(6) + 0.5, torch.arange(8) + 0.5).flip(-1)
    for view in range(2):
        pixels, depth = project(cameras[view], points[view])
        torch.testing.assert_close(pixels[0], centers, atol=1e-4, rtol=0)
        torch.testing.assert_close(depth[0], 2.5 * rays.cosines[view])
    plain = Cameras(cameras.c2w, cameras.focal, cameras.center, cameras.width, cameras.height)
    assert (project(plain, points[1])[0][1] - centers).abs().max() > 0.05  # the lens matters here


def test_distortion_follows_its_camera():
    cameras = _bent()
    assert torch.equal(cameras[[1, 0]].distortion, cameras.distortion[[1, 0]])
    assert torch.equal(cameras[1].distortion, cameras.distortion[1:])
    assert torch.equal(cameras.to("cpu").distortion, cameras.distortion)
    views, pixels = torch.tensor([1]), torch.tensor([[7.5, 0.5]])
    found = rays_at(cameras, views, pixels).directions
    assert torch.equal(found[0], all_rays(cameras).directions[1, 7])
    doubled = cameras.cropped(16, 12)
    torch.testing.assert_close(rays_at(doubled, views, 2 * pixels).directions, found)
