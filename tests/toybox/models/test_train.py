from pathlib import Path
from types import SimpleNamespace

import pytest
from toybox.models.tiny import TINY_VAE

from piva.errors import ConfigError, PreflightError
from piva.toybox.models import install, train, weights
from piva.toybox.training_set import Geometry


def test_flags_reach_the_recipe(tiny_data: SimpleNamespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def load(folder: Path, split: str, n: int) -> SimpleNamespace:
        asked.append((folder, split, n))
        return tiny_data

    monkeypatch.setattr("piva.toybox.training_set.load_or_render", load)
    train.main(["judge", "--folder", str(tmp_path), "--scenes", "12", "--steps", "1", "--batch-size", "2"])
    assert asked == [(tmp_path / "data", "train", 12)]
    assert (tmp_path / "judge" / "export" / "judge.safetensors").exists()
    record = install.recipe_record("judge", tmp_path / "judge", 12, "a test")
    assert record["command"] == "piva toybox train judge --folder DIR --scenes 12 --steps 1 --batch-size 2"
    assert record["settings"]["steps"] == 1


def test_the_controlnet_gets_depths_of_its_pictures_and_the_pipeline(
    tiny_data: SimpleNamespace,
    tiny_geometry: Geometry,
    diffusion_work: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = []

    def load(folder: Path, split: str, n: int) -> Geometry:
        asked.append((folder, split, n))
        return tiny_geometry

    monkeypatch.setattr("piva.toybox.training_set.load_or_render", lambda *_: tiny_data)
    monkeypatch.setattr("piva.toybox.training_set.load_or_render_geometry", load)
    monkeypatch.setattr("piva.toybox.models.controlnet.SHEET_ROWS", 1)
    where = ["--folder", str(tmp_path), "--scenes", "12", "--pipeline", str(diffusion_work / "export")]
    train.main(["controlnet", *where, "--steps", "1", "--batch-size", "2", "--paraphrases", "0"])
    assert asked == [(tmp_path / "data", "train", 12)]
    assert (tmp_path / "controlnet" / "export" / "diffusion_pytorch_model.safetensors").exists()
    record = install.recipe_record("controlnet", tmp_path / "controlnet", 12, "a test")
    flags = "--scenes 12 --steps 1 --batch-size 2 --paraphrases 0"
    assert record["command"] == f"piva toybox train controlnet --folder DIR {flags}"


def test_an_unknown_recipe_is_named() -> None:
    with pytest.raises(ConfigError, match="diffusion"):
        train.main(["difusion", "--folder", "x"])


def test_flags_are_those_that_differ() -> None:
    from piva.toybox.models.diffusion import DiffusionSettings

    settings = DiffusionSettings(flip=False, channels=(32, 64), min_snr=None).model_dump(mode="json")
    assert install.flags("diffusion", settings) == " --channels 32 64 --min-snr None --no-flip"


def test_a_second_stage_keeps_the_record_of_the_first(
    vae_folder: Path, tiny_data: SimpleNamespace, tmp_path: Path
) -> None:
    from piva.toybox.models import cards, vae

    settings = vae.VAESettings(steps=1, **TINY_VAE, start=vae_folder, decoder_only=True)
    vae.train(settings, tmp_path / "work", tiny_data)
    install.install("vae", tmp_path / "work", tmp_path / "root", scenes=12, machine="a test")
    first, second = cards.read_recipes(tmp_path / "root" / "diffusion")
    assert first["settings"]["steps"] == 3
    assert second["settings"]["start"] == "DIR/vae/export"
    assert second["command"].endswith("--start DIR/vae/export --decoder-only")
    assert str(vae_folder.parent) not in (tmp_path / "root" / "diffusion" / "vae" / "recipe.json").read_text()


def test_time_counts_every_step_once(tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    log.write_text('{"step": 60, "steps_per_second": 1}\n{"step": 180, "steps_per_second": 2}\n')
    assert install.minutes(log) == pytest.approx(2)


def test_missing_weights_say_what_to_do() -> None:
    with pytest.raises(weights.MissingWeights, match="piva toybox train nothing") as problem:
        weights.folder("nothing")
    assert isinstance(problem.value, PreflightError)
    assert isinstance(problem.value, FileNotFoundError)
