"""How an edit of a scene is scored, at its end and on its way.

The original and the edit are scored on the same views along the evaluation path (`piva.rendering.paths`). The distance
to the true edit is that of other views: of the held-out cameras of the true edit's own capture, whose pictures were
drawn of the true world. A set with true edits has no pictures of them along the evaluation path.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from benchmarks.scenes.benchmark import SceneEditCase
from benchmarks.scenes.work import Scene, Truth
from piva.metrics.batch import Missing
from piva.metrics.janus import count_fronts
from piva.metrics.objects import by_object
from piva.metrics.scene_scorer import SceneScorer, SceneScores
from piva.metrics.views import ObjectViews, SceneInput
from piva.rendering.cameras import Cameras
from piva.rendering.fields.settings import WHITE
from piva.representations.radiance_field import RadianceField
from piva.scenes.evaluation import SceneViews, render_views
from piva.scenes.reconstruction import cropped_views
from piva.toybox.object_views import object_views

VERSION = 1
"""Of the evaluation: which views are scored. Raised when others are."""
WATCHED = ("lpips", "psnr", "clip_text", "clip_direction", "saturation_shift")
"""Scored now and then while an edit is made."""
WATCHED_VIEWS = 4


def evaluation_ids(spec: dict[str, str], eval_views: int) -> dict[str, str]:
    """Ids of a scorer's metrics, with the views that they are scored on."""
    where = {True: f"held-out-views@{VERSION}", False: f"path-of-{eval_views}-views@{VERSION}"}
    return {name: f"{id_}/{where[name.endswith('_to_true')]}" for name, id_ in spec.items()}


@dataclass(frozen=True, eq=False)
class Scored:
    """The scores of an edited scene, and the pictures they were made of."""

    scores: SceneScores
    views: SceneViews
    held_out: dict[str, Tensor]
    """Stacks of the held-out views by name, where the true edit is known."""
    by_object: dict[str, dict[str, float | None]] = field(default_factory=dict)
    """As `piva.metrics.objects.by_object`, where the world is known: "changed" on the held-out views, the others on
    those along the path."""


def score(scorer: SceneScorer, scene: Scene, case: SceneEditCase, edited: RadianceField) -> Scored:
    """Scores one edited scene.

    Raises:
        DataError, ValueError: the true edit's folder is not what it should be.
    """
    views, edit = scene.views(case, edited), case.edit
    labels = (case.source.attributes, case.target.attributes) if case.source and case.target else None
    has_front = case.target is not None and case.target.has_front
    known: dict[str, Any] = {"src_prompt": edit.source, "tgt_prompt": edit.target}
    along = SceneInput(
        source=views.original, edited=views.edited, closed=views.closed, has_front=has_front,
        labels=None if labels is None else (labels,) * len(views.edited), objects=_objects(scene, case, scene.path[0]),
        **known,
    )  # fmt: skip
    found = scorer.score(along)
    truth = scene.truth(case)
    if truth is None:
        return Scored(found, views, {})
    if has_front and (reason := _blind_detector(scorer, truth, scene, case)):
        found.values["janus_count"], found.reasons["janus_count"] = None, reason
    behind = scene.background(case)
    stacks = {"original": render_views(scene.field, truth.cameras, behind)}
    stacks |= {"edit": render_views(edited, truth.cameras, behind), "true edit": truth.pictures}
    held_out = SceneInput(
        source=stacks["original"], edited=stacks["edit"], truth=stacks["true edit"],
        objects=_objects(scene, case, truth.cameras), **known,
    )  # fmt: skip
    objects = {} if along.objects is None else by_object(along) | {"changed": by_object(held_out)["changed"]}
    return Scored(_merged(found, scorer.score(held_out)), views, stacks, objects)


def _objects(scene: Scene, case: SceneEditCase, cameras: Cameras) -> ObjectViews | None:
    """What each pixel of these cameras' views shows, where the world is known."""
    return None if case.shown is None else object_views(*case.shown, cameras, scene.capture.orient)


def _merged(along: SceneScores, held_out: SceneScores) -> SceneScores:
    """Scores along the path, but for those against the true edit."""
    for name in along.values:
        if name.endswith("_to_true"):
            along.values[name], along.by_view[name] = held_out.values[name], held_out.by_view[name]
            along.reasons.pop(name, None)
            if name in held_out.reasons:
                along.reasons[name] = held_out.reasons[name]
    return along


def _blind_detector(scorer: SceneScorer, truth: Truth, scene: Scene, case: SceneEditCase) -> str | None:
    """Why fronts of this subject can't be counted: the detector does not find the one in the true edit."""
    family: Any = next((one for one in scorer.of_scenes if "janus_count" in one.ids), None)
    if family is None or case.target is None or not case.target.closed:
        return None
    behind = scene.background(case)
    shown = cropped_views(truth.train, WHITE if behind is None else behind, scene.workshop.size).images
    own = SceneInput(source=shown, edited=shown, src_prompt="", tgt_prompt="", closed=True, has_front=True)
    seen: Sequence[Any] = family.score(own.to(scorer.device), scorer.cache)["janus_count"].by_view
    if any(isinstance(view, Missing) for view in seen):
        return None
    fronts = count_fronts([view > 0 for view in seen])
    return None if fronts == 1 else f"the detector finds {fronts} fronts in the true edit, which has one"


class Watch:
    """Scores a few views of an edit on its way, so that late drift shows.

    Args:
        scorer: of the run; what it can score of WATCHED is scored.
        every: so many steps, and after the last.
    """

    def __init__(self, scorer: SceneScorer, every: int, steps: int) -> None:
        self.every, self.steps = every, steps
        image = [family for family in scorer.of_images.families if set(family.ids) & set(WATCHED)]
        scenes = [family for family in scorer.of_scenes if set(family.ids) & set(WATCHED)]
        names = [name for name in scorer.spec if name in WATCHED]
        self.scorer = SceneScorer(image, scenes, None, scorer.device, scorer.cache, names)

    def is_due(self, step: int) -> bool:
        """Whether to look after so many steps."""
        return bool(self.every and self.scorer.spec) and (step % self.every == 0 or step == self.steps)

    def look(self, scene: Scene, case: SceneEditCase, edited: RadianceField) -> tuple[dict[str, float | None], Tensor]:
        """The scores now, and the views [V,3,H,W] they are of."""
        cameras, closed = scene.path
        chosen = sorted({k * len(cameras) // WATCHED_VIEWS for k in range(WATCHED_VIEWS)})
        originals = scene.originals(case)[chosen]
        now = render_views(edited, cameras[chosen], scene.background(case))
        edit = case.edit
        shown = SceneInput(source=originals, edited=now, src_prompt=edit.source, tgt_prompt=edit.target, closed=closed)
        return self.scorer.score(shown).values, now
