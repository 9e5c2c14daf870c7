"""CLIP scores of scenes: by hand, against slow twins on a small random open_clip model; one pass over each stack."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from piva.metrics.batch import Missing
from piva.metrics.cache import FeatureCache
from piva.metrics.clip import SAME_IMAGE, SAME_TEXT
from piva.metrics.scene_clip import (
    ONE_VIEW,
    SAME_VIEWS,
    SceneClipScores,
    agreement,
    direction_pair,
    edit_direction,
    neighbours,
)
from piva.metrics.views import SceneInput


class Counted:
    """A CLIP model that remembers how many rows it was asked for."""

    def __init__(self, clip):
        self.clip, self.image_rows, self.texts = clip, [], []

    def encode_image(self, images):
        self.image_rows.append(len(images))
        return self.clip.encode_image(images)

    def encode_text(self, texts):
        self.texts.append(list(texts))
        return self.clip.encode_text(texts)


def stack(seed, views=5, size=40):
    return torch.from_numpy(np.random.default_rng(seed).random((views, 3, size, size), dtype=np.float32))


def scene(source, edited, src_prompt="red", tgt_prompt="blue", closed=False):
    return SceneInput(source=source, edited=edited, src_prompt=src_prompt, tgt_prompt=tgt_prompt, closed=closed)


@torch.inference_mode()
def score(clip, *args, cache=None, **kwargs):
    return SceneClipScores(clip, "small/32").score(scene(*args, **kwargs), FeatureCache() if cache is None else cache)


def on_circle(*degrees):
    return torch.tensor([[math.cos(math.radians(d)), math.sin(math.radians(d))] for d in degrees], dtype=torch.float64)


def test_the_directions_of_steps_by_hand():
    """The chord from angle a to b points at (a + b) / 2 + 90 degrees."""
    src, edited = on_circle(0, 20, 60), on_circle(30, 60, 100)
    expected = [math.cos(math.radians(45 - 10)), math.cos(math.radians(80 - 40))]
    assert agreement(*direction_pair(src, edited, closed=False), "") == pytest.approx(expected)
    back = math.cos(math.radians(65 - 30))  # from the last view to the first, both backwards
    assert agreement(*direction_pair(src, edited, closed=True), "") == pytest.approx([*expected, back])


def test_the_directions_of_edits_by_hand():
    src, edited = on_circle(0, 20, 60), on_circle(30, 60, 50)
    changes = [15 + 90, 40 + 90, 55 - 90]
    expected = [math.cos(math.radians(changes[k + 1] - changes[k])) for k in (0, 1)]
    assert agreement(*edit_direction(src, edited, closed=False), "") == pytest.approx(expected)
    assert expected[1] < -0.9  # signed: the last view was edited the other way
    closing = math.cos(math.radians(changes[0] - changes[2]))
    assert agreement(*edit_direction(src, edited, closed=True), "") == pytest.approx([*expected, closing])


def test_neighbours_on_open_and_closed_paths():
    views = torch.arange(4.0)[:, None]
    assert [half.flatten().tolist() for half in neighbours(views, closed=False)] == [[0, 1, 2], [1, 2, 3]]
    assert [half.flatten().tolist() for half in neighbours(views, closed=True)] == [[0, 1, 2, 3], [1, 2, 3, 0]]


@pytest.mark.parametrize("closed", [False, True])
@torch.inference_mode()
def test_all_scores_equal_their_slow_twins(small_clip, closed):
    source, edited = stack(0), stack(1)
    found = score(small_clip, source, edited, closed=closed)

    def feature(picture):
        small = F.interpolate(picture[None], size=(32, 32), mode="bicubic", antialias=True)
        return small_clip.model.encode_image(small, normalize=True)[0]

    def cos(a, b):
        return (a @ b / (a.norm() * b.norm())).item()

    t_src, t_tgt = small_clip.model.encode_text(small_clip.tokens(["red", "blue"]), normalize=True)
    text, image, change, steps, edits = [], [], [], [], []
    for i in range(5):
        o, e = feature(source[i]), feature(edited[i])
        text.append(cos(e, t_tgt))
        image.append(cos(e, o))
        change.append(cos(e - o, t_tgt - t_src))
        if i + 1 < 5 or closed:
            o_next, e_next = feature(source[(i + 1) % 5]), feature(edited[(i + 1) % 5])
            steps.append(cos(o_next - o, e_next - e))
            edits.append(cos(e - o, e_next - o_next))
    twins = {
        "clip_text": text,
        "clip_image": image,
        "clip_direction": change,
        "consistency_direction_pair": steps,
        "consistency_edit_direction": edits,
    }
    assert found.keys() == twins.keys() == SceneClipScores(small_clip, "small/32").ids.keys()
    for name, by_view in twins.items():
        assert found[name].by_view == pytest.approx(by_view, abs=1e-4), name
        assert found[name].value == pytest.approx(sum(by_view) / len(by_view), abs=1e-4), name


def test_an_untouched_scene_moves_as_itself_and_has_no_direction(small_clip):
    source = stack(2)
    found = score(small_clip, source, source.clone())
    assert found["consistency_direction_pair"].value == pytest.approx(1)
    assert found["clip_image"].value == pytest.approx(1)
    assert found["clip_direction"].value == found["consistency_edit_direction"].value == Missing(SAME_IMAGE)


def test_views_that_did_not_change_have_no_direction_and_do_not_count(small_clip):
    source, edited = stack(0), stack(1)
    edited[3] = source[3]
    found = score(small_clip, source, edited)
    whole = score(small_clip, source, stack(1))
    change = found["clip_direction"]
    assert change.by_view[3] == Missing(SAME_IMAGE)
    assert change.value == pytest.approx(sum(whole["clip_direction"].by_view[k] for k in (0, 1, 2, 4)) / 4)
    assert found["consistency_edit_direction"].by_view[2:] == (Missing(SAME_IMAGE),) * 2
    assert found["consistency_edit_direction"].by_view[:2] == pytest.approx(
        whole["consistency_edit_direction"].by_view[:2]
    )


def test_equal_prompts_a_standing_camera_and_a_single_view(small_clip):
    same = score(small_clip, stack(0), stack(1), tgt_prompt="red")
    assert same["clip_direction"].value == Missing(SAME_TEXT)
    assert isinstance(same["clip_text"].value, float)
    standing = score(small_clip, stack(0)[:1].repeat(3, 1, 1, 1), stack(1, views=3))
    assert standing["consistency_direction_pair"].value == Missing(SAME_VIEWS)
    assert isinstance(standing["consistency_edit_direction"].value, float)
    for closed in (False, True):
        one = score(small_clip, stack(0, views=1), stack(1, views=1), closed=closed)
        assert one["consistency_direction_pair"].value == one["consistency_edit_direction"].value == Missing(ONE_VIEW)
        assert isinstance(one["clip_direction"].value, float)


def test_each_stack_is_encoded_once_and_the_original_only_for_the_first_edit(small_clip):
    clip, cache = Counted(small_clip), FeatureCache()
    first = score(clip, stack(0), stack(1), closed=True, cache=cache)
    assert clip.image_rows == [5, 5]
    assert clip.texts == [["red", "blue"]]
    assert score(clip, stack(0), stack(1), closed=True, cache=cache) == first
    assert clip.image_rows == [5, 5, 5]
    assert len(clip.texts) == 1
    score(clip, stack(0).flip(0), stack(1), cache=cache)  # the same pictures in another order are another scene
    assert clip.image_rows[3:] == [5, 5]
