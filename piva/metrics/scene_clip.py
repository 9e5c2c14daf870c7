"""CLIP scores of an edited scene: alignment, direction of the change, and whether all views changed alike.

o_i and e_i are view i of the original and of the edit, along the camera path; C(x), T(c) unit-length features of a
picture and of a prompt; cos is signed (some public code takes its absolute value).

    clip_text                    mean_i cos(C(e_i), T(tgt))
    clip_image                   mean_i cos(C(e_i), C(o_i))
    clip_direction               mean_i cos(C(e_i) - C(o_i), T(tgt) - T(src))
    consistency_direction_pair   mean_i cos(C(o_i+1) - C(o_i), C(e_i+1) - C(e_i))
    consistency_edit_direction   mean_i cos(C(e_i) - C(o_i), C(e_i+1) - C(o_i+1))

The last two are both in use under one name, CLIP direction consistency (Haque et al. 2023, Instruct-NeRF2NeRF): the
first asks whether the edit moves along the path as the original does, the second whether neighbouring views were edited
in the same direction. A difference that vanishes has no direction: its view, or pair, does not count.
"""

from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from piva.metrics.batch import Missing, Value, content, values
from piva.metrics.cache import FeatureCache
from piva.metrics.clip import LEAST_CHANGE, SAME_IMAGE, SAME_TEXT, ClipModel, ClipScores, cosine
from piva.metrics.views import SceneInput, ViewScores, mean_over_defined

ONE_VIEW = "the scene has one view: there are no neighbours"
SAME_VIEWS = "no two neighbouring views differ in both scenes: there is no direction"


def neighbours(views: Tensor, closed: bool) -> tuple[Tensor, Tensor]:
    """Each view's features and the next one's, [P, D] and [P, D]: P = V on a closed path, V - 1 on an open one."""
    following = views.roll(-1, dims=0)
    return (views, following) if closed else (views[:-1], following[:-1])


def direction_pair(src: Tensor, edited: Tensor, closed: bool) -> tuple[Tensor, Tensor]:
    """The steps C(o_i+1) - C(o_i) and C(e_i+1) - C(e_i) of both scenes from view to view, [P, D] and [P, D].

    Args:
        src, edited: unit-length features [V, D].
    """
    (here, there), (edited_here, edited_there) = neighbours(src, closed), neighbours(edited, closed)
    return there - here, edited_there - edited_here


def edit_direction(src: Tensor, edited: Tensor, closed: bool) -> tuple[Tensor, Tensor]:
    """The changes C(e_i) - C(o_i) and C(e_i+1) - C(o_i+1) of neighbouring views, [P, D] and [P, D].

    Args:
        src, edited: unit-length features [V, D].
    """
    return neighbours(edited - src, closed)


def agreement(a: Tensor, b: Tensor, reason: str) -> list[Value]:
    """cos(a, b) of each row, in [-1, 1]; missing, for that reason, where either vanishes.

    Args:
        a, b: differences of unit-length features [N, D].
    """
    vanishes = torch.minimum(a.norm(dim=1), b.norm(dim=1)) < LEAST_CHANGE
    return values(F.cosine_similarity(a, b, dim=1), [reason if gone else None for gone in vanishes.tolist()])


class SceneClipScores:
    """clip_text, clip_image, clip_direction and both consistencies, from one pass over each stack of views.

    The original's features are kept, under a hash of the whole stack: methods are scored on the same originals.

    Args:
        clip: in evaluation mode.
        name: backbone, weights and input size, as in `ClipScores`.
    """

    VERSION: ClassVar[int] = 1

    def __init__(self, clip: ClipModel, name: str) -> None:
        self.images = ClipScores(clip, name)
        means = {"clip_text": "views", "clip_image": "views", "clip_direction": "views-that-changed"}
        self.ids = {key: f"{self.images.ids[key]}/mean-over-{which}@{self.VERSION}" for key, which in means.items()} | {
            "consistency_direction_pair": f"consistency/{name}/direction-pair/signed-cosine@{self.VERSION}",
            "consistency_edit_direction": f"consistency/{name}/edit-direction/signed-cosine@{self.VERSION}",
        }

    def score(self, scene: SceneInput, cache: FeatureCache) -> dict[str, ViewScores]:
        """See `SceneMetric.score`."""
        src, edited = self._source(scene.source, cache), self.images.image_features(scene.edited)  # [V, D]
        text_src, text_tgt = self.images.text_features([scene.src_prompt, scene.tgt_prompt], cache)  # [D]
        change = (text_tgt - text_src).expand_as(src)
        no_text = bool(change[0].norm() < LEAST_CHANGE)
        towards = agreement(edited - src, change, SAME_TEXT if no_text else SAME_IMAGE)
        paired: dict[str, list[Value]] = {
            "consistency_direction_pair": agreement(*direction_pair(src, edited, scene.closed), SAME_VIEWS),
            "consistency_edit_direction": agreement(*edit_direction(src, edited, scene.closed), SAME_IMAGE),
        }
        if len(scene) == 1:
            paired = {name: [Missing(ONE_VIEW)] for name in paired}
        return {
            "clip_text": mean_over_defined(values(cosine(edited, text_tgt.expand_as(edited)))),
            "clip_image": mean_over_defined(values(cosine(edited, src))),
            "clip_direction": mean_over_defined(towards),
        } | {name: mean_over_defined(pairs) for name, pairs in paired.items()}

    def _source(self, views: Tensor, cache: FeatureCache) -> Tensor:
        """Unit features [V, D] of the original's views."""
        key = (self.images.name, "views", content(views))
        known = cache.get(key)
        features = self.images.image_features(views) if known is None else known[0]
        cache.put(key, (features,))
        return features
