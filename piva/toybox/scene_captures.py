"""Pictures of one Toybox world and their cameras, in NeRF-synthetic's or nerfstudio's format."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

from piva.toybox.hard_scenes import in_the_afternoon
from piva.toybox.render import render, render_objects
from piva.toybox.scene import Camera, Scene
from piva.toybox.scene_cameras import Part, world_pose


@dataclass(frozen=True)
class Shots:
    """What to draw: one world, cameras, and a picture for each."""

    world: Scene  # its own camera is not used
    cameras: Mapping[Part, list[Camera]]
    size: int  # pixels
    alone: bool  # objects without ground and sky, as RGBA
    sun_moves: bool = False  # while the training pictures are taken; elsewhere the light is the world's own

    def draw(self, part: Part) -> Tensor:
        """The pictures of a part: uint8 [V, 3 or 4, size, size]."""
        places = [dataclasses.replace(self.world.placement, camera=camera) for camera in self.cameras[part]]
        if self.sun_moves and part == "train":
            places = [in_the_afternoon(place, k / max(1, len(places) - 1)) for k, place in enumerate(places)]
        scenes = [self.world.replace(placement=place) for place in places]
        pictures = render_objects(scenes, self.size) if self.alone else render(scenes, self.size).image
        return pictures.mul(255).round().to(torch.uint8)


def write_nerf_synthetic(folder: Path, shots: Shots) -> None:
    """`transforms_{train,val,test}.json` and PNGs beside them, as NeRF's Blender scenes have them."""
    for part, cameras in shots.cameras.items():
        names = [f"./{part}/r_{k:03d}" for k in range(len(cameras))]
        _save(shots.draw(part), [folder / f"{name}.png" for name in names])
        frames = [
            {"file_path": name, "transform_matrix": pose_rows(camera)}
            for name, camera in zip(names, cameras, strict=True)
        ]
        angle = math.radians(cameras[0].fov_deg)
        content = {"camera_angle_x": angle, "frames": frames}
        (folder / f"transforms_{part}.json").write_text(json.dumps(content, indent=1))


def write_nerfstudio(folder: Path, shots: Shots) -> None:
    """`transforms.json` and `images/`. The world's up is known, so readers are told to leave the orientation alone."""
    size, frames = shots.size, []
    listed: dict[Part, list[str]] = {}
    for part, cameras in shots.cameras.items():
        listed[part] = [f"images/{part}_{k:03d}.png" for k in range(len(cameras))]
        _save(shots.draw(part), [folder / name for name in listed[part]])
        frames += [
            {"file_path": name, "transform_matrix": pose_rows(camera)}
            for name, camera in zip(listed[part], cameras, strict=True)
        ]
    fov = shots.cameras["train"][0].fov_deg
    focal = size / 2 / math.tan(math.radians(fov) / 2)
    lens = {"camera_model": "PINHOLE", "w": size, "h": size, "fl_x": focal, "fl_y": focal}
    lens |= {"cx": size / 2, "cy": size / 2}
    content = {
        **lens,
        "orientation_override": "none",
        "applied_transform": torch.eye(4)[:3].tolist(),
        "train_filenames": listed["train"],
        "val_filenames": listed["test"],
        "test_filenames": listed["test"],
        "frames": frames,
    }
    (folder / "transforms.json").write_text(json.dumps(content, indent=1))


def pose_rows(camera: Camera) -> list[list[float]]:
    """Camera to world, z up, to seven decimals: the same digits on every machine."""
    return [[round(value, 7) for value in row] for row in world_pose(camera).tolist()]


def _save(pictures: Tensor, paths: list[Path]) -> None:
    paths[0].parent.mkdir(parents=True, exist_ok=True)
    for picture, path in zip(pictures, paths, strict=True):
        Image.fromarray(picture.permute(1, 2, 0).contiguous().numpy()).save(path)
