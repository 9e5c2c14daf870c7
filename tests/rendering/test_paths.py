import math
from types import SimpleNamespace

import pytest
import torch

from piva.rendering.cameras import focus, orbit
from piva.rendering.depth_pictures import inverse_depth
from piva.rendering.paths import around, evaluation_path
from piva.rendering.space import Space
from piva.representations.radiance_field import Render


def test_an_orbit_frames_the_cube_from_all_sides():
    space = Space(torch.tensor([0.1, 0.2, 0.3]), 0.5, bounded=False)
    cameras = around(space, 8, 30.0, 60.0, (20, 30))
    away = cameras.positions - space.center
    torch.testing.assert_close(away.norm(dim=-1), torch.full((8,), 0.5 / math.tan(math.radians(30))))
    torch.testing.assert_close(away[:, 2] / away.norm(dim=-1), torch.full((8,), 0.5))  # sin 30
    torch.testing.assert_close(torch.nn.functional.normalize(-away, dim=-1), cameras.forward, atol=1e-6, rtol=0)
    assert (cameras.height, cameras.width) == (20, 30)


def test_inverse_depth_is_1_where_nearest_and_0_in_the_background():
    depth = torch.tensor([[[[2.0, 4.0, 100.0]]]])
    render = Render(torch.zeros(1, 3, 1, 3), depth, torch.tensor([[[[1.0, 1.0, 0.0]]]]))
    assert inverse_depth(render).flatten().tolist() == [1.0, 0.5, 0.0]


def capture_of(azimuths, elevations=30.0):
    """A capture, as far as a path needs it: cameras of 40x60 pictures around a point off the origin."""
    center = torch.tensor([0.2, -0.1, 0.3])
    return SimpleNamespace(
        train=SimpleNamespace(cameras=orbit(torch.tensor(azimuths), elevations, 2.0, center, 50.0, (40, 60)))
    )


def seen_from(cameras, center):
    """Azimuths and elevations in degrees, distances."""
    away = cameras.positions - center
    distance = away.norm(dim=-1)
    azimuth = torch.rad2deg(torch.atan2(away[:, 1], away[:, 0])) % 360
    return azimuth, torch.rad2deg((away[:, 2] / distance).asin()), distance


def test_an_edit_is_scored_all_around_where_the_capture_goes_all_around():
    capture = capture_of([30.0, 90.0, 150.0, 210.0, 270.0, 330.0], torch.tensor([20.0, 25, 30, 35, 40, 30]))
    cameras, closed = evaluation_path(capture, 8, (32, 32))
    center = focus(capture.train.cameras)
    azimuth, elevation, distance = seen_from(cameras, center)
    assert closed
    torch.testing.assert_close(azimuth, (azimuth[0] + torch.arange(8) * 45.0) % 360, atol=1e-3, rtol=0)
    torch.testing.assert_close(azimuth[0], torch.tensor(30.0), atol=0.5, rtol=0)
    torch.testing.assert_close(elevation, torch.full((8,), 30.0), atol=1.0, rtol=0)
    torch.testing.assert_close(distance, torch.full((8,), 2.0), atol=0.05, rtol=0)
    assert cameras.focal[0, 1].item() == pytest.approx(16 / math.tan(math.radians(25)))  # the height is kept whole


def test_an_arc_is_gone_along_from_end_to_end():
    cameras, closed = evaluation_path(capture_of([20.0, 350.0, 330.0, 0.0]), 6, (20, 30))
    azimuth, _, _ = seen_from(cameras, torch.tensor([0.2, -0.1, 0.3]))
    assert not closed
    torch.testing.assert_close((azimuth + 90) % 360, torch.arange(60.0, 111, 10), atol=0.1, rtol=0)
    assert (cameras.height, cameras.width) == (20, 30)


def test_a_lone_camera_is_swayed_around_what_it_looks_at():
    lone = orbit(torch.tensor([70.0]), 30.0, 4.0, torch.zeros(3), 50.0, (40, 60))
    cameras, closed = evaluation_path(SimpleNamespace(train=SimpleNamespace(cameras=lone)), 7, (20, 30))
    azimuth, elevation, distance = seen_from(cameras, torch.zeros(3))
    assert not closed
    torch.testing.assert_close(azimuth, 70 + torch.linspace(-15, 15, 7), atol=1e-3, rtol=0)
    torch.testing.assert_close(elevation, torch.full((7,), 30.0), atol=1e-3, rtol=0)
    torch.testing.assert_close(distance, torch.full((7,), 4.0))
    torch.testing.assert_close(cameras.c2w[3], lone.c2w[0], atol=1e-5, rtol=0)


def test_a_lone_camera_that_looks_away_from_the_origin_looks_ahead():
    ahead = orbit(torch.tensor([0.0]), 0.0, 1.0, torch.tensor([-5.0, 0.0, 0.0]), 50.0, (8, 8))  # at x = -4, towards -x
    assert evaluation_path(SimpleNamespace(train=SimpleNamespace(cameras=ahead)), 3, (8, 8))[0].c2w.isfinite().all()
