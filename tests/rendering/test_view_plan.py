"""Which cameras a step looks through."""

import torch

from piva.rendering.cameras import orbit
from piva.rendering.view_plan import CapturedViews, OrbitViews

CAMERAS = orbit(torch.arange(7) * 30.0, torch.linspace(10, 30, 7), torch.linspace(2, 4, 7), torch.ones(3), 40.0, (8, 8))


def test_every_captured_view_comes_once_a_round_in_an_order_of_its_own():
    plan = CapturedViews(CAMERAS, 2, seed=0, case_id="a")
    views = [view for step in range(7) for view in plan.at(step).views]
    assert sorted(views[:7]) == sorted(views[7:]) == list(range(7))
    assert views[:7] != views[7:]
    assert torch.equal(plan.at(3).cameras.c2w, CAMERAS.c2w[views[6:8]])
    assert views == [view for step in range(7) for view in CapturedViews(CAMERAS, 2, 0, "a").at(step).views]
    assert views != [view for step in range(7) for view in CapturedViews(CAMERAS, 2, 1, "a").at(step).views]


def test_an_orbit_stays_in_the_range_of_the_captured_cameras_and_looks_from_all_sides():
    plan = OrbitViews(CAMERAS, 4, seed=0, case_id="a")
    chosen = [plan.at(step) for step in range(20)]
    assert chosen[0].views == (None,) * 4
    offsets = torch.stack([one.cameras.positions for one in chosen]) - 1
    distances = offsets.norm(dim=-1)
    elevations = torch.rad2deg((offsets[..., 2] / distances).asin())
    assert 1.9 < distances.min() < 2.5
    assert 3.5 < distances.max() < 4.1
    assert 9 < elevations.min() < 14
    assert 26 < elevations.max() < 31
    azimuths = torch.rad2deg(torch.atan2(offsets[..., 1], offsets[..., 0])) % 360
    gaps = (azimuths - azimuths[:, :1]) % 360
    torch.testing.assert_close(gaps, torch.tensor([0.0, 90, 180, 270]).expand(20, 4), atol=0.2, rtol=0)
    assert azimuths[:, 0].std() > 50
    torch.testing.assert_close(chosen[3].cameras.focal, CAMERAS.focal[:4])


def test_an_orbit_of_a_lone_camera_goes_around_what_it_looks_at():
    lone = orbit(torch.tensor([70.0]), 30.0, 4.0, torch.zeros(3), 40.0, (8, 8))
    at = OrbitViews(lone, 3, seed=0, case_id="a").at(0).cameras.positions
    torch.testing.assert_close(at.norm(dim=-1), torch.full((3,), 4.0))
    torch.testing.assert_close(at[:, 2], torch.full((3,), 2.0))  # 4 sin 30
