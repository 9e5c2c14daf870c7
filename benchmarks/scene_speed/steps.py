"""Steps of an edit, with their rows and, if asked for, where their time goes."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor

from benchmarks.scene_speed.contenders import SceneContender
from benchmarks.scene_speed.world import SceneWorld
from benchmarks.speed.split import AUXILIARY, Split, reporting
from piva.auxiliary.training import AuxiliaryTraining
from piva.modules.scene_editing import SourceViews
from piva.noise import DrawPlan
from piva.rendering.view_plan import CapturedViews
from piva.representations.radiance_field import RadianceField
from piva.scenes.editing import edit_scene

OTHER = "other"
SECTIONS = {
    "render": "the views, forward",
    "encode": "the VAE encoder, forward",
    "unet": "the UNet without gradient",
    AUXILIARY: "training of psi and phi: forward, backward, AdamW",
    "encode back": "the direction's way through the encoder",
    "render back": "and on through the renderer into the field's numbers",
    "optimiser": "the step of the field",
    "occupancy": "which cells hold anything, now and then",
    "source": "looking up the views of the source, which are known by then",
    "scores": "what the engine does around the UNet: noising, packing, guidance, the direction",
    "draws": "keyed cameras, timesteps and noise",
    OTHER: "everything else: Lightning, depths, poses, the step's log",
}


@dataclass(frozen=True)
class StepCost:
    """Of a step, all its views together."""

    seconds: float
    rows_forward: float  # without gradient
    rows_backward: float
    split: dict[str, float] | None = None  # section -> seconds


def step_cost(world: SceneWorld, contender: SceneContender, views: int, steps: int, split: bool = False) -> StepCost:
    """Mean of `steps` steps, those of an edit after its first round through the cameras.

    Raises:
        RuntimeError: the edit failed.
    """
    prior: Any = world.prior
    first = -(-len(world.case.cameras) // views)
    watch = Split(world.now, SECTIONS, OTHER)
    rows = {"rows_forward": 0, "rows_backward": 0}

    def on_step(line: dict[str, Any]) -> None:
        if line["step"] == first - 1:
            watch.__enter__()
        for name in rows if line["step"] >= first else ():
            rows[name] += sum(line[name])
        if line["step"] == first + steps - 1:
            watch.__exit__()

    gc.collect()
    with _splitting(watch, world, contender) if split else nullcontext():
        output = edit_scene(
            prior, contender.method, world.case, world.settings(views), steps=first + steps, seed=0,
            on_step=on_step,
        )  # fmt: skip
    if output.error:
        raise RuntimeError(output.error)
    seconds = {name: value / steps for name, value in watch.seconds.items()} if split else None
    return StepCost(watch.total / steps, rows["rows_forward"] / steps, rows["rows_backward"] / steps, seconds)


@contextmanager
def _splitting(split: Split, world: SceneWorld, contender: SceneContender) -> Iterator[None]:
    """The loop's parts report to `split` inside this context."""
    parts: list[tuple[Any, str, str]] = [
        (RadianceField, "render", "render"),
        (RadianceField, "refresh_occupancy", "occupancy"),
        (SourceViews, "at", "source"),
        (world.prior, "encode", "encode"),
        (world.prior, "predict", "unet"),
        (AuxiliaryTraining, "score", AUXILIARY),
        (AuxiliaryTraining, "finish_step", AUXILIARY),
        (torch.autograd, "backward", "encode back"),
        (CapturedViews, "at", "draws"),
        (DrawPlan, "at", "draws"),
        (DrawPlan, "normal", "draws"),
        (type(contender.method), "direction", "scores"),
    ]
    encode = world.prior.encode

    def encode_and_tell(images: Tensor) -> Tensor:
        """Where the pictures' gradient is there, the encoder is done and the renderer begins."""
        if images.requires_grad:
            images.register_hook(lambda _: split.go_on_in("render back"))
        return encode(images)

    with patch.object(world.prior, "encode", encode_and_tell), reporting(split, parts):
        yield
