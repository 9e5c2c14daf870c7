"""Scores of objects on made-up pictures, by closed forms."""

import math

import pytest
import torch

from piva.config import MetricFlags
from piva.metrics.batch import NO_TRUE_EDIT, Missing
from piva.metrics.cache import FeatureCache
from piva.metrics.fidelity import EQUAL
from piva.metrics.info import INFO
from piva.metrics.loading import load_scene
from piva.metrics.objects import HARDLY_SEEN, NO_OBJECTS, ObjectScores, by_object, change_made, color_shift_in, psnr_in
from piva.metrics.scene_scorer import SceneScorer
from piva.metrics.views import ObjectViews, SceneInput

VIEWS, SIZE = 3, 16


def box(rows, columns):
    """True in a rectangle of every view."""
    where = torch.zeros(VIEWS, SIZE, SIZE, dtype=torch.bool)
    where[:, rows, columns] = True
    return where


CUBE, BALL = box(slice(0, 4), slice(0, 4)), box(slice(0, 4), slice(8, 12))
SKY, GROUND, CHANGED = box(slice(12, 16), slice(0, 16)), box(slice(8, 12), slice(0, 16)), box(slice(4, 8), slice(4, 8))
OBJECTS = ObjectViews({"cube": CUBE, "ball": BALL}, {"ground": GROUND, "sky": SKY}, CHANGED)


def scene(**changes):
    """The cube is off by 0.1 in all channels, the ball by 0.2 in red in its first view, the ground by 0.05; what was to
    go from 0.5 to 0.9 went to 0.8."""
    source = torch.full((VIEWS, 3, SIZE, SIZE), 0.5)
    edited, truth = source.clone(), source.clone()
    edited.movedim(1, -1)[CUBE] += 0.1
    edited[0, 0][BALL[0]] += 0.2
    edited.movedim(1, -1)[GROUND] -= 0.05
    edited.movedim(1, -1)[CHANGED] = 0.8
    truth.movedim(1, -1)[CHANGED] = 0.9
    known = {"source": source, "edited": edited, "truth": truth, "objects": OBJECTS}
    return SceneInput(**(known | {"src_prompt": "a", "tgt_prompt": "b"} | changes))


def scored(one):
    return ObjectScores().score(one, FeatureCache())


def test_each_object_by_its_own_pixels():
    found = by_object(scene())
    assert list(found) == ["cube", "ball", "ground", "sky", "changed"]
    assert found["cube"] == {"pixels": 48, "psnr": pytest.approx(20.0), "color_shift": pytest.approx(0.1 * 3**0.5)}
    ball = 0.2**2 / 3 / VIEWS  # one channel of three, one view of three
    assert found["ball"]["psnr"] == pytest.approx(-10 * math.log10(ball), abs=1e-4)
    assert found["ball"]["color_shift"] == pytest.approx(0.2 / 3)
    assert found["ground"]["psnr"] == pytest.approx(-20 * math.log10(0.05), abs=1e-4)
    assert found["sky"] == {"pixels": 192, "psnr": None, "color_shift": 0}
    assert found["changed"] == {
        "pixels": 48, "psnr_changed_object_to_true": pytest.approx(20.0, abs=1e-4),
        "change_made_to_true": pytest.approx(1 - 0.1 / 0.4, abs=1e-5),
    }  # fmt: skip


def test_a_scene_s_scores_are_those_of_its_objects():
    found, objects = scored(scene()), by_object(scene())
    psnrs = [objects[name]["psnr"] for name in ("cube", "ball")]
    assert found["psnr_kept_objects"].value == pytest.approx(sum(psnrs) / 2)
    assert found["psnr_worst_object"].value == min(psnrs) == psnrs[0]
    shifts = [objects[name]["color_shift"] for name in ("cube", "ball")]
    assert found["color_shift_kept_objects"].value == pytest.approx(sum(shifts) / 2)
    assert found["psnr_backdrop"].value == pytest.approx(-10 * math.log10(0.05**2 / 2), abs=1e-4)
    assert found["change_made_to_true"].value == pytest.approx(0.75, abs=1e-5)
    for name, scores in found.items():
        low, high = INFO[name].range
        assert INFO[name].family == "objects"
        assert low <= scores.value <= high
        assert len(scores.by_view) == VIEWS
    first, second = found["psnr_kept_objects"].by_view[:2]
    assert first == pytest.approx((20 - 10 * math.log10(0.04 / 3)) / 2, abs=1e-4)
    assert second == pytest.approx(20.0, abs=1e-4)  # the ball's second view is equal: only the cube has a PSNR


def test_what_was_not_edited_has_no_psnr_and_made_no_change():
    still = scored(scene(edited=scene().source))
    assert still["psnr_kept_objects"].value == still["psnr_backdrop"].value == Missing(EQUAL)
    assert still["psnr_worst_object"].value == Missing(EQUAL)
    assert still["color_shift_kept_objects"].value == 0
    assert still["change_made_to_true"].value == 0
    ideal = scored(scene(edited=scene().truth))
    assert ideal["change_made_to_true"].value == 1
    wrong = torch.where(CHANGED[:, None], 0.1, 0.5)
    assert change_made(scene().source, wrong, scene().truth, CHANGED) == pytest.approx(-1.0, abs=1e-5)


def test_a_shift_that_cancels_out_moves_no_mean_colour():
    checker = (torch.arange(SIZE)[:, None] + torch.arange(SIZE)) % 2 * 0.2 - 0.1
    one = scene()
    assert color_shift_in(one.source + checker, one.source, CUBE) == pytest.approx(0, abs=1e-7)
    assert psnr_in(one.source + checker, one.source, CUBE) == pytest.approx(20.0, abs=1e-4)


def test_what_is_hardly_seen_or_not_known_has_no_score():
    few = torch.zeros_like(CUBE)
    few[0, 0, :15] = True
    found = scored(scene(objects=ObjectViews({"cube": few}, OBJECTS.backdrop, few)))
    for name in ("psnr_kept_objects", "psnr_worst_object", "color_shift_kept_objects", "change_made_to_true"):
        assert found[name].value == Missing(HARDLY_SEEN)
    assert {scores.value for scores in scored(scene(objects=None)).values()} == {Missing(NO_OBJECTS)}
    without = scored(scene(truth=None))
    assert without["change_made_to_true"].value == Missing(NO_TRUE_EDIT)
    assert "changed" not in by_object(scene(truth=None))
    with pytest.raises(ValueError, match="a mask is"):
        scene(objects=ObjectViews({"cube": CUBE[:2]}, {}, CUBE))


def test_they_are_scored_where_objects_are_known_and_asked_for_elsewhere_they_say_why():
    families = {INFO[name].family for name in load_scene(MetricFlags(), "toybox-clutter").spec}
    assert families == {"fidelity", "drift", "clip", "lpips", "consistency", "objects"}
    assert not {"objects"} & {INFO[name].family for name in load_scene(MetricFlags(), "toybox").spec}
    scorer = SceneScorer([], [ObjectScores()])
    values, reasons, _ = scorer.score(scene(objects=None))
    assert set(values.values()) == {None}
    assert reasons["psnr_worst_object"] == NO_OBJECTS
