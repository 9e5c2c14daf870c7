"""A benchmark of scenes small enough for tests: balls in NeRF-synthetic's format, with a list of edits."""

import json
import math
from pathlib import Path

import torch
from capture_world import ball_pictures
from PIL import Image

from piva.rendering.cameras import orbit
from piva.rendering.fields.settings import FieldSettings
from piva.rendering.space import Space
from piva.representations.radiance_field import RadianceField
from piva.scenes.editing import SceneCase

FOV_DEG = 35.0
QUICK = [
    "--steps", "3", "--eval-views", "4", "--metrics-every", "2", "--scene.views", "1", "--tracker", "none",
    "--reconstruction.steps", "12", "--reconstruction.rays", "128", "--reconstruction.field.resolution", "16",
]  # fmt: skip
SCORES = ["--metrics", "fidelity", "lpips", "clip", "consistency", "--clip", "toybox", "--lpips", "toybox"]


def write_ball(folder: Path, train: int = 6, test: int = 2, size: int = 32, gain: float = 1.0) -> None:
    """A capture of the ball, all around; its colours times `gain`."""
    for part, count, shift in (("train", train, 0.0), ("test", test, 0.5)):
        cameras = orbit((torch.arange(count) + shift) * 360 / count, 25.0, 3.0, torch.zeros(3), FOV_DEG, (size, size))
        frames = []
        for k, (picture, pose) in enumerate(zip(ball_pictures(cameras, alpha=True), cameras.c2w, strict=True)):
            picture[:3] *= gain
            file = folder / part / f"{k}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            pixels = (picture * 255).round().byte().permute(1, 2, 0).contiguous()
            Image.fromarray(pixels.numpy()).save(file)
            frames.append({"file_path": f"./{part}/{k}", "transform_matrix": [*pose.tolist(), [0.0, 0.0, 0.0, 1.0]]})
        content = {"camera_angle_x": math.radians(FOV_DEG), "frames": frames}
        (folder / f"transforms_{part}.json").write_text(json.dumps(content))


def write_scenes(root: Path, scenes: int = 1, edits: int = 1, truth: bool = False) -> Path:
    """`edits` edits of each scene, of the three groups in turn; scene-0-0, scene-0-1, ..."""
    groups, entries = ("appearance", "addition", "translation"), []
    for s in range(scenes):
        write_ball(root / f"scene-{s}", gain=1 - 0.2 * s)
        for e in range(edits):
            entry = {"id": f"scene-{s}-{e}", "scene": f"scene-{s}", "source": "a ball", "target": f"a box {e}"}
            if truth:
                write_ball(root / "truth" / entry["id"], gain=0.5)
                entry["truth"] = f"truth/{entry['id']}"
            entries.append(entry | {"type": groups[e % 3]})
    (root / "edits.json").write_text(json.dumps(entries))
    return root


def ball() -> RadianceField:
    """A red ball in front of white, of 16^3 voxels."""
    scene = RadianceField(FieldSettings(resolution=16, samples=16), Space(torch.zeros(3), 1.0, bounded=True))
    side = torch.linspace(-1, 1, 16)
    place = torch.stack(torch.meshgrid(side, side, side, indexing="ij"), -1).view(-1, 3)
    with torch.no_grad():
        scene.field.raw_density[:, 0] = (0.5 - place.norm(dim=-1)) * 20
        scene.field.raw_color[:] = torch.tensor([2.0, -2.0, -1.0])
    return scene


def ball_case(number: int = 0) -> SceneCase:
    cameras = orbit(torch.arange(6) * 60.0, 20.0, 3.0, torch.zeros(3), 45.0, (48, 64))
    return SceneCase(f"scene-{number}", ball(), cameras, "a red ball", "a blue cube")
