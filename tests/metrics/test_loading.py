"""From flags to a scorer: which scores, with which models, and what is said of those that are not there."""

import subprocess
import sys
import warnings

import lpips
import numpy as np
import pytest
import torch
import torchvision

from piva.config import MetricFlags
from piva.errors import ConfigError
from piva.metrics import INFO, METRICS, SCENE_METRICS, SCENE_SCORES
from piva.metrics.batch import ScoreInput
from piva.metrics.loading import BUILDERS, DEFAULTS, IMAGE_SCORES, SCENE_BUILDERS, chosen, load, load_scene
from piva.metrics.lpips import TRUNKS, load_net, trunk_weights

CONSISTENCIES = ("consistency_direction_pair", "consistency_edit_direction")


@pytest.fixture
def no_weights(tmp_path, monkeypatch):
    """Caches that hold nothing."""
    import huggingface_hub

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr("torch.hub.get_dir", lambda: str(tmp_path / "torch"))
    return tmp_path


def images(seed, size=32):
    return torch.from_numpy(np.random.default_rng(seed).random((3, size, size), dtype=np.float32))


def test_toybox_is_scored_as_its_tables_say():
    spec = load(MetricFlags(), "toybox").spec
    assert "structure_distance" not in spec
    assert len(spec) == 27
    assert {name: spec[name] for name in ("psnr_background", "ssim_background", "lpips_background", "clip_text")} == {
        "psnr_background": "psnr/0..1/strict-background@1",
        "ssim_background": "ssim/gauss-1.5-11/0..1/strict-background-source-inside@1",
        "lpips_background": "lpips/lpips-toybox/65af24ff/native/strict-background-source-inside@1",
        "clip_text": "clip-score/clip-toybox/64-bilinear/21494578/cosine@1",
    }


def test_real_images_without_weights_keep_what_needs_none_and_say_why(no_weights):
    scorer = load(MetricFlags(), "real")
    needy = {name for name, info in INFO.items() if info.family in ("clip", "lpips", "structure")}
    assert set(scorer.missing) == needy == {n for n in IMAGE_SCORES if INFO[n].needs in ("CLIP", "LPIPS", "DINO")}
    assert set(scorer.spec) == {name for name, info in INFO.items() if info.family in ("fidelity", "drift")}
    values, reasons = scorer.score(ScoreInput(src_image=images(0), edited=images(1), src_prompt="a", tgt_prompt="b"))
    assert values["clip_text"] is values["lpips"] is values["structure_distance"] is None
    assert reasons["clip_text"].startswith("weights missing: CLIP ViT-L-14/openai is not on this machine; to fetch it:")
    assert reasons["lpips"].startswith("weights missing: LPIPS squeeze is not on this machine")
    assert reasons["structure_distance"].startswith("weights missing: DINO dino_vitb8 is not on this machine")
    assert values["mse"] > 0
    assert "edit_success" not in values


def test_the_official_profile_has_ids_of_its_own(tiny_open_clip, no_weights):
    strict, official = (
        load(MetricFlags(profile=profile, clip=tiny_open_clip), "real").spec for profile in ("strict", "official")
    )
    assert official["psnr_background"] == "psnr/0..1/official-background@1"
    assert official["ssim_background"] == "ssim/gauss-1.5-11/0..1/official-background@1"
    assert "/official-cosine-from-0@1" in official["clip_text"]
    assert {name for name in strict if strict[name] != official[name]} == {
        "psnr_background", "ssim_background", "mse_background", "clip_text", "clip_text_region"
    }  # fmt: skip


def test_scores_are_chosen_by_name_and_by_family():
    assert chosen((), ("drift",), IMAGE_SCORES) == [name for name, info in INFO.items() if info.family == "drift"]
    assert chosen(("mse", "psnr"), ("drift",), IMAGE_SCORES) == ["psnr", "mse"]
    assert chosen(("success", "mse"), (), IMAGE_SCORES) == ["mse", "edit_success", "changed", "kept"]
    assert set(BUILDERS) == set(METRICS)
    assert {family for families in SCENE_BUILDERS for family in families} == {*SCENE_METRICS, "clip"}
    assert all(set(defaults.families) <= set(BUILDERS) for defaults in DEFAULTS.values())
    assert all(set(defaults.scene_families) <= set(SCENE_METRICS) for defaults in DEFAULTS.values())
    scorer = load(MetricFlags(metrics=("mse", "detail_ratio")), "toybox")
    case = ScoreInput(src_image=images(0), edited=images(1), src_prompt="a", tgt_prompt="b")
    assert list(scorer.score(case).values) == list(scorer.metrics) == ["mse", "detail_ratio"]
    assert set(scorer.spec) == {"mse", "detail_ratio"}


def test_a_toybox_scene_is_scored_as_its_tables_say():
    spec = load_scene(MetricFlags(), "toybox").spec
    assert len(spec) == 21
    assert (
        spec.items()
        >= {
            "psnr_to_true": "psnr-to-true/0..1/whole@1/mean-over-views@2",
            "clip_text": "clip-score/clip-toybox/64-bilinear/21494578/cosine@1/mean-over-views@1",
            CONSISTENCIES[0]: "consistency/clip-toybox/64-bilinear/21494578/direction-pair/signed-cosine@1",
            "janus_count": "janus-count/judge-toybox/2972b303/64/front-from-0.9/half-circles@1",
        }.items()
    )


def test_a_real_scene_without_weights_keeps_what_needs_none_and_says_why(no_weights):
    scorer = load_scene(MetricFlags(), "real")
    assert set(scorer.missing) == {n for n in SCENE_SCORES if INFO[n].needs in ("CLIP", "LPIPS", "DINO")}
    assert scorer.missing["consistency_edit_direction"].startswith("weights missing: CLIP ViT-L-14/openai")
    assert set(scorer.spec) == {n for n in SCENE_SCORES if INFO[n].family in ("fidelity", "drift")}


def test_a_scene_s_scores_are_chosen_by_name_and_by_family(tiny_open_clip):
    flags = MetricFlags(metrics=("consistency", "clip_text", "mse"), clip=tiny_open_clip)
    scorer, expected = load_scene(flags, "real"), ["clip_text", "mse", *CONSISTENCIES]
    assert list(scorer.metrics) == expected
    assert set(scorer.spec) == set(expected)


def test_what_scenes_do_not_have_is_refused():
    with pytest.raises(ConfigError, match=r"--profile official .*: scenes have only strict"):
        load_scene(MetricFlags(profile="official"), "real")
    with pytest.raises(ConfigError, match="--metrics psnr_background: unknown metric"):
        load_scene(MetricFlags(metrics=("psnr_background",)), "real")
    with pytest.raises(ConfigError, match="--metrics janus_count: unknown metric"):
        load(MetricFlags(metrics=("janus_count",)), "toybox")


@pytest.mark.parametrize("name", ["clip_txt", "seconds_edit"])
def test_a_score_that_does_not_exist(name):
    with pytest.raises(ConfigError, match=f"--metrics {name}: unknown metric"):
        load(MetricFlags(metrics=(name,)), "toybox")


def test_a_folder_of_weights_that_does_not_exist(tmp_path):
    with pytest.raises(ConfigError, match=r"--weights .*/nowhere is no folder"):
        load(MetricFlags(metrics=("mse",), weights=tmp_path / "nowhere"), "toybox")


def test_nothing_is_imported_that_is_not_asked_for():
    code = (
        "import sys; from piva.config import MetricFlags; from piva.metrics.loading import load;"
        "assert 'torch' not in sys.modules;"
        "load(MetricFlags(metrics=('drift',)), 'real');"
        "assert not {'lpips', 'open_clip', 'timm', 'torchvision', 'torchmetrics'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("net", sorted(TRUNKS))
def test_an_lpips_net_is_the_package_s_own(net, no_weights, monkeypatch):
    """The trunk's weights, random here, lie where torch.hub keeps torchvision's."""
    kept = no_weights / "torch" / "checkpoints" / trunk_weights(net).url.rpartition("/")[2]
    kept.parent.mkdir(parents=True)
    name = {"alex": "alexnet", "vgg": "vgg16", "squeeze": "squeezenet1_1"}[net]
    torch.manual_seed(0)
    torch.save(getattr(torchvision.models, name)(weights=None).state_dict(), kept)
    ours = load_net(net)
    monkeypatch.setenv("TORCH_HOME", str(no_weights))
    monkeypatch.setattr("torch.hub.get_dir", lambda: str(no_weights / "torch"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = lpips.LPIPS(net=net, verbose=False)
    a, b = images(0, 64)[None], images(1, 64)[None]
    with torch.no_grad():
        assert ours(a, b).item() == theirs(a, b).item() > 0
