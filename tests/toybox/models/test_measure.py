import json
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from toybox.models.tiny import TINY

from piva.toybox.models import goals, held_out, measure
from piva.toybox.scene import sample_scene
from piva.toybox.training_set import Geometry

SCENES = [sample_scene(i, "dev") for i in range(40)]


def test_retrieval_counts_within_groups() -> None:
    features = torch.eye(8)
    assert measure.retrieval(features, features, 4) == 1.0
    assert measure.retrieval(features, features[[1, 0, 2, 3, 4, 5, 6, 7]], 4) == 0.75
    assert measure.retrieval(features, features[[7, 6, 5, 4, 3, 2, 1, 0]], 8) == 0.0


@pytest.fixture(scope="module")
def root(
    tiny_data: SimpleNamespace,
    tiny_geometry: Geometry,
    diffusion_work: Path,
    controlnet_work: Path,
    vae_folder: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    """Weights of tiny models, installed as the shipped ones are."""
    from piva.toybox.models import clip, judge, silhouette
    from piva.toybox.models.install import install

    root, work = tmp_path_factory.mktemp("weights"), tmp_path_factory.mktemp("work")
    judge.train(judge.JudgeSettings(steps=1, **TINY), work / "judge", tiny_data)
    settings = clip.ClipSettings(steps=1, vision_width=8, text_width=32, text_layers=1, embed_dim=16, **TINY)
    clip.train(settings, work / "clip", tiny_data)
    silhouette.train(silhouette.SilhouetteSettings(steps=1, **TINY), work / "silhouette", tiny_data, tiny_geometry)
    works = {"vae": vae_folder.parent, "diffusion": diffusion_work, "controlnet": controlnet_work}
    works |= {name: work / name for name in ("judge", "clip", "silhouette")}
    for name, folder in works.items():
        install(name, folder, root, scenes=12, machine="a test")
    return root


def test_measuring_writes_numbers_and_cards(root: Path) -> None:
    options = held_out.MeasureOptions(
        only=("vae", "judge", "samples", "clip"), weights=root, split="dev", count=72, samples=2
    )
    quality = measure.measure_command(options)
    assert quality == json.loads((root / "quality.json").read_text())
    assert 0 < quality["vae"]["psnr_db"] < 20
    assert quality["vae"]["n"] == 72
    assert quality["clip"]["n"] == 64
    assert 0 <= quality["clip"]["retrieval_of_64"] < 0.3
    assert quality["judge"]["worst_attribute"] == min(quality["judge"]["accuracy"].values())
    assert quality["samples"]["n"] == 2
    card = (root / "diffusion" / "README.md").read_text()
    assert f"| vae.psnr_db | {quality['vae']['psnr_db']:.4g} | >= 30: missed |" in card
    assert "piva toybox train vae --folder DIR --scenes 12 --steps 3 --batch-size 4" in card
    assert "piva toybox train diffusion --folder DIR" in card
    assert "white sphere" in card


def test_the_controlnets_card_shows_both_overlaps_and_the_readers_own(root: Path) -> None:
    options = held_out.MeasureOptions(only=("silhouette", "controlnet"), weights=root, split="dev", count=3, samples=2)
    quality = measure.measure_command(options)
    assert quality["controlnet"]["n"] == 2
    assert quality["silhouette"]["n"] == 3
    card = (root / "controlnet" / "README.md").read_text()
    for name in ("controlnet.iou", "controlnet.iou_unconditioned", "silhouette.iou_on_reconstructions"):
        value = goals.lookup(quality, name)
        assert value is not None
        assert 0 <= value < 0.8
        assert f"| {name} | {value:.4g} |" in card
    assert "piva toybox train controlnet --folder DIR --scenes 12 --steps 3" in card


def test_earlier_numbers_stay(root: Path) -> None:
    path = root / measure.QUALITY
    path.write_text(json.dumps({"perceptual": {"kept": 1.0, "split": "dev"}}))
    options = held_out.MeasureOptions(only=("vae",), weights=root, split="dev", count=4)
    assert measure.measure_command(options)["perceptual"]["kept"] == 1.0


def test_installing_the_pipeline_again_keeps_the_autoencoders_record(root: Path, diffusion_work: Path) -> None:
    from piva.toybox.models.install import install

    shutil.copytree(root, root.parent / "copy")
    folder = install("diffusion", diffusion_work, root.parent / "copy", scenes=12, machine="a test")
    assert json.loads((folder / "vae" / "recipe.json").read_text())["name"] == "vae"
    assert json.loads((folder / "recipe.json").read_text())["name"] == "diffusion"
