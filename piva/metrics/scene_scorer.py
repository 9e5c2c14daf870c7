"""Scores edited scenes with the metrics it is given; `piva.metrics.loading.load_scene` makes one from settings."""

from collections.abc import Collection, Mapping, Sequence
from typing import ClassVar, NamedTuple

import torch

from piva.metrics.batch import Metric, Missing, Value
from piva.metrics.cache import FeatureCache
from piva.metrics.info import INFO, SCENE_SCORES, MetricInfo
from piva.metrics.scorer import Scorer
from piva.metrics.views import SceneInput, SceneMetric, ViewScores, mean_over_defined


class SceneScores(NamedTuple):
    """Raw values by name, None where there is none, the reason for each None, and what the values are means of."""

    values: dict[str, float | None]
    reasons: dict[str, str]
    by_view: dict[str, list[float | None]]
    """Name -> a value for each view, or for each pair of neighbouring views; None where there is none."""


class SceneScorer:
    """Built once, used for every scene; features of originals, true edits and prompts are kept between calls.

    Args:
        of_images: metrics of single images: a scene's score is the mean over its views that have one.
        of_scenes: metrics of a scene's views together.
        missing: name -> reason, for scores that would need weights which are not there; they are None in every result.
        device: where scenes are scored; the metrics' models must be there already.
        cache: where features are kept; one of its own by default.
        names: the scores that are wanted of what the metrics offer; all that need no mask by default.

    Attributes:
        spec: name -> metric id, for every score that can be computed. It belongs into the score's key.
        metrics: name -> declared facts, for every name that a result holds.
    """

    VERSION: ClassVar[int] = 2
    """Of the way in which a scene's score is made from its views'."""

    def __init__(
        self,
        of_images: Sequence[Metric],
        of_scenes: Sequence[SceneMetric] = (),
        missing: Mapping[str, str] | None = None,
        device: torch.device | str = "cpu",
        cache: FeatureCache | None = None,
        names: Collection[str] = SCENE_SCORES,
    ) -> None:
        self.of_scenes, self.missing, self.device = tuple(of_scenes), dict(missing or {}), device
        self.cache = FeatureCache() if cache is None else cache
        self.of_images = Scorer(of_images, None, device, self.cache, set(names) & set(SCENE_SCORES))
        means = {name: f"{id_}/mean-over-views@{self.VERSION}" for name, id_ in self.of_images.spec.items()}
        together = {name: id_ for family in of_scenes for name, id_ in family.ids.items() if name in names}
        self.spec: dict[str, str] = means | together
        offered = self.spec.keys() | self.missing.keys()
        self.metrics: dict[str, MetricInfo] = {name: info for name, info in INFO.items() if name in offered}

    @torch.inference_mode()
    def score(self, scene: SceneInput) -> SceneScores:
        """Scores of one edited scene."""
        nothing = {name: ViewScores(Missing(reason), ()) for name, reason in self.missing.items()}
        found: dict[str, ViewScores] = nothing | self._means(scene)
        for family in self.of_scenes:
            found |= family.score(scene.to(self.device), self.cache)
        result = SceneScores({}, {}, {})
        for name in self.metrics:
            value = found[name].value
            result.values[name] = None if isinstance(value, Missing) else value
            if isinstance(value, Missing):
                result.reasons[name] = value.reason
            result.by_view[name] = [None if isinstance(view, Missing) else view for view in found[name].by_view]
        return result

    def _means(self, scene: SceneInput) -> dict[str, ViewScores]:
        """The scores of images, each the mean over the views that have one."""
        if not self.of_images.spec:
            return {}
        views = self.of_images.score_batch(scene.as_images())
        columns: dict[str, list[Value]] = {name: [] for name in self.of_images.spec}
        for view in views:
            for name, column in columns.items():
                value = view.values[name]
                column.append(Missing(view.reasons[name]) if value is None else value)
        return {name: mean_over_defined(column) for name, column in columns.items()}
