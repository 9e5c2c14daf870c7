"""Counting fronts: label sequences by hand, and the shipped judge on a snowman with one face and with two."""

import dataclasses

import pytest
import torch

from piva.metrics.batch import Missing
from piva.metrics.cache import FeatureCache
from piva.metrics.janus import FEW_VIEWS, NO_FRONT, OPEN_PATH, JanusScores, count_fronts
from piva.metrics.views import SceneInput
from piva.toybox.models.judge import load_judge
from piva.toybox.render import render
from piva.toybox.scene import Camera, Placement, Scene

VIEWS = 24
QUARTER = VIEWS // 4


class RedIsFront:
    """Sees a front where a picture is red, and is half sure of grey ones."""

    def probability(self, images, attribute, value):
        assert (attribute, value) == ("front", "front")
        return images[:, 0].mean((1, 2))


def seen(text):
    return [mark == "f" for mark in text]


@pytest.mark.parametrize(
    ("text", "fronts"),
    [
        ("." * 24, 0),
        ("f" * 24, 2),  # back to back, no view is without a face
        ("f" * 12 + "." * 12, 1),
        ("." * 4 + "f" * 12 + "." * 8, 1),
        ("f" * 6 + "." * 12 + "f" * 6, 1),  # one run around the start
        ("f" * 17 + "." * 7, 1),  # 255 degrees
        ("f" * 18 + "." * 6, 2),  # 270: as two fronts a quarter apart
        ("ffff" + "." * 8 + "ffff" + "." * 8, 2),
        ("ff" + "." * 7 + "fff" + "." * 9 + "fff", 2),
        ("ffff....ffff....ffff....", 3),
        ("f" * 5 + "." + "f" * 6 + "." * 12, 1),  # a slip within a front
        ("." + "f" * 11 + "." * 12, 1),  # a slip at the start of the circle
        ("f" * 12 + "." * 5 + "f" + "." * 6, 1),  # a slip far from it
        ("f" + "." * 23, 0),
        ("." * 23 + "f", 0),
        (".f" * 4, 4),  # 8 views: 45 degrees each, nothing is a slip
    ],
)
def test_fronts_of_a_sequence(text, fronts):
    assert count_fronts(seen(text)) == fronts


@pytest.mark.parametrize("shift", range(24))
def test_it_does_not_matter_where_the_circle_starts(shift):
    for text in ("ffff....ff.fffff.f......", "f" * 13 + "." * 11, "fff" + "." * 9 + "ffff" + "." * 8):
        turned = text[shift:] + text[:shift]
        assert count_fronts(seen(turned)) == count_fronts(seen(text))


def test_a_slip_has_the_same_width_with_any_number_of_views():
    for views in (24, 48, 120):
        half, gap = views // 2, views // 6
        narrow, wide = views * 19 // 360, -(-views * 20 // 360)
        for width, fronts in ((narrow, 1), (wide, 2)):
            assert count_fronts(seen("f" * half + "." * gap + "f" * width + "." * (half - gap - width))) == fronts


def plain(values, size=64):
    return torch.tensor(values)[:, None, None, None].expand(-1, 3, size, size).contiguous()


def janus(edited, truth=None, closed=True, has_front=True, judge=None):
    scene = SceneInput(
        source=torch.zeros_like(edited), edited=edited, truth=truth, src_prompt="a", tgt_prompt="b", closed=closed,
        has_front=has_front,
    )  # fmt: skip
    return JanusScores(judge or RedIsFront(), "red").score(scene, FeatureCache())["janus_count"]


def test_a_view_is_a_front_where_the_judge_is_sure():
    found = janus(plain([1.0, 1.0, 0.91, 0.85, 0.0, 0.0, 0.0, 0.95]))
    assert found.value == 1
    assert found.by_view == (1, 1, 1, 0, 0, 0, 0, 1)
    assert type(found.value) is float


def test_fronts_are_counted_only_where_they_can_be():
    eight = plain([1.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0])
    assert janus(eight).value == 1
    assert janus(eight, has_front=False).value == Missing(NO_FRONT)
    assert janus(eight, closed=False).value == Missing(OPEN_PATH)
    assert janus(eight[:7]).value == Missing(FEW_VIEWS)
    assert janus(eight[..., :32]).value == Missing("the judge reads 64x64 pictures, not 64x32")


def test_a_detector_that_fails_on_the_true_edit_does_not_count():
    one, two = plain([1.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0]), plain([1.0, 1.0, 0.0, 0.0, 1.0, 1.0, 0.0, 0.0])
    assert janus(two, truth=one).value == 2
    missing = Missing("the detector finds 2 fronts in the true edit, which has one")
    assert janus(one, truth=two).value == missing
    assert janus(one, truth=two).by_view == (missing,) * 8


@pytest.fixture(scope="module")
def snowman():
    """Renders from 24 azimuths; the snowman looks at the first camera."""
    cameras = [Camera(azimuth_deg=70 + 360 / VIEWS * k, elevation_deg=20, distance=4.7) for k in range(VIEWS)]
    still = Placement(cameras[0], yaw_deg=70)
    return render([Scene("snowman", "white", dataclasses.replace(still, camera=c)) for c in cameras]).image


def test_the_shipped_judge_finds_one_front_and_its_copy_on_the_back(snowman):
    judge = load_judge()
    assert janus(snowman, judge=judge).value == 1
    assert janus(snowman.roll(9, 0), judge=judge).value == 1
    front = [k if k <= QUARTER or k >= VIEWS - QUARTER else (VIEWS // 2 - k) % VIEWS for k in range(VIEWS)]
    assert janus(snowman[front], judge=judge).value == 2
    assert janus(snowman[front], truth=snowman, judge=judge).value == 2
    back = [(k + VIEWS // 2) % VIEWS if k < QUARTER or k > VIEWS - QUARTER else k for k in range(VIEWS)]
    assert janus(snowman[back], judge=judge).value == 0
