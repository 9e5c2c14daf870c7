"""What became of each object: of those that were not to change, of ground and sky, and of the one that was.

Needs to know which pixels show what (`ObjectViews`), so these scores exist for worlds that are known. An object's
pixels are pooled over all views: its PSNR is that of the mean squared error over its pixels, its colour shift the
distance of its mean colours. A view's own scores are made of that view's pixels in the same way.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import ClassVar

import torch
from torch import Tensor

from piva.metrics.batch import NO_TRUE_EDIT, Missing, Value
from piva.metrics.cache import FeatureCache
from piva.metrics.fidelity import EQUAL
from piva.metrics.views import SceneInput, ViewScores, mean_over_defined

LEAST_PIXELS = 16
"""Ours. Fewer pixels of an object, all views together, say nothing about it."""
NO_OBJECTS = "which pixel shows which object is known of Toybox's hard scenes alone"
HARDLY_SEEN = f"fewer than {LEAST_PIXELS} pixels show it"
NO_KEPT = f"no object that is to stay has {LEAST_PIXELS} pixels"
NO_CHANGE = "the original is the true edit already"


def mse_in(a: Tensor, b: Tensor, where: Tensor) -> float:
    """Mean squared difference over the pixels in `where` and all channels. a, b: [V,3,H,W], where: bool [V,H,W]."""
    return float((a - b).square().mean(1)[where].double().mean())


def psnr_in(a: Tensor, b: Tensor, where: Tensor) -> Value:
    """10 log10(1 / MSE) in dB over the pixels in `where`."""
    if where.sum() < LEAST_PIXELS:
        return Missing(HARDLY_SEEN)
    error = mse_in(a, b, where)
    return -10 * math.log10(error) if error > 0 else Missing(EQUAL)


def color_shift_in(a: Tensor, b: Tensor, where: Tensor) -> Value:
    """Euclidean distance of the mean colours over the pixels in `where`, in [0, sqrt(3)]."""
    if where.sum() < LEAST_PIXELS:
        return Missing(HARDLY_SEEN)
    shift = (a - b).movedim(1, -1)[where].double().mean(0)
    return float(shift.norm())


def change_made(source: Tensor, edited: Tensor, truth: Tensor, where: Tensor) -> Value:
    """1 - |edited - truth| / |source - truth|, root mean squares over the pixels in `where`.

    0 where nothing was edited, 1 for the true edit, below 0 for what is further from it than the original was.
    """
    if where.sum() < LEAST_PIXELS:
        return Missing(HARDLY_SEEN)
    asked = mse_in(source, truth, where)
    return 1 - math.sqrt(mse_in(edited, truth, where) / asked) if asked > 0 else Missing(NO_CHANGE)


def by_object(scene: SceneInput) -> dict[str, dict[str, float | None]]:
    """The scores of each object that stays and of ground and sky, and of the changed one where the truth is known.

    Raises:
        ValueError: it is not known what the pixels show.
    """
    if scene.objects is None:
        raise ValueError(NO_OBJECTS)
    found: dict[str, dict[str, float | None]] = {}
    for name, where in (*scene.objects.kept.items(), *scene.objects.backdrop.items()):
        values = {
            "psnr": psnr_in(scene.edited, scene.source, where),
            "color_shift": color_shift_in(scene.edited, scene.source, where),
        }
        found[name] = {"pixels": float(where.sum()), **_plain(values)}
    if scene.truth is not None:
        found["changed"] = {"pixels": float(scene.objects.changed.sum()), **_plain(_to_true(scene))}
    return found


class ObjectScores:
    """psnr_kept_objects, psnr_worst_object, color_shift_kept_objects, psnr_backdrop; psnr_changed_object_to_true and
    change_made_to_true."""

    VERSION: ClassVar[int] = 1

    def __init__(self) -> None:
        kinds = {
            "psnr_kept_objects": "psnr-in-masks/0..1/mean-over-kept-objects",
            "psnr_worst_object": "psnr-in-masks/0..1/least-of-kept-objects",
            "color_shift_kept_objects": "mean-color-distance/0..1/mean-over-kept-objects",
            "psnr_backdrop": "psnr-in-mask/0..1/ground-and-sky",
            "psnr_changed_object_to_true": "psnr-in-mask-to-true/0..1/changed-object",
            "change_made_to_true": "share-of-rms-change/0..1/changed-object",
        }
        self.ids = {name: f"{kind}/{LEAST_PIXELS}-pixels@{self.VERSION}" for name, kind in kinds.items()}

    def score(self, scene: SceneInput, cache: FeatureCache) -> dict[str, ViewScores]:
        """See `SceneMetric.score`; what a scene's score is made of are its objects' pixels, not its views' scores."""
        if scene.objects is None:
            missing = Missing(NO_OBJECTS)
            return dict.fromkeys(self.ids, ViewScores(missing, (missing,) * len(scene)))
        views = [_scores(scene.alone(view)) for view in range(len(scene))]
        return {name: ViewScores(value, tuple(view[name] for view in views)) for name, value in _scores(scene).items()}


def _scores(scene: SceneInput) -> dict[str, Value]:
    assert scene.objects is not None
    edited, source = scene.edited, scene.source
    psnrs = [psnr_in(edited, source, where) for where in scene.objects.kept.values()]
    shifts = [color_shift_in(edited, source, where) for where in scene.objects.kept.values()]
    known = [psnr for psnr in psnrs if not isinstance(psnr, Missing)]
    backdrop = torch.stack(list(scene.objects.backdrop.values())).any(0)
    return {
        "psnr_kept_objects": _mean(psnrs),
        "psnr_worst_object": min(known) if known else _mean(psnrs),
        "color_shift_kept_objects": _mean(shifts),
        "psnr_backdrop": psnr_in(edited, source, backdrop),
        **_to_true(scene),
    }


def _to_true(scene: SceneInput) -> dict[str, Value]:
    if scene.truth is None or scene.objects is None:
        return dict.fromkeys(("psnr_changed_object_to_true", "change_made_to_true"), Missing(NO_TRUE_EDIT))
    changed = scene.objects.changed
    return {
        "psnr_changed_object_to_true": psnr_in(scene.edited, scene.truth, changed),
        "change_made_to_true": change_made(scene.source, scene.edited, scene.truth, changed),
    }


def _mean(values: list[Value]) -> Value:
    """Over the objects that have a value."""
    return mean_over_defined(values).value if values else Missing(NO_KEPT)


def _plain(values: Mapping[str, Value]) -> dict[str, float | None]:
    return {name: None if isinstance(value, Missing) else value for name, value in values.items()}
