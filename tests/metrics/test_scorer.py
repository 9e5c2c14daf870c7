"""The scorer: every declared name, in any batch, with a reason for every None."""

import dataclasses
import json
import math
import subprocess
import sys

import lpips
import numpy as np
import pytest
import torch
from timm.models.vision_transformer import VisionTransformer

from piva.config import MetricFlags
from piva.metrics import INFO, METRICS, SCENE_METRICS
from piva.metrics.batch import NO_MASK, Missing, ScoreInput
from piva.metrics.clip import ClipScores
from piva.metrics.drift import DriftScores
from piva.metrics.fidelity import FidelityScores
from piva.metrics.loading import load
from piva.metrics.lpips import LpipsScores
from piva.metrics.scorer import Scorer
from piva.metrics.structure import StructureScores
from piva.metrics.success import SuccessScores
from piva.metrics.weights import fingerprint
from piva.registry import resolve
from piva.toybox.captions import caption
from piva.toybox.edits import CHANGES, sample_edit
from piva.toybox.models import judge as judges
from piva.toybox.models import perceptual, weights
from piva.toybox.render import render
from piva.toybox.scene import named_labels

SIZE = 64
SOURCE, TARGET = {"color": "red"}, {"color": "blue"}


class RedOrBlue:
    def predict(self, images):
        return [{"color": "red" if image[0].mean() > image[2].mean() else "blue"} for image in images]


def families(clip):
    torch.manual_seed(0)
    vit = VisionTransformer(img_size=224, patch_size=56, embed_dim=12, depth=2, num_heads=2, num_classes=0).eval()
    net = lpips.LPIPS(net="alex", pnet_rand=True, verbose=False)
    return [
        ClipScores(clip, "small/32"),
        LpipsScores(net, "alex/random"),
        FidelityScores(),
        DriftScores(),
        SuccessScores(RedOrBlue(), "red-or-blue"),
        StructureScores(vit, "small-vit"),
    ]


@pytest.fixture(scope="module")
def scorer(small_clip):
    return Scorer(families(small_clip))


def images(seed, size=SIZE):
    return torch.from_numpy(np.random.default_rng(seed).random((3, size, size), dtype=np.float32))


def case(seed, size=SIZE, full=True):
    mask = torch.zeros(size, size, dtype=torch.bool)
    mask[seed % 7 + 5 : 40, 8 : 30 + seed % 5] = True
    extra = {"mask": mask, "true_edit": images(seed + 100, size), "labels": (SOURCE, TARGET)} if full else {}
    return ScoreInput(
        src_image=images(seed, size), edited=images(seed + 50, size), src_prompt="red", tgt_prompt="blue", **extra
    )


def assert_close(a, b):
    assert a.reasons == b.reasons
    for name, value in a.values.items():
        assert value is b.values[name] is None or value == pytest.approx(b.values[name], rel=1e-4, abs=2e-5), name


def test_every_declared_name_is_scored_and_nothing_else(scorer):
    named = {name for name, info in INFO.items() if info.family in METRICS}
    assert set(scorer.spec) == named
    assert set(scorer.metrics) == named
    values, reasons = scorer.score(case(1))
    assert list(values) == list(scorer.metrics)
    allowed_none = {"leakage"}  # needs a gain in CLIP, which noise may not have
    assert {name for name, value in values.items() if value is None} <= allowed_none
    assert set(reasons) <= allowed_none
    for name, value in values.items():
        low, high = INFO[name].range
        assert value is None or (type(value) is float and low <= value <= high), name


def test_each_family_declares_just_its_names_and_is_in_the_lookup(small_clip):
    assert {*METRICS, *SCENE_METRICS} == {info.family for info in INFO.values()} - {"cost"}
    for family in families(small_clip):
        (key,) = (key for key, path in METRICS.items() if path.endswith(f":{type(family).__name__}"))
        assert resolve("metric", METRICS, key) is type(family)
        assert set(family.ids) == {name for name, info in INFO.items() if info.family == key}


def test_ids_name_the_weights_and_the_version_and_differ(scorer):
    assert scorer.spec["clip_text"] == "clip-score/small/32/cosine@1"
    assert scorer.spec["lpips"] == "lpips/alex/random/native/whole@1"
    assert len(set(scorer.spec.values())) == len(scorer.spec)
    assert all(id_.endswith("@1") for id_ in scorer.spec.values())


def test_any_batch_gives_the_same_scores(scorer, small_clip):
    cases = [case(seed, full=seed % 3 != 0) for seed in range(8)]
    together = scorer.score_batch(cases)
    for one, scores in zip(cases, together, strict=True):
        alone = Scorer(families(small_clip)).score(one)
        assert_close(scores, alone)


def test_sizes_may_be_mixed_and_order_is_kept(scorer):
    cases = [case(1), case(2, size=48), case(3), case(4, size=48)]
    together = scorer.score_batch(cases)
    assert [scores.values["mse"] for scores in together] == pytest.approx(
        [((c.src_image - c.edited) ** 2).mean().item() for c in cases], rel=1e-5
    )
    assert together[1].reasons["edit_success"] == "the judge reads 64x64 pictures, not 48x48"
    assert "edit_success" not in together[2].reasons


def test_splitting_a_big_batch_changes_nothing(scorer, monkeypatch):
    cases = [case(seed) for seed in range(5)]
    whole = scorer.score_batch(cases)
    monkeypatch.setattr("piva.metrics.scorer.PIXELS_PER_BATCH", 2 * SIZE * SIZE)
    for a, b in zip(whole, scorer.score_batch(cases), strict=True):
        assert_close(b, a)


def test_every_none_has_a_reason_and_json_takes_it(scorer):
    values, reasons = scorer.score(case(3, full=False))
    assert {name for name, value in values.items() if value is None} == set(reasons)
    assert reasons["psnr_background"] == NO_MASK
    assert json.loads(json.dumps(values, allow_nan=False)) == values


def test_the_copy_row(scorer):
    src = images(9)
    mask = torch.zeros(SIZE, SIZE, dtype=torch.bool)
    mask[10:30, 10:30] = True
    values, reasons = scorer.score(
        ScoreInput(src_image=src, edited=src.clone(), src_prompt="red", tgt_prompt="blue", mask=mask)
    )
    none = ["lpips", "lpips_background", "structure_distance", "mse", "mse_background", "saturation_shift"]
    one = ["ssim", "ssim_background", "detail_ratio", "detail_ratio_background", "clip_image"]
    exact = dict.fromkeys([*none, "clipped_fraction"], 0) | dict.fromkeys(one, 1)
    assert {name: values[name] for name in exact} == pytest.approx(exact, abs=1e-6)
    assert {"psnr", "psnr_background", "clip_direction", "leakage"} <= set(reasons)


def test_missing_weights_are_none_with_the_reason():
    scorer = Scorer([FidelityScores()], missing={"lpips": "weights missing: no file"})
    values, reasons = scorer.score(case(1))
    assert values["lpips"] is None
    assert reasons["lpips"] == "weights missing: no file"
    assert "lpips" in scorer.metrics
    assert "lpips" not in scorer.spec
    assert values["mse"] > 0


def test_the_toybox_scorer_names_its_weights_and_what_is_missing(monkeypatch):
    def no_clip(device):
        raise weights.MissingWeights("no Toybox weights in nowhere")

    torch.manual_seed(0)
    net, judge = perceptual.ToyboxLPIPS().eval(), judges.Judge().eval()
    monkeypatch.setattr("piva.toybox.models.clip.load_clip", no_clip)
    monkeypatch.setattr(perceptual, "load_lpips", lambda device: net)
    monkeypatch.setattr(judges, "load_judge", lambda device: judge)
    scorer = load(MetricFlags(), "toybox")
    one = case(1)
    seen = judge.predict(one.edited[None])[0]
    one = dataclasses.replace(one, labels=({**seen, "color": "another"}, seen))
    values, reasons = scorer.score(one)
    assert scorer.spec["lpips"] == f"lpips/lpips-toybox/{fingerprint(net)}/native/whole@1"
    assert values["lpips"] == pytest.approx(net(one.edited[None], one.src_image[None]).item(), rel=1e-4)
    assert values["edit_success"] == 1
    assert values["clip_text"] is None
    assert reasons["clip_text"] == "weights missing: no Toybox weights in nowhere"
    assert set(reasons) == {name for name, info in INFO.items() if info.family == "clip"}


def test_the_shipped_models_prefer_the_true_edit_to_the_source():
    scorer = load(MetricFlags(), "toybox")
    assert not scorer.missing, scorer.missing
    edits = [sample_edit(type_id, 0, "dev") for type_id in CHANGES]
    sources = render([edit.source for edit in edits]).image
    trues = render([edit.target for edit in edits]).image

    def scores(images):
        cases = [
            ScoreInput(
                src_image=source,
                edited=image,
                src_prompt=caption(edit.source),
                tgt_prompt=caption(edit.target),
                labels=(named_labels(edit.source), named_labels(edit.target)),
            )
            for edit, source, image in zip(edits, sources, images, strict=True)
        ]
        return [result.values for result in scorer.score_batch(cases)]

    copies, ideals = scores(sources), scores(trues)
    assert sum(row["edit_success"] for row in copies) == 0
    assert sum(row["edit_success"] for row in ideals) >= 8
    assert sum(row["kept"] for row in copies) >= 8
    assert sum(a["clip_text"] > b["clip_text"] for a, b in zip(ideals, copies, strict=True)) >= 8
    assert np.mean([row["clip_direction"] for row in ideals]) > 0.3


def test_a_score_that_is_not_finite_is_none():
    class Broken:
        ids = {"lpips": "x", "mse": "y"}  # noqa: RUF012

        def score(self, batch, cache):
            return {"lpips": [math.nan], "mse": [Missing("no")]}

    values, reasons = Scorer([Broken()]).score(case(1))
    assert values == {"lpips": None, "mse": None}
    assert reasons == {"lpips": "not finite", "mse": "no"}


def test_no_cases_no_scores(scorer):
    assert scorer.score_batch([]) == []


def test_a_fingerprint_changes_with_any_weight_or_name():
    layer = torch.nn.Linear(2, 2)
    first = fingerprint(layer)
    assert first == fingerprint(layer)
    assert len(first) == 8
    with torch.no_grad():
        layer.bias[0] += 1e-7
        layer.weight[0, 0] += 1
    assert fingerprint(layer) != first
    assert fingerprint(torch.nn.Sequential(layer)) != fingerprint(layer)
    assert fingerprint(layer.half()) != fingerprint(layer.float())


def test_the_declared_facts_need_no_torch():
    code = "import sys, piva.metrics; assert 'torch' not in sys.modules; assert 'numpy' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_facts_make_sense():
    for name, info in INFO.items():
        assert info.about
        assert info.higher_is_better is not None or info.best is not None, name
        assert info.range[0] < info.range[1]
        assert info.display_scale > 0
