"""What the metrics of an edited scene are given and give back: two stacks of views from the same cameras.

A scene's score is the mean over its views, or over the pairs of neighbouring views along the camera path, that have
one: no direction of change exists where nothing changed, no finite PSNR between equal pictures.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol

import torch
from torch import Tensor

from piva.metrics.batch import Labels, Missing, ScoreInput, Value
from piva.metrics.cache import FeatureCache


@dataclass(frozen=True, eq=False, kw_only=True)
class SceneInput:
    """One edited scene to be scored: V views in the order of the camera path, float32 [V, 3, H, W] in [0, 1].

    Raises:
        ValueError: another shape, size or range, or a value that is not finite.
    """

    source: Tensor
    edited: Tensor
    src_prompt: str
    tgt_prompt: str
    truth: Tensor | None = None
    """The ideally edited scene from the same cameras."""
    closed: bool = False
    """The path comes back to its start: the first view follows the last, and V views stand 360 / V degrees apart."""
    has_front: bool = False
    """The target's subject has a front, so that an orbit around the ideal edit sees exactly one."""
    labels: tuple[Labels, ...] | None = None
    """For each view, attributes in the source picture and in the ideal edit."""

    def __post_init__(self) -> None:
        for name, views in {"source": self.source, "edited": self.edited, "truth": self.truth}.items():
            if views is None:
                continue
            if views.dtype != torch.float32 or views.ndim != 4 or views.shape[1] != 3 or not len(views):
                raise ValueError(f"{name} is {views.dtype} {list(views.shape)}, not float32 [V, 3, H, W]")
            if views.shape != self.source.shape:
                raise ValueError(f"{name} is {list(views.shape)}, the source {list(self.source.shape)}")
            if not (views.min() >= 0 and views.max() <= 1):  # also false for NaN
                raise ValueError(f"{name} has values outside [0, 1] or not finite")
        if self.labels is not None and len(self.labels) != len(self):
            raise ValueError(f"{len(self.labels)} labels for {len(self)} views")

    def __len__(self) -> int:
        return len(self.source)

    def to(self, device: torch.device | str) -> SceneInput:
        """The same with its views on `device`."""
        truth = None if self.truth is None else self.truth.to(device)
        return dataclasses.replace(self, source=self.source.to(device), edited=self.edited.to(device), truth=truth)

    def as_images(self) -> list[ScoreInput]:
        """Its views as V edits of images, without masks."""
        return [
            ScoreInput(
                src_image=self.source[view],
                edited=self.edited[view],
                src_prompt=self.src_prompt,
                tgt_prompt=self.tgt_prompt,
                true_edit=None if self.truth is None else self.truth[view],
                labels=None if self.labels is None else self.labels[view],
            )
            for view in range(len(self))
        ]


@dataclass(frozen=True)
class ViewScores:
    """A scene's score, and those of its views (or of its pairs of views) that it was made of."""

    value: Value
    by_view: tuple[Value, ...]


class SceneMetric(Protocol):
    """A family of scores that need a scene's views together."""

    VERSION: ClassVar[int]
    """Raised whenever a score changes."""

    @property
    def ids(self) -> Mapping[str, str]:
        """As of `piva.metrics.batch.Metric`."""

    def score(self, scene: SceneInput, cache: FeatureCache) -> dict[str, ViewScores]:
        """The scores of one scene, for each name in `ids`."""


def mean_over_defined(by_view: Sequence[Value]) -> ViewScores:
    """The mean over the views that have a score; missing, with the first one's reason, where none has.

    Args:
        by_view: at least one.
    """
    some = [value for value in by_view if not isinstance(value, Missing)]
    return ViewScores(sum(some) / len(some) if some else by_view[0], tuple(by_view))
