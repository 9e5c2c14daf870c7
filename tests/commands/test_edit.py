"""`piva edit` on any picture."""

import json

import numpy as np
import pytest
import torch
from harness_world import output, use_plain_world
from PIL import Image

from piva.cli import main
from piva.data.images import resize_image


@pytest.fixture
def edit(tmp_path, monkeypatch):
    """Runs `piva edit` on a picture of the size given."""
    scorer = use_plain_world(monkeypatch)
    scorer.score = lambda case: scorer.score_batch([case])[0]

    def edit(*flags, size=(40, 30)):
        Image.new("RGB", size, (51, 51, 51)).save(tmp_path / "photo.png")
        prompts = ["--source", "a grey card", "--target", "a bright card"]
        return main(["edit", str(tmp_path / "photo.png"), *prompts, "--out", str(tmp_path / "out"), *flags])

    edit.out = tmp_path / "out"
    edit.record = lambda: json.loads((edit.out / "edit.json").read_text())
    return edit


def test_edit_writes_image_panel_and_record(edit, capsys):
    assert edit("--method.lam", "0.3", "--steps", "3") == 0
    said = capsys.readouterr()
    assert "40x30: cropped to its middle 30x30, resized to the prior's 16x16" in said.err
    edited = Image.open(edit.out / "edited.png")
    assert edited.size == (16, 16)
    assert edited.getpixel((0, 0)) == (102, 102, 102)
    panel = Image.open(edit.out / "panel.png")
    assert panel.size == (2 * 384, 384)
    assert [panel.getpixel((x, 9))[0] for x in (5, 760)] == [51, 102]
    record = edit.record()
    assert (record["method"], record["config"]["method"]["lam"]) == ("piva", 0.3)
    assert record["metrics"]["shift"] == pytest.approx(0.2, abs=1e-6)
    assert record["resized"].startswith("40x30: ")
    assert record["provenance"]["packages"]["torch"]
    assert str(edit.out / "edited.png") in said.out


def test_the_key_follows_what_matters(edit):
    keys = []
    for flags in ([], ["--seed", "1"], ["--method", "dds"], ["--method.guidance", "3"], ["--prior.compile"]):
        edit(*flags)
        keys.append(edit.record()["edit_key"])
    assert len(set(keys[:4])) == 4
    assert keys[4] == keys[0]


def test_without_out_the_folder_names_picture_method_and_key(edit, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Image.new("RGB", (16, 16)).save("cat.png")
    assert main(["edit", "cat.png", "--source", "a", "--target", "b", "--method", "dds"]) == 0
    (folder,) = (tmp_path / "edits").iterdir()
    assert folder.name.startswith("cat-dds-")


def test_a_renamed_picture_gives_the_same_image(tmp_path, monkeypatch):
    from piva.noise import draw

    def noisy(inputs, on_step):
        return [
            output(case, case.image + 0.1 * draw(case.image.shape, seed=0, case_id=case.case_id, step=0, purpose="n"))
            for case in inputs
        ]

    scorer = use_plain_world(monkeypatch, edit=noisy)
    scorer.score = lambda case: scorer.score_batch([case])[0]
    for name, grey in (("one", 51), ("two", 51), ("other", 52)):
        Image.new("RGB", (16, 16), (grey,) * 3).save(tmp_path / f"{name}.png")
        prompts = ["--source", "a", "--target", "b", "--out", str(tmp_path / name)]
        assert main(["edit", str(tmp_path / f"{name}.png"), *prompts]) == 0
    one, two, other = ((tmp_path / name / "edited.png").read_bytes() for name in ("one", "two", "other"))
    assert one == two
    assert one != other


def test_what_cannot_be_edited_ends_with_3(edit, tmp_path, capsys):
    assert main(["edit", str(tmp_path / "none.png"), "--source", "a", "--target", "b"]) == 3
    assert "there is no such file" in capsys.readouterr().err


def test_an_edit_that_runs_away_is_said_to(edit, monkeypatch, capsys):
    from dataclasses import replace

    def diverged(inputs, on_step):
        return [replace(output(case, case.image), error="the image is not finite") for case in inputs]

    use_plain_world(monkeypatch, edit=diverged)
    assert edit() == 3
    assert "the edit failed: the image is not finite; try a smaller" in capsys.readouterr().err


def test_depth_is_read_and_cut_as_the_picture_is(edit, tmp_path, monkeypatch):
    seen = []

    def keep(inputs, on_step):
        seen.extend(inputs)
        return [output(case, case.image) for case in inputs]

    scorer = use_plain_world(monkeypatch, edit=keep)
    scorer.score = lambda case: scorer.score_batch([case])[0]
    ramp = np.tile(np.linspace(0, 1, 40, dtype=np.float32), (30, 1))
    keys = []
    for name, depth in (("one", ramp), ("other", 1 - ramp)):
        np.save(tmp_path / f"{name}.npy", depth)
        assert edit("--method.aux.kind", "controlnet", "--depth", str(tmp_path / f"{name}.npy")) == 0
        keys.append(edit.record()["edit_key"])
    assert keys[0] != keys[1]
    expected = resize_image(torch.from_numpy(ramp)[None, :, 5:35], (16, 16))
    assert torch.equal(seen[0].depth, expected)
    np.save(tmp_path / "small.npy", ramp[:10])
    assert edit("--method.aux.kind", "controlnet", "--depth", str(tmp_path / "small.npy")) == 3


def test_depth_and_the_method_have_to_agree(edit, tmp_path, capsys):
    assert edit("--method.aux.kind", "controlnet") == 2
    assert "reads depth: give --depth FILE" in capsys.readouterr().err
    assert edit("--depth", str(tmp_path / "depth.npy")) == 2
    assert "--depth: only --method.aux.kind controlnet" in capsys.readouterr().err
    assert edit("--method.aux.kind", "controlnet", "--method.aux.depth", "blank") == 0
    assert edit("--method.aux.kind", "controlnet-lora") == 2
    assert "controlnet-lora needs --method.aux.controlnet" in capsys.readouterr().err


def test_prompts_are_needed(tmp_path, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["edit", "photo.png", "--source", "a"])
    assert ended.value.code == 2
    assert "--target" in capsys.readouterr().err
