"""Scores many edits at once with the metrics it is given; `piva.metrics.loading` makes one from settings."""

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

import torch

from piva.metrics.batch import Batch, Metric, Missing, ScoreInput, Value
from piva.metrics.cache import FeatureCache
from piva.metrics.info import INFO, MetricInfo

PIXELS_PER_BATCH = 2**20
"""Ours: 4 images of 512x512, 256 of 64x64. LPIPS holds up to 4 kB of features a pixel (VGG; AlexNet a tenth of it)."""


class Scores(NamedTuple):
    """Raw values by name, None where there is none, and the reason for each None."""

    values: dict[str, float | None]
    reasons: dict[str, str]


class Scorer:
    """Built once, used for every batch; features of sources and prompts are kept between calls.

    Args:
        families: the metrics.
        missing: name -> reason, for scores that would need weights which are not there; they are None in every result.
        device: where batches are scored; the families' models must be there already.
        cache: where features are kept; one of its own by default.
        names: the scores that are wanted of what the families offer; all by default.

    Attributes:
        spec: name -> metric id, for every score that can be computed. It belongs into the score's key.
        metrics: name -> declared facts, for every name that a result holds.
    """

    def __init__(
        self,
        families: Sequence[Metric],
        missing: Mapping[str, str] | None = None,
        device: torch.device | str = "cpu",
        cache: FeatureCache | None = None,
        names: Collection[str] = INFO.keys(),
    ) -> None:
        self.families, self.missing, self.device = tuple(families), dict(missing or {}), device
        self.cache = FeatureCache() if cache is None else cache
        ids = {name: id_ for family in families for name, id_ in family.ids.items()}
        self.spec: dict[str, str] = {name: id_ for name, id_ in ids.items() if name in names}
        offered = self.spec.keys() | self.missing.keys()
        self.metrics: dict[str, MetricInfo] = {name: info for name, info in INFO.items() if name in offered}

    def score(self, case: ScoreInput) -> Scores:
        """Scores of one edit."""
        return self.score_batch([case])[0]

    def score_batch(self, cases: Sequence[ScoreInput]) -> list[Scores]:
        """Scores in the order of the cases, which may differ in size; one case has the same scores in any batch."""
        results: dict[int, Scores] = {}
        by_size: dict[torch.Size, list[int]] = {}
        for place, case in enumerate(cases):
            by_size.setdefault(case.src_image.shape, []).append(place)
        for (_, height, width), places in by_size.items():
            at_once = max(1, PIXELS_PER_BATCH // (height * width))
            for start in range(0, len(places), at_once):
                some = places[start : start + at_once]
                results.update(zip(some, self._score_alike([cases[place] for place in some]), strict=True))
        return [results[place] for place in range(len(cases))]

    @torch.inference_mode()
    def _score_alike(self, cases: list[ScoreInput]) -> list[Scores]:
        batch = Batch(cases, self.device)
        columns: dict[str, list[Value]] = {
            name: [Missing(reason)] * len(batch) for name, reason in self.missing.items()
        }
        for family in self.families:
            columns |= family.score(batch, self.cache)
        results = [Scores({}, {}) for _ in cases]
        for name in self.metrics:
            for result, value in zip(results, columns[name], strict=True):
                reason = (
                    value.reason if isinstance(value, Missing) else None if abs(value) < float("inf") else "not finite"
                )
                result.values[name] = None if isinstance(value, Missing) or reason else float(value)
                if reason:
                    result.reasons[name] = reason
        return results
