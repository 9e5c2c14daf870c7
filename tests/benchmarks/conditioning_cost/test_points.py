"""Shapes of every size, what is counted of them by hand, and one turn of a tiny one."""

import pytest
import torch

from benchmarks.conditioning_cost import turns
from benchmarks.conditioning_cost.measure import counted
from benchmarks.conditioning_cost.models import METHODS, RandomPrior, scaled, shape_of
from benchmarks.conditioning_cost.options import KINDS, Options
from benchmarks.conditioning_cost.turns import course_of, take_turn
from piva.auxiliary.controlnet import blueprint
from piva.errors import ConfigError, PreflightError
from piva.priors.shapes import STABLE_DIFFUSION_1_5, PriorShape

OPTIONS = Options(steps=2, device="cpu")


@pytest.fixture(scope="module")
def lines(tiny_pipeline_folder):
    return {kind: counted(OPTIONS, str(tiny_pipeline_folder), kind) for kind in KINDS}


@pytest.fixture(scope="module")
def prior(tiny_prior):
    return RandomPrior(PriorShape.of(tiny_prior), torch.float32, torch.device("cpu"))


@pytest.mark.parametrize(
    ("size", "widths"),
    [
        ("0.1", (32, 64, 128, 128)),
        ("0.25", (96, 160, 320, 320)),  # of 80, 160, 320, 320
        ("0.5", (160, 320, 640, 640)),
        ("1", (320, 640, 1280, 1280)),
        ("0.001", (32, 32, 32, 32)),
    ],
)
def test_widths_are_multiples_of_32(size, widths):
    assert shape_of(size, OPTIONS).unet["block_out_channels"] == widths


def test_a_share_of_1_is_stable_diffusion_itself():
    full = scaled(1.0, 64)
    assert (dict(full.unet), full.vae) == (dict(STABLE_DIFFUSION_1_5.unet), STABLE_DIFFUSION_1_5.vae)
    assert scaled(1.0, 32).image_size == (256, 256)


@pytest.mark.parametrize("size", ["0", "-1", "nan", "inf"])
def test_a_share_is_positive(size):
    with pytest.raises(ConfigError, match=rf"--sizes {size}: a share"):
        shape_of(size, OPTIONS)


def test_a_model_that_is_not_here_is_one_sentence():
    with pytest.raises(PreflightError, match="neither a folder nor a model"):
        shape_of("no/such", OPTIONS)


def test_parameters_by_hand(tiny_prior, lines):
    unet = tiny_prior.unet
    layers = [m for n, m in unet.named_modules() if n.endswith(("to_q", "to_k", "to_v", "to_out.0"))]
    lora = 2 * 4 * sum(layer.in_features + layer.out_features for layer in layers)  # psi and phi of rank 4
    camera = 2 * (64 * 16 + unet.time_embedding.linear_2.out_features * 64)
    trained = {kind: line.trained_parameters for kind, line in lines.items()}
    assert (trained["none"], trained["lora"], trained["lora-camera"]) == (0, lora, lora + camera)
    own = sum(p.numel() for p in blueprint(unet, 4).parameters())
    assert trained["controlnet"] == trained["controlnet-blank"] == 2 * own
    assert {line.unet_parameters for line in lines.values()} == {sum(p.numel() for p in unet.parameters())}
    assert lines["controlnet-lora"].memory.weights["controlnet"] == 4 * own


def test_bytes_hold_what_they_must(lines):
    assert lines["none"].auxiliary_bytes == 0
    for kind, line in lines.items():
        gradients = 4 * line.trained_parameters
        assert line.auxiliary_bytes >= 3 * gradients  # themselves and two moments
        assert line.memory.step >= gradients
        frozen = line.memory.weights["controlnet"] if kind == "controlnet-lora" else 0
        assert line.added_bytes == frozen + line.auxiliary_bytes + line.memory.step
        assert line.memory.peak >= line.step_bytes
    assert lines["controlnet"].memory == lines["controlnet-blank"].memory


def test_operations_rise_with_what_a_kind_does(lines):
    flops = {kind: line.flops for kind, line in lines.items()}
    assert 0 < flops["none"] < flops["lora"] < flops["lora-camera"]
    assert flops["lora"] < flops["controlnet-lora"] < flops["controlnet"] == flops["controlnet-blank"]


def test_random_numbers_are_in_every_weight(prior):
    networks = prior.unet, prior.auxiliaries.frozen(METHODS["controlnet-lora"].aux)
    for network in networks:
        weights = dict(network.named_parameters())
        assert all(p.isfinite().all() and not p.requires_grad for p in weights.values())
        assert all(p.std() > 0 for name, p in weights.items() if p.dim() > 1)
    assert prior.auxiliaries.frozen(METHODS["controlnet-lora"].aux) is networks[1]
    once, again = (prior.embed(["a", "b", "a"]) for _ in range(2))
    assert torch.equal(once, again)
    assert torch.equal(once[0], once[2])
    assert not torch.equal(once[0], once[1])


def test_every_kind_takes_its_steps_and_trains(prior):
    for kind in KINDS:
        course = course_of(prior, kind)
        start = course.z.clone()
        before = {name: [p.clone() for p in a.parameters()] for name, a in course.adapters.items()}
        course.step(0)
        course.step(1)
        assert course.z.isfinite().all()
        assert (course.z - start).abs().max() > 0
        assert set(before) == (set() if kind == "none" else {"psi", "phi"})
        for name, adapter in course.adapters.items():
            changes = [(p - q).abs().max() for p, q in zip(adapter.parameters(), before[name], strict=True)]
            assert max(changes) > 0
    assert course.engine.depth.abs().max() == 0  # the last kind is the one that is shown no depth


def test_a_turn_measures_steps_after_the_first(tiny_pipeline_folder, monkeypatch):
    monkeypatch.setattr(turns, "keep_freed_memory", lambda: None)
    turn = take_turn(OPTIONS, str(tiny_pipeline_folder), "lora")
    assert len(turn.seconds) == 2
    assert min(turn.seconds) > 0
    assert turn.peak.edit >= turn.peak.loaded > 50e6
    monkeypatch.setattr(turns, "LONGEST", 1e-9)
    assert len(take_turn(OPTIONS, str(tiny_pipeline_folder), "none").seconds) == 1
