import json
import math
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from diffusers import ControlNetModel, StableDiffusionPipeline
from PIL import Image
from toybox.models.tiny import TINY_CONTROLNET

from piva.data.depth import depth_condition
from piva.toybox.models import controlnet as recipe
from piva.toybox.models.sampling import sample
from piva.toybox.models.training import average_in_checkpoint, gaussian, keyed_generator
from piva.toybox.training_set import Geometry

SETTINGS = recipe.ControlNetSettings(steps=3, **TINY_CONTROLNET)


@pytest.fixture(scope="module")
def pipeline(diffusion_work: Path) -> StableDiffusionPipeline:
    return StableDiffusionPipeline.from_pretrained(diffusion_work / "export")


@pytest.fixture(scope="module")
def condition(tiny_geometry: Geometry) -> torch.Tensor:
    return depth_condition(torch.from_numpy(tiny_geometry.depth))


def batch(pipeline: StableDiffusionPipeline, count: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """x_t, t and text states of `count` noisy latents."""
    x_t = gaussian((count, 4, 16, 16), keyed_generator("controlnet test"))
    ids = pipeline.tokenizer(["a red cube on grass"] * count, padding="max_length", return_tensors="pt").input_ids
    with torch.no_grad():
        return x_t, torch.linspace(100, 900, count).long(), pipeline.text_encoder(ids).last_hidden_state


def test_a_fresh_controlnet_changes_nothing(pipeline: StableDiffusionPipeline, condition: torch.Tensor) -> None:
    fresh = recipe.build(SETTINGS, pipeline.unet)
    x_t, t, c = batch(pipeline, 3)
    with torch.no_grad():
        assert torch.equal(
            recipe.steered(pipeline.unet, fresh, x_t, t, c, condition[:3]), pipeline.unet(x_t, t, c).sample
        )
    assert torch.equal(
        fresh.down_blocks[1].resnets[0].conv1.weight, pipeline.unet.down_blocks[1].resnets[0].conv1.weight
    )


def test_a_fixed_batch_is_learnt_and_the_unet_stays(
    diffusion_work: Path, pipeline: StableDiffusionPipeline, condition: torch.Tensor
) -> None:
    unet = StableDiffusionPipeline.from_pretrained(diffusion_work / "export").unet.requires_grad_(False)
    model = recipe.build(SETTINGS, unet)
    x_t, t, c = batch(pipeline, 4)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    losses = []
    for _ in range(40):
        loss = (recipe.steered(unet, model, x_t, t, c, condition[:4]) - x_t).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.7 * losses[0]
    assert all(torch.equal(a, b) for a, b in zip(unet.parameters(), pipeline.unet.parameters(), strict=True))
    assert model.controlnet_cond_embedding.conv_out.weight.abs().max() > 0  # the depth came into play


def test_a_stopped_training_ends_with_the_same_weights(
    tiny_data: SimpleNamespace,
    tiny_geometry: Geometry,
    diffusion_work: Path,
    controlnet_work: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    calls, weight = iter(range(99)), recipe.snr_weight

    def interrupted(*arguments):
        if next(calls) == 2:
            raise KeyboardInterrupt
        return weight(*arguments)

    monkeypatch.setattr(recipe, "SHEET_ROWS", 1)
    with monkeypatch.context() as patch:
        patch.setattr(recipe, "snr_weight", interrupted)
        with pytest.raises(KeyboardInterrupt):
            recipe.train(SETTINGS, tmp_path, tiny_data, tiny_geometry, diffusion_work / "export")
    recipe.train(SETTINGS, tmp_path, tiny_data, tiny_geometry, diffusion_work / "export")
    whole, parts = (average_in_checkpoint(folder) for folder in (controlnet_work, tmp_path))
    assert all(torch.equal(whole[name], parts[name]) for name in whole)


def test_plain_diffusers_loads_the_averaged_weights(controlnet_work: Path, diffusion_work: Path) -> None:
    model = ControlNetModel.from_pretrained(controlnet_work / "export")
    average = average_in_checkpoint(controlnet_work)
    assert all(torch.equal(value, average[name].half().to(value.dtype)) for name, value in model.state_dict().items())
    loaded = recipe.load_controlnet("cpu", controlnet_work / "export")
    assert {p.dtype for p in loaded.parameters()} == {torch.float32}
    assert not loaded.training
    assert model.config.conditioning_channels == 3
    text = (controlnet_work / "export" / "config.json").read_text()
    assert not any(str(folder) in text for folder in (controlnet_work, diffusion_work))


def test_samples_follow_the_condition_only_where_the_controlnet_says_so(
    pipeline: StableDiffusionPipeline, controlnet_work: Path, condition: torch.Tensor
) -> None:
    def led(controlnet: ControlNetModel, view: int) -> torch.Tensor:
        steered = recipe.with_controlnet(pipeline, controlnet)
        return sample(steered, ["a red cube"] * 2, [1, 2], steps=2, condition=condition[view].expand(2, -1, -1, -1))

    free = sample(pipeline, ["a red cube"] * 2, [1, 2], steps=2)
    fresh = recipe.build(SETTINGS, pipeline.unet)
    assert torch.allclose(led(fresh, 0), free, atol=1e-5)
    for value, std in (
        (fresh.controlnet_down_blocks[0].weight, 0.3),
        (fresh.controlnet_cond_embedding.conv_out.weight, 3),
    ):
        torch.nn.init.normal_(value, std=std, generator=keyed_generator("weights"))
    assert (led(fresh, 0) - free).abs().max() > 1e-2
    assert (led(fresh, 0) - led(fresh, 1)).abs().max() > 1e-3


def test_sheets_have_a_row_of_four_per_scene(controlnet_work: Path) -> None:
    sheets = sorted((controlnet_work / "sheets").iterdir())
    assert [path.name for path in sheets] == ["000002.png", "000003.png"]
    assert Image.open(sheets[0]).size == (4 * 64 * 3, 64 * 3)


def test_the_logged_loss_is_the_weighted_one(controlnet_work: Path) -> None:
    lines = [json.loads(line) for line in (controlnet_work / "log.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [1, 2, 3]
    assert all(0 < line["loss"] <= line["mse"] * 1.001 for line in lines)  # min-SNR weights are at most 1
    assert all(math.isfinite(line["mse"]) for line in lines)
