"""CLIP scores: closed forms on a linear stand-in for CLIP, and hand-written calls of a small random open_clip model."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from piva.metrics.batch import EMPTY_MASK, FULL_MASK, NO_MASK, Batch, Missing, ScoreInput
from piva.metrics.cache import FeatureCache
from piva.metrics.clip import NO_GAIN, SAME_IMAGE, SAME_TEXT, ClipScores, direction, leakage

TEXTS = {"red": [1.0, 0, 0, 0], "blue": [0, 0, 1.0, 0], "pink": [3.0, 0, 4.0, 0], "black": [0, 0, 0, 1.0]}


class MeanColour:
    """The feature of an image is its mean colour and a constant; prompts are colour words."""

    def __init__(self, constant=0.5):
        self.constant, self.image_rows, self.text_rows = constant, [], []

    def encode_image(self, images):
        self.image_rows.append(len(images))
        return torch.cat([images.mean((2, 3)), torch.full((len(images), 1), self.constant)], dim=1)

    def encode_text(self, texts):
        self.text_rows.append(list(texts))
        return torch.tensor([TEXTS[text] for text in texts])


def plain(*rgb, size=8):
    return torch.tensor(rgb, dtype=torch.float32).reshape(3, 1, 1).expand(3, size, size).contiguous()


def edit(src, edited, src_prompt="red", tgt_prompt="blue", mask=None):
    return ScoreInput(src_image=src, edited=edited, src_prompt=src_prompt, tgt_prompt=tgt_prompt, mask=mask)


@torch.inference_mode()
def score(*cases, clip=None, cache=None):
    return ClipScores(clip or MeanColour(), "mean").score(Batch(cases), cache if cache is not None else FeatureCache())


def left_half(size=8):
    mask = torch.zeros(size, size, dtype=torch.bool)
    mask[:, : size // 2] = True
    return mask


def test_scores_by_hand():
    values = score(edit(plain(1, 0, 0), plain(0, 0, 1), mask=left_half()))
    norm = math.sqrt(1.25)
    assert values["clip_text"][0] == pytest.approx(1 / norm)
    assert values["clip_image"][0] == pytest.approx(0.25 / 1.25)
    assert values["clip_direction"][0] == pytest.approx(1)
    assert values["clip_text_region"][0] == pytest.approx(0.5 / math.sqrt(0.5))  # half of the frame is black
    # The right half alone turns blue: features (.5, 0, .5, .5); the gain is from 0 to 1/norm.
    assert values["leakage"][0] == pytest.approx(0.5 / math.sqrt(0.75) * norm)


def test_the_direction_is_signed():
    red, blue = plain(1, 0, 0), plain(0, 0, 1)
    forth = score(edit(red, blue))["clip_direction"][0]
    back = score(edit(red, blue, src_prompt="blue", tgt_prompt="red"))["clip_direction"][0]
    assert forth == pytest.approx(1)
    assert back == pytest.approx(-1)


def test_direction_uses_differences_of_unit_features():
    features = [F.normalize(torch.from_numpy(np.random.default_rng(k).normal(size=(5, 7)))) for k in range(4)]
    edited, src, tgt, source = features
    for row in range(5):
        a, b = edited[row] - src[row], tgt[row] - source[row]
        expected = (a @ b / (a.norm() * b.norm())).item()
        assert direction(*features)[row].item() == pytest.approx(expected, abs=1e-12)


def test_leakage_closed_form():
    text = torch.tensor([[1.0, 0.0]])
    src, half, full = (torch.tensor([[c, math.sqrt(1 - c * c)]]) for c in (0.2, 0.35, 0.5))
    assert leakage(full, half, src, text).item() == pytest.approx(0.5)
    assert leakage(full, src, src, text).item() == 0
    assert leakage(full, full, src, text).item() == 1


def test_no_leakage_where_the_outside_is_untouched():
    red, mask = plain(1, 0, 0), left_half()
    values = score(edit(red, torch.where(mask, plain(0, 0, 1), red), mask=mask))
    assert values["leakage"] == [pytest.approx(0, abs=1e-6)]


def test_directions_that_do_not_exist():
    red, blue = plain(1, 0, 0), plain(0, 0, 1)
    values = score(edit(red, blue, "red", "red"), edit(red, red), edit(red, blue, "pink", "blue"))
    assert values["clip_direction"][:2] == [Missing(SAME_TEXT), Missing(SAME_IMAGE)]
    assert 0 < values["clip_direction"][2] < 1
    assert values["clip_image"][1] == pytest.approx(1)
    assert values["clip_image"][1] <= 1


def test_region_and_leakage_need_a_mask():
    red, blue = plain(1, 0, 0), plain(0, 0, 1)
    whole, none = torch.ones(8, 8, dtype=torch.bool), torch.zeros(8, 8, dtype=torch.bool)
    values = score(
        edit(red, blue), edit(red, blue, mask=whole), edit(red, blue, mask=none), edit(red, red, mask=left_half())
    )
    region, leaked = values["clip_text_region"], values["leakage"]
    assert region[0] == Missing(NO_MASK)
    assert region[1] == pytest.approx(values["clip_text"][1])  # with the whole frame the region is the image
    assert region[2] == Missing(EMPTY_MASK)
    assert leaked[:2] == [Missing(NO_MASK), Missing(FULL_MASK)]
    assert leaked[2] == pytest.approx(1)
    assert leaked[3] == Missing(NO_GAIN)


def test_one_image_pass_and_every_prompt_and_source_once():
    clip, cache = MeanColour(), FeatureCache()
    red, green, blue = plain(1, 0, 0), plain(0, 1, 0), plain(0, 0, 1)
    cases = [edit(red, blue, mask=left_half()), edit(red, green, tgt_prompt="pink"), edit(green, blue)]
    first = score(*cases, clip=clip, cache=cache)
    assert clip.image_rows == [3 + 1 + 1 + 2]  # edits, one region, one outside, two different sources
    assert clip.text_rows == [["blue", "pink"], ["red"]]
    again = score(*cases, clip=clip, cache=cache)
    assert clip.image_rows[1:] == [3 + 1 + 1]
    assert len(clip.text_rows) == 2
    assert again == first


@torch.inference_mode()
def test_scores_equal_a_hand_written_open_clip_call(small_clip):
    clip = small_clip
    src, edited = (torch.from_numpy(np.random.default_rng(k).random((3, 3, 64, 64), dtype=np.float32)) for k in (0, 1))
    mask = left_half(64)
    prompts = [("red", "blue"), ("pink", "black"), ("blue", "pink")]
    cases = [edit(src[k], edited[k], *prompts[k], mask=mask) for k in range(3)]
    values = score(*cases, clip=clip)
    for k, (source_prompt, target_prompt) in enumerate(prompts):

        def image(x):
            small = F.interpolate(x[None], size=(32, 32), mode="bicubic", antialias=True)
            return clip.model.encode_image(small, normalize=True)[0]

        i_edit, i_src = image(edited[k]), image(src[k])
        i_region, i_out = image(edited[k] * mask), image(torch.where(mask, src[k], edited[k]))
        t_src, t_tgt = clip.model.encode_text(clip.tokens([source_prompt, target_prompt]), normalize=True)
        assert values["clip_text"][k] == pytest.approx((i_edit @ t_tgt).item(), abs=1e-5)
        assert values["clip_text_region"][k] == pytest.approx((i_region @ t_tgt).item(), abs=1e-5)
        assert values["clip_image"][k] == pytest.approx((i_edit @ i_src).item(), abs=1e-5)
        expected = F.cosine_similarity(i_edit - i_src, t_tgt - t_src, dim=0).item()
        assert values["clip_direction"][k] == pytest.approx(expected, abs=1e-4)
        gain, rest = ((i_edit - i_src) @ t_tgt).item(), ((i_out - i_src) @ t_tgt).item()
        if gain >= 0.01:
            assert values["leakage"][k] == pytest.approx(rest / gain, abs=1e-3)
        else:
            assert values["leakage"][k] == Missing(NO_GAIN)
