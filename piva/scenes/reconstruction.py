"""Reconstruct a captured scene: photographs and settings in, a radiance field and its scores out.

<folder>/
    field.safetensors         the field
    reconstruction.json       what it was made of, and its scores on the held-out views
    checkpoint.safetensors    only while the fit is under way: a killed one goes on from here, to the same field
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from pydantic import BaseModel, ValidationError
from torch import Tensor

from piva.checkpoint import Checkpoint
from piva.config import Color, identity_values
from piva.data.images import resize_image, to_eight_bits
from piva.data.problems import DataError
from piva.data.scenes import SceneCapture, Views
from piva.disk import disk, write_atomically
from piva.errors import ConfigError
from piva.keys import digest
from piva.metrics.fidelity import psnr, ssim
from piva.modules.fitting import fit
from piva.modules.reconstruction_settings import ReconstructionSettings
from piva.modules.scene_reconstruction import SceneReconstruction
from piva.rendering.fields.settings import FieldSettings
from piva.rendering.space import Space, unbounded_space
from piva.representations.radiance_field import RadianceField, Render, fit_of

VERSION = 1
"""Raised when the same photographs and settings give another field."""
FIELD_FILE, RECORD_FILE, CHECKPOINT_FILE = "field.safetensors", "reconstruction.json", "checkpoint.safetensors"
BOUNDED_HALF_SIDE = 1.5
"""Scene units: NeRF-synthetic objects lie in [-1.5, 1.5]^3."""
LEAST_SCALE = 1e-3
"""Ours, in scene units: cameras that look at something nearer do not say where the scene is."""


class ReconstructionRecord(BaseModel):
    """What a finished reconstruction is."""

    version: int = VERSION
    key: str
    scene: str
    digest: str
    """Of the capture's content."""
    downscale: int
    settings: dict[str, Any]
    train_views: int
    test_views: int
    seconds: float
    """Of the fit, all launches together."""
    scores: dict[str, float | None]
    """Means over the held-out views: psnr (dB), ssim, lpips; None without views."""
    lpips_net: str


def reconstruction_key(capture: SceneCapture, settings: ReconstructionSettings) -> str:
    """Sixteen hexadecimal digits of everything that the field depends on."""
    field = settings.field.suited(capture.bounded, capture.transparent)
    facts = {"version": VERSION, "capture": capture.digest, "downscale": capture.downscale}
    return digest(facts | identity_values(settings.model_copy(update={"field": field})))


def empty_scene(capture: SceneCapture, settings: ReconstructionSettings) -> RadianceField:
    """A field for this capture that shows nothing yet.

    Raises:
        DataError: the cameras stand where they look, as a single one does; or a sky is to be learned of pictures that
            show none.
    """
    field = settings.field.suited(capture.bounded, capture.transparent)
    if field.background == "sky" and capture.transparent:
        raise DataError(capture.folder, ["its pictures are transparent, so no sky can be learned: take the constant"])
    if capture.bounded:
        space = Space(torch.zeros(3), BOUNDED_HALF_SIDE, bounded=True)
    else:
        space = unbounded_space(capture.train.cameras)
        if space.scale < LEAST_SCALE:
            raise DataError(capture.folder, ["its training cameras all stand in one place, where they look"])
    scene = RadianceField(field, space)
    scene.orient = capture.orient
    return scene


def color_behind(capture: SceneCapture, settings: FieldSettings, given: Color | None) -> Color | None:
    """What is behind the reconstructed scene: the given colour, else its constant; None where it has learned a sky.

    Raises:
        ValueError: a colour is given for a scene that has a sky.
    """
    field = settings.suited(capture.bounded, capture.transparent)
    if field.background == "constant":
        return given or field.background_color
    if given is not None:
        raise ValueError(f"no background is to be given: the photographs of {capture.name} show what is behind it")
    return None


def reconstruct(
    capture: SceneCapture,
    settings: ReconstructionSettings,
    folder: Path,
    device: torch.device | str = "cpu",
    on_step: Callable[[int, Tensor], None] | None = None,
) -> tuple[RadianceField, float]:
    """The field fitted to the training views, and the seconds it took; goes on from what `folder` holds.

    Writes field.safetensors. A killed fit goes on from its checkpoint; the draws are keyed by step, so that it ends in
    the same field. One that was killed after it had written the field has nothing left to do.

    Args:
        on_step: called with every step's number and loss [], which lies on the device.

    Raises:
        DataError: the cameras do not say where the scene is, or the field left the finite numbers.
    """
    key = reconstruction_key(capture, settings)
    file = folder / FIELD_FILE
    if file.is_file() and (made := fit_of(file)).get("key") == key:
        (folder / CHECKPOINT_FILE).unlink(missing_ok=True)
        return RadianceField.load(file, device), float(made["seconds"])
    scene = empty_scene(capture, settings).to(device)
    module = SceneReconstruction(settings, scene, capture.train.to(device), key)
    checkpoint = Checkpoint(folder / CHECKPOINT_FILE, key, module, device)

    def done(index: int, loss: Tensor) -> None:
        checkpoint.step_done(index + 1)
        if on_step is not None:
            on_step(index, loss)

    module.on_step = done
    fit(module, range(checkpoint.steps, settings.steps), torch.device(device))
    if not all(bool(p.isfinite().all()) for p in scene.parameters()):
        checkpoint.remove()
        raise DataError(capture.folder, ["its field left the finite numbers: try smaller learning rates"])
    scene.refresh_occupancy()
    with disk(folder):
        scene.save(file, {"key": key, "seconds": checkpoint.seconds})
        checkpoint.remove()
    return scene, checkpoint.seconds


def photographs(views: Views, color: Sequence[float] | Tensor) -> Tensor:
    """The views' pictures [V,3,H,W]; transparent ones are put on `color`."""
    if views.images.shape[1] == 3:
        return views.images
    behind = torch.as_tensor(color, device=views.images.device).view(1, 3, 1, 1)
    return torch.lerp(behind, views.images[:, :3], views.images[:, 3:])


def cropped_views(views: Views, color: Sequence[float] | Tensor, size: tuple[int, int]) -> Views:
    """The middle of the photographs in this (H, W), on `color`, and its cameras; [V,3,H,W], rounded to 8 bits.

    `Cameras.cropped` has the exact middle. Where the margin is odd, photographs are cut half a pixel before it, and the
    cameras follow.
    """
    shown = photographs(views, color)
    height, width = shown.shape[-2:]
    share = min(height / size[0], width / size[1])
    rows, columns = round(size[0] * share), round(size[1] * share)
    top, left = (height - rows) // 2, (width - columns) // 2
    middle = shown[..., top : top + rows, left : left + columns]
    images = torch.stack([to_eight_bits(resize_image(picture, size)) for picture in middle])
    cameras = views.cameras.cropped(size[1], size[0])
    before = [((width - columns) / 2 - left) * size[1] / columns, ((height - rows) / 2 - top) * size[0] / rows]
    return Views(
        replace(cameras, center=cameras.center + cameras.center.new_tensor(before)),
        images.to(views.images.device), views.names,
    )  # fmt: skip


@torch.no_grad()
def held_out(
    scene: RadianceField, views: Views, lpips: Callable[[Tensor, Tensor], Tensor]
) -> tuple[Render, Tensor, dict[str, Tensor]]:
    """(what the field shows, the photographs, scores [V] by name): psnr in dB, ssim, lpips.

    One view after the other: NeRF-synthetic's 200 of 800x800 have 128 million rays.

    Args:
        views: at least one, on the field's device.
        lpips: distances [V] of two stacks of pictures.
    """
    transparent = views.images.shape[1] == 4
    color = torch.tensor(scene.settings.background_color, device=views.images.device)
    wanted = photographs(views, color)
    renders = [scene.render(views.cameras[view], color if transparent else None) for view in range(len(views))]
    scores = {
        name: torch.cat([score(seen.image, photo[None]) for seen, photo in zip(renders, wanted, strict=True)])
        for name, score in {"psnr": psnr, "ssim": ssim, "lpips": lpips}.items()
    }
    parts = zip(*((seen.image, seen.depth, seen.opacity) for seen in renders), strict=True)
    return Render(*(torch.cat(part) for part in parts)), wanted, scores


def write_record(
    folder: Path,
    capture: SceneCapture,
    settings: ReconstructionSettings,
    seconds: float,
    scores: dict[str, Tensor],
    lpips_net: str,
) -> ReconstructionRecord:
    """reconstruction.json, which says that the reconstruction is finished."""
    names = ("psnr", "ssim", "lpips")
    record = ReconstructionRecord(
        key=reconstruction_key(capture, settings), scene=capture.name, digest=capture.digest,
        downscale=capture.downscale, settings=settings.model_dump(mode="json"),
        train_views=len(capture.train), test_views=len(capture.test), seconds=seconds,
        scores={name: float(scores[name].mean()) if name in scores else None for name in names}, lpips_net=lpips_net,
    )  # fmt: skip
    with disk(folder):
        write_atomically(folder / RECORD_FILE, record.model_dump_json(indent=2).encode() + b"\n")
    return record


def read_record(folder: Path) -> ReconstructionRecord | None:
    """That of a finished reconstruction; None where there is none.

    Raises:
        ConfigError: it cannot be read.
    """
    file = folder / RECORD_FILE
    if not file.is_file():
        return None
    try:
        return ReconstructionRecord.model_validate_json(file.read_bytes())
    except ValidationError as problem:
        raise ConfigError(f"{file} is damaged; remove it, or name another --out") from problem
