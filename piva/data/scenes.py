"""Captures of a scene, in nerfstudio's format (`transforms.json`) or NeRF-synthetic's (`transforms_train.json`, ...).

World: right-handed, z up; cameras have OpenGL's axes (`piva/rendering/cameras.py`). Both formats store poses so: no
axis is swapped.

A nerfstudio capture is normalised as nerfstudio's own reader does by default: orientation "up" (the mean of the
cameras' up becomes z), centre "poses" (the mean of their positions becomes the origin), auto-scale (the largest
coordinate of a position becomes 1), over all frames whose file is there. A NeRF-synthetic scene keeps its units.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from piva.rendering.cameras import Cameras


@dataclass(frozen=True, eq=False)
class Views:
    """V photographs and their cameras. They take 4 bytes a number: 96 of 512x512 take 302 MB."""

    cameras: Cameras
    images: Tensor  # [V,3|4,H,W] in [0,1]; the fourth channel is opacity, and colour is not multiplied by it
    names: tuple[str, ...]
    """The files, as the capture names them."""

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, views: Sequence[int]) -> Views:
        """Some of the views, in the given order."""
        chosen = list(views)
        return Views(self.cameras[chosen], self.images[chosen], tuple(self.names[view] for view in chosen))

    def to(self, device: torch.device | str) -> Views:
        """The same views on `device`."""
        return replace(self, cameras=self.cameras.to(device), images=self.images.to(device))


@dataclass(frozen=True, eq=False)
class SceneCapture:
    """Photographs of a scene, and what is known of it."""

    name: str
    """The folder's name."""
    folder: Path
    train: Views
    test: Views
    """Held out; may be empty."""
    bounded: bool
    """The scene ends within [-1.5, 1.5]^3; otherwise its training cameras stand within [-1, 1]^3, and it goes on."""
    points: Tensor | None  # [N,3] sparse point cloud, in scene units
    point_colours: Tensor | None  # [N,3] in [0,1]
    orient: Tensor  # [4,4] the file's world -> ours
    skipped: int
    """Frames that are listed, but have no file."""
    downscale: int
    digest: str
    """SHA-256 of the content: every file that was read. `downscale` is not in it."""


def read_scene(folder: Path, downscale: int = 1) -> SceneCapture:
    """The capture in `folder`.

    Args:
        downscale: pictures become this many times smaller on each side.

    Raises:
        DataError: anything is malformed; lists every problem.
    """
    raise NotImplementedError
