"""What a dataset update refuses before any work, and which LPIPS it takes."""

from dataclasses import replace

import pytest
import torch
from instructed_world import TintPrior, instructed_case

from piva.errors import ConfigError, PreflightError
from piva.instructed.in2n import IN2N
from piva.modules.scene_settings import SceneEditSettings
from piva.scenes.updating import check_update, load_perceptual, update_scene
from piva.toybox.models.perceptual import load_lpips


@pytest.mark.parametrize(
    ("method", "scene", "said"),
    [
        ({"sampler_steps": 21}, {}, "--method.sampler-steps 21: the least noise, --method.noise-min 0.02, leaves 20"),
        ({"patch": 64}, {}, "--method.patch 64: the pictures are 32x32"),
        ({}, {"cameras": "orbit"}, "--scene.cameras orbit: in2n replaces captured pictures"),
        ({}, {"anchor": 1.0}, "--scene.anchor: in2n has no such term"),
    ],
)
def test_settings_that_do_not_suit_are_refused(method, scene, said):
    with pytest.raises(ConfigError, match=said):
        check_update(IN2N(**method), SceneEditSettings(**scene), TintPrior())
    check_update(IN2N(), SceneEditSettings(), TintPrior())


def test_an_edit_without_an_instruction_is_refused():
    with pytest.raises(ConfigError, match="scene-0 has no instruction"):
        update_scene(TintPrior(), IN2N(), instructed_case(" "), SceneEditSettings(), steps=1, seed=0)


def test_the_instruction_is_read_by_the_prior():
    prior, read = TintPrior(), []
    embed = prior.embed
    prior.embed = lambda prompts: read.extend(prompts) or embed(prompts)
    method = IN2N(rays=256, patch=16, lpips_weight=0)
    update_scene(prior, method, instructed_case("make it blue"), SceneEditSettings(), steps=1, seed=0)
    assert read == ["make it blue", ""]


def test_an_instruction_that_is_cut_is_noted():
    prior = TintPrior()
    prior.cut_prompts["make it blue"] = "has 99 tokens, of which tint reads 40"
    method = IN2N(rays=256, patch=16, lpips_weight=0)
    output = update_scene(prior, method, instructed_case(), SceneEditSettings(), steps=1, seed=0)
    assert output.note == "the instruction has 99 tokens, of which tint reads 40"


def test_lpips_is_the_toybox_s_for_the_toybox():
    prior = TintPrior()
    prior.name = "toybox-instruct-pix2pix"
    a, b = torch.rand(2, 3, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(load_perceptual(IN2N(), prior)(a, b), load_lpips()(a, b))


def test_missing_weights_say_what_to_do(monkeypatch, tmp_path):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    with pytest.raises(PreflightError, match=r"or take --method\.lpips-weight 0"):
        load_perceptual(IN2N(), TintPrior())


def test_what_the_source_s_case_brings_is_needed():
    case = replace(instructed_case(), captured=None)
    with pytest.raises(ValueError, match="comes without its photographs"):
        update_scene(TintPrior(), IN2N(lpips_weight=0), case, SceneEditSettings(), steps=1, seed=0)
