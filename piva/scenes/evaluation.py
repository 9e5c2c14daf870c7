"""What an edited scene is worth: the same views of the original and of the edit, their scores, and what to look at.

<folder>/
    views/original-000.png, edited-000.png, ...
    turntable.mp4          original | edit (| true edit)
    views.png              some of them in a contact sheet
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from piva.data.images import to_eight_bits, to_pil
from piva.disk import disk
from piva.rendering.cameras import Cameras
from piva.rendering.picture_grid import view_sheet
from piva.rendering.video import turntable
from piva.representations.radiance_field import RadianceField

VIEWS_FOLDER, TURNTABLE_FILE, SHEET_FILE = "views", "turntable.mp4", "views.png"
AT_ONCE = 8
"""Views rendered together."""


@dataclass(frozen=True, eq=False)
class SceneViews:
    """The same V views of the original and of the edit, in the order of the path, as 8-bit pictures hold them."""

    original: Tensor  # [V,3,H,W] in [0,1], on the CPU
    edited: Tensor
    closed: bool  # the path comes back to its start


@torch.no_grad()
def render_views(scene: RadianceField, cameras: Cameras, background: Tensor | None = None) -> Tensor:
    """[V,3,H,W] in [0,1] on the CPU, rounded to 8 bits, a few views at a time.

    Args:
        background: [3] behind transparent pixels, instead of the field's own.
    """
    device = next(scene.parameters()).device
    behind = None if background is None else background.to(device)
    parts = [
        scene.render(cameras[slice(start, start + AT_ONCE)].to(device), behind).image
        for start in range(0, len(cameras), AT_ONCE)
    ]
    return to_eight_bits(torch.cat(parts))


def same_views(
    original: RadianceField, edited: RadianceField, cameras: Cameras, closed: bool, background: Tensor | None = None
) -> SceneViews:
    """The views of both fields from the same cameras."""
    before, after = (render_views(scene, cameras, background) for scene in (original, edited))
    return SceneViews(before, after, closed)


def write_views(folder: Path, views: SceneViews, truth: Tensor | None = None) -> None:
    """Writes every view, the turntable and the contact sheet.

    Args:
        truth: [V,3,H,W], the true edit from the same cameras, where it is known.
    """
    stacks = {"original": views.original, "edit": views.edited} | ({} if truth is None else {"true edit": truth})
    with disk(folder):
        shutil.rmtree(folder / VIEWS_FOLDER, ignore_errors=True)  # there may have been more
        (folder / VIEWS_FOLDER).mkdir(parents=True)
        for name, stack in (("original", views.original), ("edited", views.edited)):
            for number, view in enumerate(stack):
                to_pil(view).save(folder / VIEWS_FOLDER / f"{name}-{number:03d}.png")
        turntable(folder / TURNTABLE_FILE, list(stacks.values()))
        view_sheet(folder / SHEET_FILE, stacks)
