"""How many faces an edited subject shows around an orbit: the Janus problem, counted.

A detector says for each view whether the subject is seen from its front. One front is seen over half of the circle, so
fronts are counted by arcs: a run of front views counts as one, or as two where it spans three quarters of the circle or
more (two faces back to back leave no view without one). Two fronts less than 90 degrees apart count as one.
"""

from collections.abc import Sequence
from itertools import groupby
from typing import ClassVar, Protocol

from torch import Tensor

from piva.metrics.batch import Missing
from piva.metrics.cache import FeatureCache
from piva.metrics.views import SceneInput, ViewScores

LEAST_ARC_DEG = 20.0
"""Ours. A run of views narrower than this is a slip of the detector, as it happens where a front turns away."""
FRONT_ARC_DEG = 180.0
"""Azimuths from which one front is seen."""
LEAST_SURE = 0.9
"""Ours: the probability from which the detector sees a front. It found one front in each of seven medium and large
snowmen of the Toybox's dev scenes, and two where the front half was put on the back too; from 0.5, one front's arc
reaches 255 degrees. Of small snowmen's faces it knows too little: of five one was counted twice, one was not seen."""
LEAST_VIEWS = 8
"""Ours. With fewer, runs are too coarse to tell fronts apart."""

NO_FRONT = "the target's subject has no front"
OPEN_PATH = "the camera path is no full orbit: fronts behind the subject are not seen"
FEW_VIEWS = f"fronts are counted over {LEAST_VIEWS} views or more"


class FrontDetector(Protocol):
    """Probabilities [B] that pictures [B, 3, H, W] have a value of an attribute."""

    def probability(self, images: Tensor, attribute: str, value: str) -> Tensor:
        """[B] in [0, 1]."""
        ...


def count_fronts(seen: Sequence[bool]) -> int:
    """Separate fronts around a full orbit.

    Args:
        seen: for each of V views, 360 / V degrees apart and in order, whether it shows the front.
    """
    views = _without_slips(_without_slips(list(seen), False), True)
    spacing_deg = 360 / len(views)
    return sum(max(1, round(length * spacing_deg / FRONT_ARC_DEG)) for value, length in _runs(views) if value)


def _without_slips(seen: list[bool], value: bool) -> list[bool]:
    """Runs of `value` that are too narrow turned over; the circle may start elsewhere."""
    spacing_deg = 360 / len(seen)
    return [
        not value if found == value and length * spacing_deg < LEAST_ARC_DEG else found
        for found, length in _runs(seen)
        for _ in range(length)
    ]


def _runs(seen: list[bool]) -> list[tuple[bool, int]]:
    """Runs of equal values around the circle, as (value, length); none of them is split at its ends."""
    start = next((k for k in range(len(seen)) if seen[k] != seen[k - 1]), 0)
    return [(value, len(list(run))) for value, run in groupby(seen[start:] + seen[:start])]


class JanusScores:
    """janus_count: fronts found around the orbit, 1 in the ideal edit.

    Where the ideal edit is known and the detector does not find one front there, it does not count in the edit either:
    its eye for this subject (too small, too dark) is not good enough.

    Args:
        judge: reads the attribute `front` off a picture.
        name: judge and weights, as the ids show them.
        size: side of the square pictures it was made for; others are not judged.
    """

    VERSION: ClassVar[int] = 1

    def __init__(self, judge: FrontDetector, name: str, size: int = 64) -> None:
        self.judge, self.size = judge, size
        self.ids = {"janus_count": f"janus-count/{name}/{size}/front-from-{LEAST_SURE}/half-circles@{self.VERSION}"}

    def score(self, scene: SceneInput, cache: FeatureCache) -> dict[str, ViewScores]:
        """See `SceneMetric.score`; a view has 1 where it shows a front and 0 elsewhere."""
        if reason := self._refusal(scene):
            return {"janus_count": ViewScores(Missing(reason), (Missing(reason),) * len(scene))}
        seen = self._sees_front(scene.edited)
        return {"janus_count": ViewScores(float(count_fronts(seen)), tuple(map(float, seen)))}

    def _sees_front(self, views: Tensor) -> list[bool]:
        return (self.judge.probability(views, "front", "front") >= LEAST_SURE).tolist()

    def _refusal(self, scene: SceneInput) -> str | None:
        """Why fronts can't be counted, or None."""
        height, width = scene.edited.shape[-2:]
        if not scene.has_front:
            return NO_FRONT
        if not scene.closed:
            return OPEN_PATH
        if len(scene) < LEAST_VIEWS:
            return FEW_VIEWS
        if (height, width) != (self.size, self.size):
            return f"the judge reads {self.size}x{self.size} pictures, not {height}x{width}"
        found = 1 if scene.truth is None else count_fronts(self._sees_front(scene.truth))
        return None if found == 1 else f"the detector finds {found} fronts in the true edit, which has one"
