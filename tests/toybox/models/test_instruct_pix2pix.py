import json
import math
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from diffusers import StableDiffusionPipeline
from PIL import Image
from toybox.models.tiny import TINY

from piva.toybox.instructed import instructed_edit
from piva.toybox.models import instruct_pix2pix as recipe
from piva.toybox.models.training import average_in_checkpoint, gaussian, keyed_generator

SETTINGS = recipe.InstructPix2PixSettings(steps=3, rank=2, sheet_every=2, **TINY)


@dataclass
class Edited:
    images: Any
    scenes: list[Any]
    instructions: list[str]


@pytest.fixture(scope="module")
def edited(tiny_data: SimpleNamespace) -> Edited:
    """The same pictures upside down."""
    edits = [instructed_edit(i, "train") for i in range(len(tiny_data.scenes))]
    return Edited(tiny_data.images[:, :, ::-1].copy(), [e.target for e in edits], [e.instruction for e in edits])


@pytest.fixture(scope="module")
def work(
    tiny_data: SimpleNamespace, edited: Edited, diffusion_work: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """Working folder of a three-step training, its export and its sheets (of one row) included."""
    folder = tmp_path_factory.mktemp("instruct_pix2pix")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(recipe, "SHEET_ROWS", 1)
        recipe.train(SETTINGS, folder, tiny_data, edited, diffusion_work / "export")
    return folder


def plain(diffusion_work: Path) -> StableDiffusionPipeline:
    return StableDiffusionPipeline.from_pretrained(diffusion_work / "export")


def test_a_fresh_model_is_the_diffusion_model_whatever_the_picture(diffusion_work: Path) -> None:
    pipeline, source = plain(diffusion_work), plain(diffusion_work)
    model = recipe.build(SETTINGS, source)
    x_t, z_src = (gaussian((2, 4, 16, 16), keyed_generator("fresh", i)) for i in range(2))
    ids = pipeline.tokenizer(["Make the cube red"] * 2, padding="max_length", return_tensors="pt").input_ids
    t = torch.tensor([100, 900])
    with torch.no_grad():
        expected = pipeline.unet(x_t, t, pipeline.text_encoder(ids).last_hidden_state).sample
        torch.testing.assert_close(model(x_t, t, ids, z_src), expected, atol=1e-5, rtol=1e-4)


def test_rows_lose_text_picture_and_both_alike_often() -> None:
    text, picture = recipe.dropped(200_000, 0.05, keyed_generator("dropout"))
    assert (text & ~picture).float().mean().item() == pytest.approx(0.05, abs=0.002)
    assert (~text & picture).float().mean().item() == pytest.approx(0.05, abs=0.002)
    assert (text & picture).float().mean().item() == pytest.approx(0.05, abs=0.002)


def test_the_export_is_the_averaged_model(work: Path, diffusion_work: Path) -> None:
    model = recipe.build(SETTINGS, plain(diffusion_work))
    model.load_state_dict(average_in_checkpoint(work))
    pipeline = recipe.load_instruct_pix2pix(folder=work / "export", pipeline_folder=diffusion_work / "export")
    x_t, z_src = (gaussian((2, 4, 16, 16), keyed_generator("export", i)) for i in range(2))
    ids, t = torch.randint(9, (2, 40), generator=keyed_generator("ids")), torch.tensor([10, 500])
    with torch.no_grad():
        found = pipeline.unet(torch.cat([x_t, z_src], 1), t, pipeline.text_encoder(ids).last_hidden_state).sample
        torch.testing.assert_close(found, model(x_t, t, ids, z_src), atol=5e-3, rtol=0)


def test_sheets_show_source_truth_and_edit(work: Path) -> None:
    sheets = sorted((work / "sheets").glob("*.png"))
    assert [sheet.name for sheet in sheets] == ["000002.png", "000003.png"]
    assert Image.open(sheets[0]).size == (3 * 64 * 3, 64 * 3)
    lines = [json.loads(line) for line in (work / "log.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [1, 2, 3]
    assert all(math.isfinite(line["loss"]) for line in lines)


def test_a_stopped_training_ends_with_the_same_weights(
    tiny_data: SimpleNamespace,
    edited: Edited,
    diffusion_work: Path,
    work: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(recipe, "SHEET_ROWS", 1)
    calls, weight = iter(range(99)), recipe.snr_weight

    def interrupted(*arguments):
        if next(calls) == 2:
            raise KeyboardInterrupt
        return weight(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(recipe, "snr_weight", interrupted)
        with pytest.raises(KeyboardInterrupt):
            recipe.train(SETTINGS, tmp_path, tiny_data, edited, diffusion_work / "export")
    export = recipe.train(SETTINGS, tmp_path, tiny_data, edited, diffusion_work / "export")
    assert (export / recipe.WEIGHTS).read_bytes() == (work / "export" / recipe.WEIGHTS).read_bytes()
