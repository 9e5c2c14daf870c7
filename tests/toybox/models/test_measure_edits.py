from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from piva.toybox.instructed import instructed_edit
from piva.toybox.models import held_out
from piva.toybox.models.measure_edits import GUIDANCES, measure_instruct_pix2pix, success_shares
from piva.toybox.render import render
from piva.toybox.scene import named_labels

EDITS = [instructed_edit(i, "dev") for i in range(6)]


def test_shares_of_the_true_edits_and_of_doing_nothing() -> None:
    done = success_shares([named_labels(edit.target) for edit in EDITS], EDITS)
    assert done == {"success": 1.0, "changed": 1.0, "kept": 1.0}
    left = success_shares([named_labels(edit.source) for edit in EDITS], EDITS)
    assert left == {"success": 0.0, "changed": 0.0, "kept": 1.0}


def test_both_guidances_are_measured_on_the_same_edits(monkeypatch: pytest.MonkeyPatch) -> None:
    """An editor that makes the true edit at our guidance, and a black picture at the published one."""
    tgt, calls = render([edit.target for edit in EDITS]).image, []

    def edit_pictures(pipeline, images, instructions, seeds, *, guidance, image_guidance):
        calls.append((instructions, list(seeds)))
        assert torch.equal(images, render([edit.source for edit in EDITS]).image)
        return tgt * 0.9 if (guidance, image_guidance) == GUIDANCES[1] else torch.zeros_like(tgt)

    models = "piva.toybox.models"
    monkeypatch.setattr(f"{models}.instruct_pix2pix.load_instruct_pix2pix", lambda *_: None)
    monkeypatch.setattr(f"{models}.instruct_pix2pix.edit_pictures", edit_pictures)
    right = [named_labels(edit.target) for edit in EDITS]
    judge = SimpleNamespace(predict=lambda images: right if images.any() else [named_labels(e.source) for e in EDITS])
    monkeypatch.setattr(f"{models}.judge.load_judge", lambda device, folder: judge)
    options = held_out.MeasureOptions(weights=Path("weights"), split="dev", samples=6)
    found = measure_instruct_pix2pix(held_out.Held(options))
    assert (found["success"], found["as_published"]["success"]) == (1.0, 0.0)
    assert found["psnr_to_true_db"] == pytest.approx(held_out.psnr_db(tgt * 0.9, tgt).mean().item())
    assert (found["guidance"], found["guidance_image"], found["n"]) == (*GUIDANCES[1], 6)
    assert found["as_published"]["guidance"] == 7.5
    assert calls[0] == calls[1] == ([edit.instruction for edit in EDITS], list(range(6)))
