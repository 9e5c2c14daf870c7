"""Captures of a scene, in nerfstudio's format (`transforms.json`) or NeRF-synthetic's (`transforms_train.json`, ...).

World: right-handed, z up; cameras have OpenGL's axes (`piva/rendering/cameras.py`). Both formats store poses so: no
axis is swapped.

A nerfstudio capture is normalised as nerfstudio's own reader does by default: orientation "up" (the mean of the
cameras' up becomes z), centre "poses" (the mean of their positions becomes the origin), auto-scale (the largest
coordinate of a position becomes 1), over all frames whose file is there. A NeRF-synthetic scene keeps its units.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from piva.data.point_cloud import PointCloudError, read_points
from piva.data.problems import DataError
from piva.data.scene_files import Listing, Shot, list_scene
from piva.data.scene_images import channels_of, files_at, read_pictures
from piva.data.scene_poses import normalisation, placed
from piva.errors import ConfigError
from piva.keys import canonical, file_hash
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
    point_colors: Tensor | None  # [N,3] in [0,1]
    orient: Tensor  # [4,4] the file's world -> ours
    skipped: int
    """Frames that are listed, but have no file."""
    downscale: int
    digest: str
    """SHA-256 of the content: every file that was read. `downscale` is not in it."""

    @property
    def transparent(self) -> bool:
        """Its pictures have opacity: they do not show what is behind the scene."""
        return self.train.images.shape[1] == 4


def read_scene(folder: Path, downscale: int = 1) -> SceneCapture:
    """The capture in `folder`.

    Args:
        downscale: pictures become this many times smaller on each side: nerfstudio's `images_2/` (for 2) where it is
            there, or means over each pixel's area.

    Raises:
        DataError: anything is malformed; lists every problem.
    """
    root = Path(folder).resolve()
    if downscale < 1:
        raise ConfigError(f"downscale is a whole number from 1 on, not {downscale}")
    listing = list_scene(root)
    orient = _orientation(listing)
    shots = [*listing.train, *listing.test]
    files = files_at(root, shots, downscale)
    pictures, problems = read_pictures(files, shots, channels_of(files), downscale)
    points, colours, wrong = _points(root, listing, orient)
    if problems or wrong:
        raise DataError(root, [*problems, *wrong])
    if listing.orientation is not None and bool((pictures[:, 3:] == 1).all()):
        pictures = pictures[:, :3]  # opaque everywhere: they show what is behind the scene
    count = len(listing.train)
    extra = [] if listing.points is None else [listing.points]
    return SceneCapture(
        name=root.name,
        folder=root,
        train=_views(listing.train, pictures[:count], orient),
        test=_views(listing.test, pictures[count:], orient),
        bounded=listing.orientation is None,
        points=points,
        point_colors=colours,
        orient=orient.float(),
        skipped=listing.skipped,
        downscale=downscale,
        digest=_digest(root, [*listing.files, *extra, *files]),
    )


def _orientation(listing: Listing) -> Tensor:
    if listing.orientation is None:
        return torch.eye(4, dtype=torch.float64)
    return normalisation(_poses([*listing.train, *listing.test, *listing.others]), listing.orientation)


def _poses(shots: Sequence[Shot]) -> Tensor:
    return torch.tensor([shot.pose for shot in shots], dtype=torch.float64).reshape(-1, 4, 4)


def _views(shots: Sequence[Shot], images: Tensor, orient: Tensor) -> Views:
    """The views of pictures that were made of the shots: intrinsics follow their size."""
    height, width = images.shape[-2:]
    shown = torch.tensor([[width / shot.size[1], height / shot.size[0]] for shot in shots]).reshape(-1, 2)
    bent = torch.tensor([shot.distortion for shot in shots]).reshape(-1, 6)
    cameras = Cameras(
        placed(_poses(shots), orient).float(),
        torch.tensor([shot.focal for shot in shots]).reshape(-1, 2) * shown,
        torch.tensor([shot.center for shot in shots]).reshape(-1, 2) * shown,
        width,
        height,
        bent if bool(bent.any()) else None,
    )
    return Views(cameras, images, tuple(shot.name for shot in shots))


def _points(root: Path, listing: Listing, orient: Tensor) -> tuple[Tensor | None, Tensor | None, list[str]]:
    """Positions in our world, colours, and what is wrong."""
    if listing.points is None:
        return None, None, []
    try:
        positions, colours = read_points(listing.points)
    except PointCloudError as problem:
        return None, None, [f"{listing.points.relative_to(root).as_posix()}: {problem}"]
    return (positions.double() @ orient[:3, :3].T + orient[:3, 3]).float(), colours, []


def _digest(root: Path, files: Sequence[Path]) -> str:
    content = [[file.relative_to(root).as_posix(), file_hash(file)] for file in files]
    return hashlib.sha256(canonical(content)).hexdigest()
