"""The scorer of scenes: means over views of what the scorer of images gives, a reason for every None, one key each."""

import dataclasses
import json
import math

import lpips
import numpy as np
import pytest
import torch

from piva.metrics import INFO, SCENE_METRICS, SCENE_SCORES
from piva.metrics.batch import NO_TRUE_EDIT, Missing
from piva.metrics.drift import DriftScores
from piva.metrics.fidelity import EQUAL, FidelityScores
from piva.metrics.info import NOE_SCALE
from piva.metrics.janus import NO_FRONT, JanusScores
from piva.metrics.lpips import LpipsScores
from piva.metrics.objects import ObjectScores
from piva.metrics.scene_clip import SceneClipScores
from piva.metrics.scene_scorer import SceneScorer
from piva.metrics.scorer import Scorer
from piva.metrics.success import NO_LABELS, SuccessScores
from piva.metrics.views import ObjectViews, SceneInput, mean_over_defined
from piva.registry import resolve

SIZE, VIEWS = 64, 8
SOURCE, TARGET = {"color": "red"}, {"color": "blue"}


class Reader:
    """Names a colour, and sees a front in the first four views' red corner."""

    def predict(self, images):
        return [{"color": "red" if image[0].mean() > image[2].mean() else "blue"} for image in images]

    def probability(self, images, attribute, value):
        return images[:, 0, 0, 0]


def of_images():
    torch.manual_seed(0)
    net = lpips.LPIPS(net="alex", pnet_rand=True, verbose=False)
    return [LpipsScores(net, "alex/random"), FidelityScores(), DriftScores(), SuccessScores(Reader(), "red-or-blue")]


@pytest.fixture(scope="module")
def scorer(small_clip):
    return SceneScorer(
        of_images(), [SceneClipScores(small_clip, "small/32"), JanusScores(Reader(), "corner"), ObjectScores()]
    )


def stack(seed):
    return torch.from_numpy(np.random.default_rng(seed).random((VIEWS, 3, SIZE, SIZE), dtype=np.float32))


def scene(**changes):
    edited = stack(1)
    edited[:, 0, 0, 0] = (torch.arange(VIEWS) < 4).float()
    truth = stack(2)
    truth[:, 0, 0, 0] = edited[:, 0, 0, 0]
    full = {"truth": truth, "closed": True, "has_front": True, "labels": ((SOURCE, TARGET),) * VIEWS}
    corners = [torch.zeros(VIEWS, SIZE, SIZE, dtype=torch.bool) for _ in range(3)]
    for corner, where in zip(corners, (slice(8), slice(8, 16), slice(16, 24)), strict=True):
        corner[:, where, :8] = True
    full["objects"] = ObjectViews({"cube": corners[0]}, {"ground": corners[1]}, corners[2])
    known = {"source": stack(0), "edited": edited, "src_prompt": "red", "tgt_prompt": "blue"}
    return SceneInput(**(known | full | changes))


def test_every_name_a_scene_can_have_is_scored_and_nothing_else(scorer):
    offered = {name for name in SCENE_SCORES if INFO[name].family != "structure"}
    assert set(scorer.spec) == offered
    values, reasons, by_view = scorer.score(scene())
    assert list(values) == list(by_view) == [name for name in INFO if name in offered]
    assert reasons == {}
    for name, value in values.items():
        low, high = INFO[name].range
        assert type(value) is float
        assert low <= value <= high, name
    assert values["janus_count"] == 1
    assert by_view["janus_count"] == [1, 1, 1, 1, 0, 0, 0, 0]
    assert json.loads(json.dumps(by_view, allow_nan=False)) == by_view


def test_no_name_needs_a_mask():
    gone = {name for name, info in INFO.items() if info.family != "cost"} - set(SCENE_SCORES)
    assert gone == {"leakage", "clip_text_region"} | {name for name in INFO if "_background" in name}


def test_scores_of_images_are_means_over_the_views(scorer):
    one = scene()
    images = Scorer(of_images()).score_batch(one.as_images())
    values, _, by_view = scorer.score(one)
    for name in ("lpips", "lpips_to_true", "psnr", "psnr_to_true", "ssim", "mse", "saturation_shift", "detail_ratio"):
        expected = [image.values[name] for image in images]
        assert by_view[name] == pytest.approx(expected, rel=1e-5, abs=1e-6), name
        assert values[name] == pytest.approx(sum(expected) / VIEWS, rel=1e-5, abs=1e-6), name
    assert values["mse"] == pytest.approx(((one.edited - one.source) ** 2).mean().item(), rel=1e-5)
    blue = [image[0].mean() <= image[2].mean() for image in one.edited]
    assert values["edit_success"] == pytest.approx(sum(blue) / VIEWS)


def test_a_view_equal_to_the_original_has_no_psnr_and_leaves_that_of_the_others(scorer):
    one = scene()
    one.edited[5] = one.source[5]
    values, reasons, by_view = scorer.score(one)
    others = by_view["psnr"][:5] + by_view["psnr"][6:]
    assert by_view["psnr"][5] is None
    assert values["psnr"] == pytest.approx(sum(others) / len(others))
    assert values["clip_direction"] is not None
    one.edited[:] = one.source
    values, reasons, _ = scorer.score(one)
    assert values["psnr"] is None
    assert reasons["psnr"] == EQUAL


def test_without_truth_labels_and_a_front_there_is_a_reason_each(scorer):
    values, reasons, _ = scorer.score(scene(truth=None, labels=None, has_front=False))
    expected = {name: NO_TRUE_EDIT for name in values if name.endswith("_to_true")}
    expected |= dict.fromkeys(("edit_success", "changed", "kept"), NO_LABELS)
    assert reasons == expected | {"janus_count": NO_FRONT}
    assert {name for name, value in values.items() if value is None} == set(reasons)


def test_missing_weights_are_none_with_the_reason():
    scorer = SceneScorer([FidelityScores()], missing={"consistency_edit_direction": "weights missing: no file"})
    values, reasons, by_view = scorer.score(scene())
    assert values["consistency_edit_direction"] is None
    assert reasons == {"consistency_edit_direction": "weights missing: no file"}
    assert by_view["consistency_edit_direction"] == []
    assert "consistency_edit_direction" not in scorer.spec


def test_only_the_names_that_are_wanted(small_clip):
    clip = SceneClipScores(small_clip, "small/32")
    scorer = SceneScorer([FidelityScores()], [clip], names=("mse", "clip_image", "psnr_background"))
    assert scorer.spec == {
        "mse": "mse/0..1/whole@1/mean-over-views@2",
        "clip_image": "clip-image/small/32/cosine@1/mean-over-views@1",
    }
    assert list(scorer.score(scene()).values) == ["clip_image", "mse"]


def test_each_family_is_in_the_lookup_under_its_names(scorer):
    for key in SCENE_METRICS:
        (family,) = (family for family in scorer.of_scenes if type(family) is resolve("metric", SCENE_METRICS, key))
        assert {name for name, info in INFO.items() if info.family == key} <= set(family.ids)
    assert len(set(scorer.spec.values())) == len(scorer.spec)


def test_means():
    some = [1.0, Missing("dark"), 3.0, Missing("flat")]
    assert mean_over_defined(some).value == 2
    assert mean_over_defined([Missing("dark"), Missing("flat")]).value == Missing("dark")
    assert mean_over_defined(some).by_view == tuple(some)


@pytest.mark.parametrize(
    ("name", "views", "message"),
    [
        ("edited", torch.zeros(VIEWS, 3, 8, 8), "edited is .*the source"),
        ("source", torch.zeros(3, 8, 8), "source is torch.float32 .*, not float32"),
        ("truth", torch.zeros(VIEWS, 3, SIZE, SIZE, dtype=torch.float64), "truth is torch.float64"),
        ("edited", torch.full((VIEWS, 3, SIZE, SIZE), math.nan), "edited has values outside"),
        ("edited", torch.full((VIEWS, 3, SIZE, SIZE), 1.5), "edited has values outside"),
        ("labels", ((SOURCE, TARGET),) * 3, f"3 labels for {VIEWS} views"),
    ],
)
def test_views_that_can_not_be_scored(name, views, message):
    with pytest.raises(ValueError, match=message):
        scene(**{name: views})


def test_noe_s_scale_is_the_one_that_public_clip_scores_have():
    assert pytest.approx(0.5175) == 0.207 * NOE_SCALE


def test_the_same_scene_has_the_same_scores_and_another_order_others(scorer):
    one = scene()
    assert scorer.score(one) == scorer.score(one)
    order = [0, 4, 1, 5, 2, 6, 3, 7]
    mixed = dataclasses.replace(one, source=one.source[order], edited=one.edited[order], truth=one.truth[order])
    a, b = scorer.score(one).values, scorer.score(mixed).values
    assert a["clip_text"] == pytest.approx(b["clip_text"], abs=1e-6)
    assert a["consistency_direction_pair"] != pytest.approx(b["consistency_direction_pair"], abs=1e-3)
