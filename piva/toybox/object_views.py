"""Which object each pixel of any view of a Toybox world shows, before and after an edit, and what should stay.

The world is drawn for the very cameras that an edit is scored from, so no mask is projected or guessed.
"""

from __future__ import annotations

import torch
from torch import Tensor

from piva.metrics.views import ObjectViews
from piva.rendering.cameras import Cameras, all_rays
from piva.toybox.parts import changed_objects, object_names
from piva.toybox.render import FAR, Rendering, render_along
from piva.toybox.scene import Scene
from piva.toybox.scene_cameras import WORLD_FROM_TOYBOX
from piva.toybox.views import Rays

LEFT_ALONE = 2 / 255
"""Ours. A pixel whose channels the true edit changes by no more is one that it leaves alone: 8-bit pictures of the two
worlds agree there but for rounding. Where the edit's shadow falls they do not."""


def object_views(source: Scene, target: Scene, cameras: Cameras, orient: Tensor) -> ObjectViews:
    """What the pixels of V views show, by object, in a world and in the truly edited one.

    A pixel shows the nearest object along its ray, if that fills half of it or more. It should stay if it shows the
    same in both worlds, and the true edit leaves it alone; both worlds are in the light of their own placement.

    Args:
        cameras: in the capture's world, which `orient` [4,4] leads to from the file's (`SceneCapture.orient`).
    """
    rays, size = toybox_rays(cameras, orient), (cameras.height, cameras.width)
    before, after = (_seen(scene, rays, size) for scene in (source, target))
    alone = (before.image - after.image).abs().amax(1) <= LEFT_ALONE
    stays = alone & (before.owner == after.owner)
    changes = changed_objects(source, target)
    sky = before.depth[:, 0] >= FAR
    there = {name: before.owner == index for index, name in enumerate(object_names(source))}
    kept = {
        name: where & stays for index, (name, where) in enumerate(there.items())
        if index not in changes and where.any()
    }  # fmt: skip
    backdrop = {name: (before.owner < 0) & stays & where for name, where in (("ground", ~sky), ("sky", sky))}
    changed = torch.isin(torch.stack([before.owner, after.owner]), torch.tensor(sorted(changes))).any(0)
    return ObjectViews(kept, backdrop, changed)


def toybox_rays(cameras: Cameras, orient: Tensor) -> Rays:
    """Every pixel's ray in Toybox's frame and units."""
    rays, scale = all_rays(cameras), orient[:3, :3].det() ** (1 / 3)
    turn = orient[:3, :3] / scale @ WORLD_FROM_TOYBOX  # from Toybox's axes to the capture's
    at = (cameras.positions - orient[:3, 3]) / scale
    return Rays(at @ turn, rays.directions @ turn, rays.cosines, float(1 / cameras.focal[0, 0]))


def _seen(scene: Scene, rays: Rays, size: tuple[int, int]) -> Rendering:
    return render_along([scene] * len(rays.origin), rays, size)
