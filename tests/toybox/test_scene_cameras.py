import pytest
import torch

from piva.rendering.cameras import all_rays, orbit
from piva.toybox.scene import Camera
from piva.toybox.scene_cameras import ARC_DEG, WORLD_FROM_TOYBOX, cameras_along, world_azimuth_deg, world_pose
from piva.toybox.views import camera_rays


def test_an_orbit_goes_all_the_way_round_at_the_elevations_of_the_training_pictures():
    cameras = cameras_along("orbit", 50.0, "train", 60)
    azimuths = torch.tensor([camera.azimuth_deg for camera in cameras])
    torch.testing.assert_close((azimuths - 50.0) % 360, 6.0 * torch.arange(60), atol=1e-3, rtol=0)
    elevations = torch.tensor([camera.elevation_deg for camera in cameras])
    distances = torch.tensor([camera.distance for camera in cameras])
    assert 14 <= elevations.min() < 15 < 29 < elevations.max() <= 30
    assert 4.5 <= distances.min() < 4.55 < 4.95 < distances.max() <= 5.0
    assert (elevations.diff().abs() > 3).all()  # neighbours differ
    assert torch.histc(elevations, 4, 14, 30).min() >= 13  # evenly


def test_test_views_lie_between_the_training_views():
    for path in ("orbit", "arc"):
        train, test = (cameras_along(path, 0.0, part, n) for part, n in (("train", 60), ("test", 12)))
        assert not {(camera.azimuth_deg, camera.elevation_deg) for camera in train} & {
            (camera.azimuth_deg, camera.elevation_deg) for camera in test
        }
    turned = [(camera.azimuth_deg + 180) % 360 - 180 for camera in test]
    assert max(map(abs, turned)) == pytest.approx(ARC_DEG / 2 * 11 / 12)
    ends = [(camera.azimuth_deg + 180) % 360 - 180 for camera in train]
    assert (min(ends), max(ends)) == pytest.approx((-ARC_DEG / 2, ARC_DEG / 2))


@pytest.mark.parametrize("part", ["train", "val", "test"])
def test_one_camera_on_an_arc_stands_in_its_middle(part):
    (camera,) = cameras_along("arc", 50.0, part, 1)
    assert camera.azimuth_deg == 50.0


def test_the_world_s_cameras_are_the_toybox_s_turned():
    camera = Camera(70.0, 25.0, 4.8)
    target = torch.tensor([0.0, 0.0, camera.target_height])
    ours = orbit(torch.tensor([world_azimuth_deg(70.0)]), 25.0, 4.8, target, camera.fov_deg, (16, 16))
    torch.testing.assert_close(world_pose(camera)[:3], ours.c2w[0], atol=1e-5, rtol=0)
    theirs = camera_rays([camera], 16)
    torch.testing.assert_close(all_rays(ours).directions[0], theirs.direction[0] @ WORLD_FROM_TOYBOX.T)
    torch.testing.assert_close(all_rays(ours).cosines[0], theirs.cosine[0])


def test_the_turn_keeps_hands_and_makes_z_up():
    assert torch.linalg.det(WORLD_FROM_TOYBOX) == 1
    assert (WORLD_FROM_TOYBOX @ torch.tensor([1.0, 2.0, 3.0])).tolist() == [1.0, -3.0, 2.0]
