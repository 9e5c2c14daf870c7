"""`piva edit-scene` on a small ball, with the tiny Stable Diffusion."""

import dataclasses
import json

import imageio.v2 as imageio
import pytest
import torch
from capture_world import ball_capture

import piva.data.scenes as scenes
from benchmarks.running.progress import Bar
from piva.cli import main
from piva.representations.radiance_field import RadianceField

SMALL = [
    "--source", "a ball", "--target", "a blue ball", "--steps", "3", "--eval-views", "4",
    "--reconstruction.steps", "10", "--reconstruction.rays", "128", "--reconstruction.field.resolution", "16",
]  # fmt: skip


@pytest.fixture
def captured(monkeypatch, tmp_path):
    """A folder whose scene is the ball, and a working folder and a cache of the test's own."""

    def read(folder, downscale=1):
        return dataclasses.replace(ball_capture(size=32), name=folder.name, folder=folder)

    monkeypatch.setattr(scenes, "read_scene", read)
    monkeypatch.setenv("PIVA_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "ball").mkdir()


def run(prior, *flags):
    return main(["edit-scene", "ball", *SMALL, "--prior.model", str(prior.folder), "--prior.device", "cpu", *flags])


def test_an_edit_leaves_field_views_turntable_and_record(captured, tiny_prior, tmp_path, capsys):
    assert run(tiny_prior, "--method", "dds") == 0
    (out,) = (tmp_path / "edits").iterdir()
    record = json.loads((out / "edit.json").read_text())
    assert out.name == f"ball-dds-{record['edit_key']}"
    assert record["unet_rows"] == 3 * 2 * 4  # three steps of two views, c and u of both branches
    assert len(record["history"]["direction_rms"]) == 3
    assert record["metrics"]["psnr"] > 5
    assert record["metrics"]["clip_text"] is None
    assert "not on this machine" in record["reasons"]["clip_text"]
    assert len(record["by_view"]["psnr"]) == 4
    assert sum(1 for _ in imageio.get_reader(out / "turntable.mp4")) == 4
    assert len(list((out / "views").glob("edited-*.png"))) == len(list((out / "views").glob("original-*.png"))) == 4
    assert (out / "views.png").is_file()
    edited = RadianceField.load(out / "edited.safetensors")
    (field,) = (tmp_path / "cache" / "fields").iterdir()
    original = RadianceField.load(field / "field.safetensors")
    assert any(not torch.equal(a, b) for a, b in zip(edited.parameters(), original.parameters(), strict=True))
    assert not (out / "checkpoint.safetensors").exists()
    assert f"edits/{out.name}/turntable.mp4" in capsys.readouterr().out


def test_the_reconstruction_is_kept_and_settings_name_the_folder(captured, tiny_prior, tmp_path, capsys):
    assert run(tiny_prior) == 0
    assert run(tiny_prior, "--scene.views", "1") == 0
    assert "reconstructed before" in capsys.readouterr().err
    assert len(list((tmp_path / "edits").iterdir())) == 2
    assert len(list((tmp_path / "cache" / "fields").iterdir())) == 1


def test_what_is_wrong_is_said_before_any_work(captured, tiny_prior, tmp_path, capsys):
    assert main(["edit-scene", "nowhere", *SMALL]) == 3
    assert "nowhere: there is no such folder, nor such a scene of noe-toybox or in2n-toybox" in capsys.readouterr().err
    assert run(tiny_prior, "--steps", "0") == 2
    assert "--steps 0: must be at least 1" in capsys.readouterr().err
    assert run(tiny_prior, "--background", "0", "255", "0") == 2
    assert "--background 255: must be at most 1" in capsys.readouterr().err
    assert not (tmp_path / "cache").exists()


def test_a_background_does_not_replace_a_learned_sky(captured, tiny_prior, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(scenes, "read_scene", lambda folder, downscale=1: ball_capture(alpha=False, bounded=False))
    assert run(tiny_prior, "--background", "0", "1", "0") == 2
    said = capsys.readouterr().err
    assert "--background: no background is to be given: the photographs of ball show what is behind it" in said
    assert not (tmp_path / "cache").exists()


def test_the_bar_of_an_edit_that_goes_on_starts_where_it_was(captured, tiny_prior, monkeypatch):
    monkeypatch.setattr("piva.checkpoint.SECONDS_BETWEEN", 0.0)
    seen, step = [], Bar.step

    def watched(bar, values):
        step(bar, values)
        seen.append(bar.moved)
        if len(seen) == 12:  # of the fit's ten steps, and two of the edit
            raise RuntimeError("killed")

    monkeypatch.setattr(Bar, "step", watched)
    with pytest.raises(RuntimeError, match="killed"):
        run(tiny_prior)
    assert run(tiny_prior) == 0
    assert seen == pytest.approx([*(k / 10 for k in range(1, 11)), 1 / 3, 2 / 3, 2 / 3, 1])
