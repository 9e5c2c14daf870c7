"""Scene folders in nerfstudio's and NeRF-synthetic's formats, for tests of their readers."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from piva.rendering.cameras import orbit

LENS = {"fl_x": 10.0, "fl_y": 12.0, "cx": 4.5, "cy": 2.5, "w": 8, "h": 6}


def poses(count: int) -> list[list[list[float]]]:
    """Camera to world [4,4] on an arc around (1, 2, 3) in a world whose up is +y."""
    cameras = orbit(torch.linspace(0, 200, count), 20.0, 4.0, torch.zeros(3), 40.0, (6, 8))
    turn = torch.tensor([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, -1.0, 0.0]])  # z to y
    c2w = turn @ cameras.c2w
    c2w[:, :, 3] += torch.tensor([1.0, 2.0, 3.0])
    last = torch.tensor([[[0.0, 0.0, 0.0, 1.0]]]).expand(count, 1, 4)
    return torch.cat([c2w, last], dim=1).double().tolist()


def picture(seed: int, size: tuple[int, int] = (8, 6), channels: int = 3) -> Image.Image:
    """Noise of (width, height)."""
    values = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], channels), dtype=np.uint8)
    return Image.fromarray(values)


def write_nerfstudio(
    folder: Path, count: int = 10, change: Callable[[dict[str, Any]], None] | None = None
) -> dict[str, Any]:
    """`count` frames of 8x6, listed backwards; `change` edits what transforms.json will say. Returns what it says."""
    (folder / "images").mkdir(parents=True)
    for i in range(count):
        picture(i).save(folder / f"images/{i:02d}.png")
    frames = [{"file_path": f"images/{i:02d}.png", "transform_matrix": pose} for i, pose in enumerate(poses(count))]
    content: dict[str, Any] = {"camera_model": "OPENCV", **LENS, "frames": frames[::-1]}
    if change is not None:
        change(content)
    (folder / "transforms.json").write_text(json.dumps(content))
    return content


def write_synthetic(folder: Path, parts: tuple[str, ...] = ("train", "val", "test"), count: int = 3) -> None:
    """`count` RGBA pictures of 8x8 of each part, in NeRF's Blender format."""
    for seed, part in enumerate(parts):
        (folder / part).mkdir(parents=True)
        frames = []
        for i, pose in enumerate(poses(count)):
            picture(10 * seed + i, (8, 8), 4).save(folder / f"{part}/r_{i}.png")
            frames.append({"file_path": f"./{part}/r_{i}", "rotation": 0.01, "transform_matrix": pose})
        content = {"camera_angle_x": 1.2, "frames": frames}
        (folder / f"transforms_{part}.json").write_text(json.dumps(content))
