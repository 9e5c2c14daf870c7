"""Methods at equal cost: how many steps a number of UNet rows allows."""

from __future__ import annotations

from typing import Any

from benchmarks.costs.cost import needs_of
from piva.errors import ConfigError
from piva.sampling import SAMPLERS

SCHEDULE = 1000
"""Timesteps of Stable Diffusion's schedule, which a sampler divides evenly."""


def steps_within(rows: int, method: Any) -> int:
    """The most steps whose rows for one case, those with backward among them, are no more than `rows`.

    Of a sampler, the most that divide the schedule: others leave its noisiest timesteps out.

    Raises:
        ConfigError: there are not enough for one, or the method takes none.
    """
    needs = needs_of(method)
    if not needs.step.total:
        raise ConfigError(f"--unet-rows: {method.name} takes no rows")
    if method.name in SAMPLERS:
        allowed = (n for n in range(SCHEDULE // 2, 0, -1) if SCHEDULE % n == 0 and method.made(n))
        found = next((n for n in allowed if needs.edit(n).total <= rows), 0)
    else:
        found = (rows - needs.start.total) // needs.step.total
    if found < 1:
        raise ConfigError(f"--unet-rows {rows}: a step of {method.name} takes {needs.step.total}")
    return found
