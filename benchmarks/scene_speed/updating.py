"""Instruct-NeRF2NeRF's steps: a fit to pictures, of which one is replaced now and then by its edit.

It scores no views: what counts is a step of the fit, a picture's edit, and the UNet rows of such an edit alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import mean, median

import torch

from benchmarks.scene_speed.world import SceneWorld
from benchmarks.speed.report import ratio
from piva.instructed.in2n import IN2N
from piva.scenes.updating import update_scene


@dataclass(frozen=True)
class UpdateCost:
    """Of one repeat."""

    rows: float  # UNet rows of a step, on average over steps with and without an edit
    seconds: float  # of a step, the same average
    fit: float  # seconds of a step that replaces nothing
    picture: float  # seconds that replacing a picture takes besides


@dataclass(frozen=True)
class UpdateLine:
    """in2n; medians over repeats."""

    rows: float
    seconds: float
    fastest: float
    slowest: float
    fit: float
    picture: float
    picture_rows: float  # seconds of a picture's UNet rows alone
    over_floor: float  # of a picture, over these


def update_cost(world: SceneWorld, method: IN2N, steps: int) -> UpdateCost:
    """Of at least `steps` steps, in whole rounds of `edit_every`, after a first round that is not measured.

    Raises:
        RuntimeError: the edit failed.
    """
    rounds = 1 + -(-steps // method.edit_every)
    ends, rows = [], []

    def on_step(line: dict) -> None:
        ends.append(world.now())
        rows.append(sum(line["rows_forward"]))

    output = update_scene(
        world.instructed, method, world.case, world.settings(1), steps=rounds * method.edit_every, seed=0,
        on_step=on_step,
    )  # fmt: skip
    if output.error:
        raise RuntimeError(output.error)
    first = method.edit_every
    seconds = [after - before for before, after in zip(ends[first - 1 :], ends[first:], strict=False)]
    with_edit, without = seconds[::first], [s for k, s in enumerate(seconds) if k % first]
    fit = median(without)
    return UpdateCost(mean(rows[first:]), mean(seconds), fit, median(with_edit) - fit)


def picture_rows_seconds(world: SceneWorld, method: IN2N) -> float:
    """Seconds of the UNet rows of a picture's edit: u, i and c together, a call for each sampler step."""
    prior = world.instructed
    channels, height, width = prior.latent_shape
    x = torch.zeros(3, 2 * channels, height, width, device=prior.device)
    t, embedding = torch.full((3,), 500, device=prior.device), prior.embed(["", "", world.case.instruction])

    @torch.no_grad()
    def once() -> None:
        prior.predict(x, t, embedding)

    return method.sampler_steps * world.seconds_a_call(once, method.sampler_steps)


def update_line(costs: Sequence[UpdateCost], alone: Sequence[float]) -> UpdateLine:
    """The line of these repeats, and of the rows alone in each."""
    seconds = [cost.seconds for cost in costs]
    return UpdateLine(
        costs[0].rows, median(seconds), min(seconds), max(seconds), median(cost.fit for cost in costs),
        median(cost.picture for cost in costs), median(alone), ratio([cost.picture for cost in costs], alone),
    )  # fmt: skip
