"""What the metrics of an edited scene are given and give back: two stacks of views from the same cameras.

A scene's score is the mean over its views, or over the pairs of neighbouring views along the camera path, that have
one: no direction of change exists where nothing changed, no finite PSNR between equal pictures. Scores of objects pool
an object's pixels over all views.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol

import torch
from torch import Tensor

from piva.metrics.batch import Labels, Missing, ScoreInput, Value
from piva.metrics.cache import FeatureCache


@dataclass(frozen=True, eq=False)
class ObjectViews:
    """What the pixels of V views show: bool [V, H, W] each."""

    kept: Mapping[str, Tensor]
    """By object that the edit is not to change: the pixels that are to stay as they are."""
    backdrop: Mapping[str, Tensor]
    """The same of ground and sky."""
    changed: Tensor
    """Where the object that the edit changes is seen, before or after the true edit."""

    def each(self, change: Callable[[Tensor], Tensor]) -> ObjectViews:
        """The same with every mask changed."""
        kept, backdrop = (
            {name: change(where) for name, where in masks.items()} for masks in (self.kept, self.backdrop)
        )
        return ObjectViews(kept, backdrop, change(self.changed))


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
    objects: ObjectViews | None = None
    """What each pixel shows, where the world is known."""

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
        if self.objects is not None:
            for where in (*self.objects.kept.values(), *self.objects.backdrop.values(), self.objects.changed):
                if where.dtype != torch.bool or where.shape != self.source[:, 0].shape:
                    raise ValueError(f"a mask is {where.dtype} {list(where.shape)}, not bool [V, H, W] of the views")

    def __len__(self) -> int:
        return len(self.source)

    def to(self, device: torch.device | str) -> SceneInput:
        """The same with its views on `device`."""
        return self._each(lambda stack: stack.to(device), self.labels)

    def alone(self, view: int) -> SceneInput:
        """One of its views as a scene of its own."""
        labels = None if self.labels is None else self.labels[view : view + 1]
        return self._each(lambda stack: stack[view : view + 1], labels)

    def _each(self, change: Callable[[Tensor], Tensor], labels: tuple[Labels, ...] | None) -> SceneInput:
        """The same with every stack changed, and with these labels."""
        truth = None if self.truth is None else change(self.truth)
        objects = None if self.objects is None else self.objects.each(change)
        return dataclasses.replace(
            self, source=change(self.source), edited=change(self.edited), truth=truth, labels=labels, objects=objects
        )

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
