from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from torch import Tensor

from piva.data.depth import depth_condition
from piva.toybox.models import held_out
from piva.toybox.models.measure_depth import measure_controlnet
from piva.toybox.render import Rendering, render
from piva.toybox.scene import named_labels, sample_scene

SCENES = [sample_scene(i, "dev") for i in range(6)]


@pytest.fixture(scope="module")
def rendering() -> Rendering:
    return render(SCENES)


def test_overlaps_are_those_of_samples_with_and_without_depth(
    rendering: Rendering, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A sampler that draws the very silhouette when it is given the depth, and a shifted one otherwise."""
    shifted, calls = rendering.objects.roll(4, dims=-1), []

    def sample(pipeline: str, prompts: list[str], seeds: range, guidance: float, condition: Tensor | None = None):
        calls.append((pipeline, prompts, list(seeds), guidance))
        if condition is None:
            return shifted.float().expand(-1, 3, -1, -1)
        assert torch.allclose(condition, depth_condition(rendering.depth))
        return rendering.objects.float().expand(-1, 3, -1, -1)

    models = "piva.toybox.models"
    plain = SimpleNamespace(to=lambda device: "plain")
    monkeypatch.setattr("diffusers.StableDiffusionPipeline.from_pretrained", lambda folder: plain)
    monkeypatch.setattr(f"{models}.controlnet.load_controlnet", lambda device, folder: None)
    monkeypatch.setattr(f"{models}.controlnet.with_controlnet", lambda pipeline, controlnet: "steered")
    monkeypatch.setattr(f"{models}.sampling.sample", sample)
    reader = SimpleNamespace(predict=lambda images: images[:, :1] > 0.5)
    monkeypatch.setattr(f"{models}.silhouette.load_silhouette", lambda device, folder: reader)
    judge = SimpleNamespace(predict=lambda images: [named_labels(scene) for scene in SCENES])
    monkeypatch.setattr(f"{models}.judge.load_judge", lambda device, folder: judge)

    options = held_out.MeasureOptions(weights=Path("weights"), split="dev", count=8, samples=6, guidance=3.0)
    found = measure_controlnet(held_out.Held(options))
    both, either = (shifted & rendering.objects).sum((1, 2, 3)), (shifted | rendering.objects).sum((1, 2, 3))
    assert found["iou"] == 1
    assert found["iou_unconditioned"] == pytest.approx((both / either).mean().item())
    assert 0.3 < found["iou_unconditioned"] < 0.95
    assert found["closer_than_unconditioned"] == 1
    assert found["color"] == found["shape"] == 1
    assert (found["guidance"], found["n"]) == (3.0, 6)
    assert found["no_caption"]["iou_unconditioned"] == found["iou_unconditioned"]
    assert [call[0] for call in calls] == ["plain", "steered"] * 2
    assert calls[0][1:] == calls[1][1:]  # the same captions, noise and guidance
    assert calls[2][1:] == calls[3][1:] == ([""] * 6, list(range(6)), 1.0)
    assert calls[0][2] == list(range(6))
