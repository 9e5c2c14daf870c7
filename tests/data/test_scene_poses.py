"""nerfstudio's normalisation in numbers worked by hand."""

import pytest
import torch

from piva.data.scene_poses import normalisation, placed


def _pose(axes, position):
    pose = torch.eye(4, dtype=torch.float64)
    pose[:3, :3] = torch.tensor(axes, dtype=torch.float64)
    pose[:3, 3] = torch.tensor(position, dtype=torch.float64)
    return pose


UPRIGHT_IN_Y = [[1, 0, 0], [0, 1, 0], [0, 0, 1]]


def test_up_becomes_z_the_middle_the_origin_and_the_largest_coordinate_1():
    poses = torch.stack([_pose(UPRIGHT_IN_Y, [0, 0, 0]), _pose(UPRIGHT_IN_Y, [2, 0, 4])])
    orient = normalisation(poses, "up")
    # y to z, so z to -y; middle (1, 0, 2); largest coordinate 2
    expected = [[0.5, 0, 0, -0.5], [0, 0, -0.5, 1], [0, 0.5, 0, 0], [0, 0, 0, 1]]
    torch.testing.assert_close(orient, torch.tensor(expected, dtype=torch.float64))
    c2w = placed(poses, orient)
    assert c2w[:, :, 3].tolist() == [[-0.5, 1, 0], [0.5, -1, 0]]
    torch.testing.assert_close(c2w[0, :, 1], torch.tensor([0.0, 0.0, 1.0], dtype=torch.float64))  # up
    torch.testing.assert_close(c2w[0, :, 2], torch.tensor([0.0, -1.0, 0.0], dtype=torch.float64))  # backward


@pytest.mark.parametrize("up", [[0.3, -0.5, 0.7], [1, 0, 0], [0, 0, 1], [0.1, 0, -0.9], [0, 0, -1]])
def test_any_up_is_turned_by_a_rotation(up):
    up = torch.nn.functional.normalize(torch.tensor(up, dtype=torch.float64), dim=0)
    right = torch.linalg.cross(up, torch.tensor([0.2, 0.9, 0.1], dtype=torch.float64))
    right = right / right.norm()
    axes = torch.stack([right, up, torch.linalg.cross(right, up)], dim=-1)
    pose = _pose(axes.tolist(), [5, 6, 7])
    turn = normalisation(pose[None], "up")[:3, :3]  # one camera: nothing to scale by
    torch.testing.assert_close(turn @ turn.T, torch.eye(3, dtype=torch.float64))
    assert float(torch.linalg.det(turn)) == pytest.approx(1)
    torch.testing.assert_close(turn @ up, torch.tensor([0.0, 0.0, 1.0], dtype=torch.float64))
    assert placed(pose[None], normalisation(pose[None], "up"))[0, :, 3].abs().max() < 1e-12


def test_orientation_none_only_moves_and_scales():
    poses = torch.stack([_pose(UPRIGHT_IN_Y, [0, 0, 0]), _pose(UPRIGHT_IN_Y, [2, 0, 4])])
    expected = [[0.5, 0, 0, -0.5], [0, 0.5, 0, 0], [0, 0, 0.5, -1], [0, 0, 0, 1]]
    torch.testing.assert_close(normalisation(poses, "none"), torch.tensor(expected, dtype=torch.float64))
