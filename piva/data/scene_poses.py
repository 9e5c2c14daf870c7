"""nerfstudio's normalisation of poses, as its reader does by default: orientation "up", centre "poses", auto-scale.

(`auto_orient_and_center_poses` and the nerfstudio data parser.)
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor
from torch.nn.functional import normalize


def normalisation(poses: Tensor, orientation: Literal["up", "none"]) -> Tensor:
    """[4,4] from the poses' world to ours: turned, then centred, then scaled, as one matrix.

    The mean of the cameras' up becomes +z (or nothing is turned), the mean of their positions the origin, and the
    largest coordinate of a position 1.

    Args:
        poses: [V,4,4] camera to world, float64.
    """
    positions = poses[:, :3, 3]
    turn = _turn_to_z(poses[:, :3, 1].mean(0)) if orientation == "up" else torch.eye(3, dtype=poses.dtype)
    middle = positions.mean(0)
    largest = float(((positions - middle) @ turn.T).abs().max())
    scale = 1 / largest if largest > 0 else 1.0
    found = torch.eye(4, dtype=poses.dtype)
    found[:3, :3] = scale * turn
    found[:3, 3] = -scale * (turn @ middle)
    return found


def placed(poses: Tensor, orient: Tensor) -> Tensor:
    """Camera to world [V,3,4] in the world that `orient` [4,4] leads to; axes stay of unit length.

    Args:
        poses: [V,4,4] camera to world in the world that it starts from.
    """
    moved = (orient @ poses)[:, :3]
    return torch.cat([normalize(moved[:, :, :3], dim=1), moved[:, :, 3:]], dim=-1)


def _turn_to_z(up: Tensor) -> Tensor:
    """The smallest rotation [3,3] that brings `up` [3] to +z (Rodrigues); half a turn about x where it is -z."""
    x, y, z = normalize(up, dim=0).tolist()
    if z < -1 + 1e-8:
        return torch.diag(up.new_tensor([1.0, -1.0, -1.0]))
    cross = up.new_tensor([[0.0, 0.0, -x], [0.0, 0.0, -y], [x, y, 0.0]])  # of the axis up x z = (y, -x, 0)
    return torch.eye(3, dtype=up.dtype) + cross + cross @ cross / (1 + z)
