"""`piva render FIELD`: a video of a reconstructed or edited scene."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro
from pydantic import PositiveInt

from piva.commands.arguments import parse
from piva.config import Settings, runtime
from piva.errors import COMPLETE, ConfigError

if TYPE_CHECKING:
    from torch import Tensor

    from piva.rendering.cameras import Cameras
    from piva.representations.radiance_field import RadianceField

ABOUT = """\
Render a radiance field along a camera path, as a video or as pictures.

examples:
  piva render reconstructions/bear-0123456789abcdef
  piva render field.safetensors --path path.json --out frames
  piva render reconstructions/bear-0123456789abcdef --path captures/bear/transforms.json
"""


class RenderConfig(Settings):
    """What `piva render` does."""

    field: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="FIELD")] = runtime()
    """A field's file, or the folder of a reconstruction or an edit."""

    path: str = runtime("orbit")
    """orbit: once around what the capture looked at. Otherwise a file: a camera path of nerfstudio's viewer (JSON), or
    the transforms.json (transforms_train.json) of the capture, whose own cameras are then gone along."""

    frames: int = runtime(120, ge=1)
    """Of an orbit."""

    elevation: float = runtime(20.0, gt=-90, lt=90)
    """Of an orbit, in degrees above the horizontal."""

    fov: float = runtime(40.0, gt=0, lt=180)
    """Vertical field of view of an orbit, in degrees; its radius follows, so that the scene fills the picture."""

    size: tuple[PositiveInt, PositiveInt] = runtime((256, 256))
    """Height and width in pixels."""

    fps: float = runtime(24.0, gt=0)
    """Frames a second."""

    out: Path | None = runtime(None)
    """An .mp4, or a folder for one PNG a frame; render.mp4 beside the field otherwise."""

    depth: bool = runtime(False)
    """Inverse depth in place of colours: what is nearest in any of the frames is white, so that none flickers."""

    device: str = runtime("cpu")
    """Where it runs: cpu, cuda."""


def main(arguments: Sequence[str]) -> int:
    """Writes the video or the pictures, and says where."""
    config = parse(RenderConfig, "render", arguments, ABOUT)
    out = config.out or (config.field if config.field.is_dir() else config.field.parent) / "render.mp4"
    if out.suffix not in ("", ".mp4"):
        raise ConfigError(f"--out {out}: give an .mp4, or a folder")
    import torch

    from piva.allocator import keep_freed_memory
    from piva.data.camera_paths import read_path
    from piva.devices import pick_device
    from piva.disk import disk
    from piva.rendering.paths import around
    from piva.representations.radiance_field import RadianceField

    keep_freed_memory()
    device = pick_device(config.device, "--device")
    file = _field_in(config.field) if config.field.is_dir() else config.field
    scene = RadianceField.load(file, device)
    if config.path == "orbit":
        cameras = around(scene.space, config.frames, config.elevation, config.fov, config.size)
    else:
        cameras = read_path(Path(config.path), config.size, _orient(scene))
    views = torch.stack(_views(scene, cameras.to(device), config.depth))
    if config.depth:
        views /= views.amax().clamp_min(1e-6)
    with disk(out):
        _write(out, views, config.fps)
    print(out)
    return COMPLETE


def _field_in(folder: Path) -> Path:
    """The file that `piva reconstruct`, or `piva edit-scene`, left in a folder."""
    from piva.commands.edit_scene import FIELD_FILE as EDITED
    from piva.scenes.reconstruction import FIELD_FILE

    edited = folder / EDITED
    return edited if edited.is_file() else folder / FIELD_FILE


def _orient(scene: "RadianceField") -> "Tensor | None":
    """From the world of the capture's files to the scene's, [4,4]: bounded scenes keep theirs."""
    import torch

    return torch.eye(4) if scene.orient is None and scene.space.bounded else scene.orient


def _views(scene: "RadianceField", cameras: "Cameras", depth: bool) -> "list[Tensor]":
    """[3,H,W] of each camera, one after the other; depths are not scaled yet."""
    import torch
    from rich.progress import track

    from piva.rendering.depth_pictures import nearness

    views = []
    with torch.no_grad():
        for view in track(range(len(cameras)), "rendering"):
            seen = scene.render(cameras[view])
            views.append((nearness(seen).expand(-1, 3, -1, -1) if depth else seen.image)[0].cpu())
    return views


def _write(out: Path, views: "Tensor", fps: float) -> None:
    from piva.data.images import to_pil
    from piva.rendering.video import write_video

    if out.suffix == ".mp4":
        write_video(out, views, fps)
        return
    out.mkdir(parents=True, exist_ok=True)
    for number, view in enumerate(views):
        to_pil(view).save(out / f"{number:04d}.png")
