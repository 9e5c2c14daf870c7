"""The official profile through the command line, against a literal and slow twin of PIE-Bench's evaluator."""

import json

import lpips
import numpy as np
import official_evaluator
import open_clip
import pytest
import torch
from open_clip.transform import PreprocessCfg, image_transform_v2
from PIL import Image
from timm.models.vision_transformer import VisionTransformer

from piva.cli import main
from piva.metrics import INFO
from piva.metrics.batch import FULL_MASK
from piva.metrics.loading import IMAGE_SCORES
from piva.records import read_cases, read_run

LOCAL, FULL, STRIP = "000000000000", "100000000001", "200000000002"
SCALES = {"clip_text": 100, "clip_text_region": 100}
"""The evaluator's scale over ours."""


def picture(seed, height, width=None):
    """A blotchy picture, 8 bits a channel."""
    coarse = np.random.default_rng(seed).integers(0, 256, (height // 8, (width or height) // 8, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize((width or height, height), Image.Resampling.BICUBIC)


def write_bench(root):
    """A small case with a mask, one that is masked whole, and one of 512x512."""
    masks = {LOCAL: [200, 30, 300, 20, 4090, 500], FULL: [0, 64 * 64], STRIP: [60_000, 40_000]}
    mapping = {}
    for seed, (id_, mask) in enumerate(masks.items()):
        path = root / "annotation_images" / f"{id_[0]}_some" / f"{id_}.png"
        path.parent.mkdir(parents=True)
        picture(seed, 512 if id_ == STRIP else 64).save(path)
        mapping[id_] = {
            "image_path": f"{id_[0]}_some/{id_}.png",
            "original_prompt": "a [red] cube",
            "editing_prompt": f"a [blue] cat number {seed}",
            "editing_instruction": "",
            "editing_type_id": id_[0],
            "blended_word": "",
            "mask": mask,
        }
    (root / "mapping_file.json").write_text(json.dumps(mapping))


def write_edits(folder):
    """Edits of the three cases; the last is the right end of a strip of 1100x600."""
    folder.mkdir()
    for seed, (id_, size) in enumerate({LOCAL: (64, 64), FULL: (64, 64), STRIP: (600, 1100)}.items()):
        picture(seed + 10, *size).save(folder / f"{id_}.png")


@pytest.fixture(scope="module")
def models(tiny_open_clip):
    """Random models of small or real architecture, as both sides use them."""
    torch.manual_seed(0)
    net = lpips.LPIPS(net="squeeze", pnet_rand=True, verbose=False)
    vit = VisionTransformer(img_size=224, patch_size=28, embed_dim=24, depth=12, num_heads=2, num_classes=0).eval()
    architecture, _, file = tiny_open_clip.partition("/")
    clip = open_clip.create_model(architecture, file).eval()
    transform = image_transform_v2(PreprocessCfg(**clip.visual.preprocess_cfg), is_train=False)
    tokenizer = open_clip.get_tokenizer(architecture)
    return {
        "net": net, "vit": vit, "layer": 11, "heads": 2, "model": clip, "transform": transform, "tokenizer": tokenizer,
    }  # fmt: skip


@pytest.fixture
def score(tmp_path, models, tiny_open_clip, monkeypatch):
    """Scores the edits with flags; {case id: record}."""
    write_bench(tmp_path / "bench")
    write_edits(tmp_path / "edits")
    monkeypatch.setattr("piva.metrics.lpips.load_net", lambda *arguments: models["net"])
    monkeypatch.setattr("piva.metrics.structure.load_dino", lambda *arguments: models["vit"])

    def score(*flags):
        where = [
            "--root",
            str(tmp_path / "bench"),
            "--images",
            str(tmp_path / "edits"),
            "--out",
            str(tmp_path / "runs"),
        ]
        code = main(["score-folder", "pie-bench", *where, "--clip", tiny_open_clip, *flags])
        (folder,) = (tmp_path / "runs" / "pie-bench").iterdir()
        return code, read_run(folder), read_cases(folder)

    score.root, score.edits = tmp_path / "bench", tmp_path / "edits"
    return score


def test_every_number_is_the_evaluators(score, models):
    code, run, cases = score("--profile", "official")
    assert code == 0
    expected = official_evaluator.evaluate(score.root, score.edits, models)
    assert run.metrics["structure_distance"] == "structure-distance/dino_vitb8/keys-11/224-bilinear/0..255@1"
    for id_, numbers in expected.items():
        for name, value in numbers.items():
            ours = cases[id_].metrics[name]
            if value == official_evaluator.NAN:
                assert (ours, cases[id_].reasons[name]) == (None, FULL_MASK), (id_, name)
            else:
                close = pytest.approx(value / SCALES.get(name, 1), rel=2e-3, abs=2e-3 if name in SCALES else 1e-7)
                assert ours == close, (id_, name)
    assert expected[FULL]["mse_background"] == "nan"
    assert len([name for name, value in expected[LOCAL].items() if value != "nan"]) == 7


def test_strict_averages_over_the_background_alone_and_takes_no_strip(score):
    _, _, official = score("--profile", "official", "--case", LOCAL)
    official_scores = {name: official[LOCAL].metrics[name] for name in ("mse_background", "mse", "ssim")}
    mask = official_evaluator.decode([200, 30, 300, 20, 4090, 500], 64, 64)
    share = (1 - mask).mean()
    code = main(
        ["score-folder", "pie-bench", "--root", str(score.root), "--images", str(score.edits), "--name", "strict",
         "--out", str(score.root / "runs"), "--metrics", "fidelity"]
    )  # fmt: skip
    (folder,) = (score.root / "runs" / "pie-bench").iterdir()
    strict = read_cases(folder)
    assert code == 1
    assert strict[LOCAL].metrics["mse_background"] == pytest.approx(official_scores["mse_background"] / share, rel=1e-4)
    assert strict[LOCAL].metrics["mse"] == official_scores["mse"]
    assert strict[LOCAL].metrics["ssim"] == official_scores["ssim"]
    assert strict[STRIP].status == "error"
    assert "the edit is 1100x600, its source 512x512" in strict[STRIP].error


def test_the_real_sample_with_every_metric_whose_weights_are_here(real_data, tmp_path, capsys):
    """Every case has every number, or says why not; those without weights are those of an independent evaluator."""
    root, edits = real_data / "pie-bench-sample", tmp_path / "edits"
    edits.mkdir()
    mapping = json.loads((root / "mapping_file.json").read_text())
    for id_, item in mapping.items():
        source = np.array(Image.open(root / "annotation_images" / item["image_path"]).convert("RGB"))
        Image.fromarray(np.roll(source, 2, axis=1)).save(edits / f"{id_}.png")
    where = ["--root", str(root), "--images", str(edits), "--out", str(tmp_path / "runs")]
    assert main(["score-folder", "pie-bench", *where, "--profile", "official"]) == 0
    said = capsys.readouterr().err
    (folder,) = (tmp_path / "runs" / "pie-bench").iterdir()
    run, cases = read_run(folder), read_cases(folder)
    assert set(cases) == set(mapping)
    real = [name for name in IMAGE_SCORES if INFO[name].family != "success"]
    missing = [name for name in real if name not in run.metrics]
    for name in missing:
        assert INFO[name].needs
        assert name in said
    masked = 0
    for id_, item in mapping.items():
        assert set(cases[id_].metrics) == set(real)
        assert {name for name, value in cases[id_].metrics.items() if value is None} == set(cases[id_].reasons)
        assert all(cases[id_].reasons[name].startswith("weights missing: ") for name in missing)
        source = np.array(Image.open(root / "annotation_images" / item["image_path"]).convert("RGB"))
        outside = 1 - official_evaluator.decode(item["mask"], 512, 512)[:, :, None]
        a, b = (x.astype(np.float32) / 255 * outside for x in (source, np.roll(source, 2, axis=1)))
        if not outside.any():
            assert cases[id_].reasons["psnr_background"] == FULL_MASK
            continue
        masked += 1
        for name, twin in (("mse", official_evaluator.mse), ("psnr", official_evaluator.psnr)):
            assert cases[id_].metrics[f"{name}_background"] == pytest.approx(twin(a, b), rel=1e-4)
        assert cases[id_].metrics["ssim_background"] == pytest.approx(official_evaluator.ssim(a, b), abs=1e-4)
    assert masked == 2
