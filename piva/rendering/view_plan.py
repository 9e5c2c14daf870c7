"""Which cameras a step of a scene's edit looks through: keyed by the step, so that a resumed edit sees the same."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

from piva.noise import uniform
from piva.rendering.cameras import Cameras, orbit
from piva.rendering.paths import subject


@dataclass(frozen=True, eq=False)
class Chosen:
    """The V cameras of a step."""

    cameras: Cameras
    views: tuple[int | None, ...]
    """Their numbers among the captured cameras; None for one that is none of them."""


class ViewPlan(Protocol):
    """Where the cameras of the steps come from."""

    def at(self, step: int) -> Chosen:
        """The cameras of a step."""
        ...


@dataclass(frozen=True, eq=False)
class CapturedViews:
    """The captured cameras, each once a round, in an order of its own for every round.

    A case's views thus differ as little as can be in how often they were seen.
    """

    cameras: Cameras
    count: int
    """V, views of a step."""
    seed: int
    case_id: str

    def at(self, step: int) -> Chosen:
        """See `ViewPlan.at`."""
        places = range(step * self.count, (step + 1) * self.count)
        chosen = [self._view(place) for place in places]
        return Chosen(self.cameras[chosen], tuple(chosen))

    def _view(self, place: int) -> int:
        """The view at a place of the endless sequence of rounds."""
        number, within = divmod(place, len(self.cameras))
        key: dict[str, Any] = {"seed": self.seed, "case_id": self.case_id, "step": number, "purpose": "views"}
        return int(uniform((len(self.cameras),), 0, 1, **key).argsort()[within])


@dataclass(frozen=True, eq=False)
class OrbitViews:
    """Random cameras around the point the captured ones look at, within their range of heights and distances.

    The views of a step stand at equal angles, so that it sees the scene from all sides.
    """

    cameras: Cameras
    count: int
    seed: int
    case_id: str

    def at(self, step: int) -> Chosen:
        """See `ViewPlan.at`."""
        key: dict[str, Any] = {"seed": self.seed, "case_id": self.case_id, "step": step, "purpose": "orbit"}
        drawn = uniform((2 * self.count + 1,), 0, 1, **key)
        center, heights, distances = self._range()
        azimuths = 360 * (drawn[0] + torch.arange(self.count) / self.count)
        elevations = torch.lerp(heights.amin(), heights.amax(), drawn[1 : self.count + 1])
        radii = torch.lerp(distances.amin(), distances.amax(), drawn[self.count + 1 :])
        size = (self.cameras.height, self.cameras.width)
        fov = torch.rad2deg(2 * torch.atan(size[0] / 2 / self.cameras.focal[0, 1])).item()
        cameras = orbit(azimuths, elevations, radii, center, fov, size)
        return Chosen(cameras.to(self.cameras.c2w.device), (None,) * self.count)

    def _range(self) -> tuple[Tensor, Tensor, Tensor]:
        """What is looked at [3], the captured cameras' elevations in degrees [N] and distances [N] from it."""
        center = subject(self.cameras).cpu()
        offset = self.cameras.positions.cpu() - center
        distances = offset.norm(dim=-1)
        return center, torch.rad2deg((offset[:, 2] / distances).asin()), distances
