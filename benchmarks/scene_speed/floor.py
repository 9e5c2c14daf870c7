"""The floor: the parts of a step alone, with everything that they need ready before the clock starts."""

from __future__ import annotations

from typing import Any

import torch

from benchmarks.scene_speed.contenders import SceneContender
from benchmarks.scene_speed.world import SceneWorld
from benchmarks.speed.floor import Calls


def render_seconds(world: SceneWorld, views: int, steps: int) -> float:
    """Seconds to render so many views, and to bring a gradient of their pictures back into the field."""
    scene, cameras, background = world.field(), world.cameras(views), world.case.background
    background = None if background is None else background.to(world.device)
    gradient = torch.ones(views, 3, cameras.height, cameras.width, device=world.device)

    def once() -> None:
        scene.render(cameras, background).image.backward(gradient)
        scene.zero_grad(set_to_none=True)

    return world.seconds_a_call(once, steps)


def encode_seconds(world: SceneWorld, views: int, steps: int) -> float:
    """Seconds to encode so many pictures, and to bring a gradient of their latents back to them."""
    with torch.no_grad():
        images = world.field().render(world.cameras(views)).image
    gradient = torch.ones(views, *world.prior.latent_shape, device=world.device)

    def once() -> None:
        images.grad = None
        world.prior.encode(images.requires_grad_(True)).backward(gradient)

    return world.seconds_a_call(once, steps)


def rows_seconds(world: SceneWorld, contender: SceneContender, views: int, steps: int) -> float:
    """Seconds of the UNet rows of so many views: a call without gradient, and one with its backward pass."""
    prior: Any = world.prior
    case, aux = world.case, getattr(contender.method, "aux", None)
    depth = torch.full((views, 1, *prior.image_size), 0.5, device=world.device)
    calls = Calls(
        prior, contender.rows, views, [case.tgt, "", case.src],
        lambda k: prior.adapter(aux, k, (case.case_id,)), depth,
    )  # fmt: skip
    return world.seconds_a_call(calls.step, steps)
