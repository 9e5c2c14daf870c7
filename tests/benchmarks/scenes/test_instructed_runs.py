"""in2n from the command line to the records: its prior, its instructions, what it refuses."""

import json

import pytest
from instructed_world import save_tiny_instructed
from scene_world import QUICK, SCORES, write_scenes

from benchmarks.costs.cost import needs_of
from piva.cli import main
from piva.instructed.in2n import IN2N
from piva.records import read_cases, read_run

IN2N_FLAGS = [
    "--method", "in2n", "--method.rays", "8192", "--method.edit-every", "2", "--method.sampler-steps", "3",
    "--method.lpips", "toybox", "--prior.device", "cpu",
]  # fmt: skip


@pytest.fixture(scope="module")
def folder(tiny_pipeline_folder, tmp_path_factory):
    return str(save_tiny_instructed(tiny_pipeline_folder, tmp_path_factory.mktemp("tiny-instruct-pix2pix")))


@pytest.fixture
def world(tmp_path, monkeypatch, folder):
    """`piva run noe --method in2n` on balls, whose edits get these instructions."""
    monkeypatch.setenv("PIVA_CACHE", str(tmp_path / "cache"))
    root = write_scenes(tmp_path / "data", edits=2)

    def run(instructions, *flags):
        file = root / "edits.json"
        entries = json.loads(file.read_text())
        for entry, text in zip(entries, instructions, strict=True):
            entry["instruction"] = text
        file.write_text(json.dumps(entries))
        out = ["--root", str(root), "--out", str(tmp_path / "runs"), "--prior.model", folder]
        return main(["run", "noe", *out, *QUICK, *SCORES, *IN2N_FLAGS, *flags])

    return run


def test_an_edit_is_made_by_its_instruction(world, tmp_path, capsys):
    assert world(["make it blue", "put a hat on"]) == 0
    (run,) = (tmp_path / "runs" / "noe").iterdir()
    record, cases = read_run(run), read_cases(run)
    assert (record.method, record.settings["edit_every"]) == ("in2n", 2)
    assert [case.status for case in cases.values()] == ["ok", "ok"]
    case = cases["scene-0-0"]
    assert case.unet_rows == 2 * 9  # steps 0 and 2 of three replace a picture: u, i and c of three sampler steps
    assert case.metrics["psnr"] > 3
    assert set(case.history) >= {"l1", "lpips", "replaced"}
    capsys.readouterr()
    assert world(["make it blue", "take it away"]) == 0
    said = capsys.readouterr().err
    assert "1 of 2 edits to make" in said
    assert "1 done before" in said
    again = read_cases(run)
    assert again["scene-0-0"] == cases["scene-0-0"]
    assert again["scene-0-1"].content != cases["scene-0-1"].content
    assert again["scene-0-1"].field_sha256 != cases["scene-0-1"].field_sha256


def test_edits_without_an_instruction_are_named_before_any_work(world, tmp_path, capsys):
    assert world(["make it blue", ""]) == 2
    said = capsys.readouterr().err
    assert "--method in2n follows instructions, which scene-0-1 lack" in said
    assert not list((tmp_path / "runs").rglob("run.json"))
    assert world(["make it blue", ""], "--case", "scene-0-0") == 0


def test_a_plain_prior_is_refused(world, tiny_pipeline_folder, capsys):
    assert world(["a", "b"], "--prior.model", str(tiny_pipeline_folder)) == 3
    assert "no InstructPix2Pix model" in capsys.readouterr().err


def test_a_dry_run_counts_the_pictures_that_are_replaced(world, capsys):
    method = IN2N()
    assert needs_of(method).edit(300).total == 30 * 60
    assert needs_of(method).edit(301).total == 31 * 60
    assert IN2N.rows == (needs_of(method).edit(100).forward / 100, 0)
    assert world(["a", "b"], "--dry-run") == 0
    assert "2 of 2 edits to make" in capsys.readouterr().err


def test_the_command_for_one_scene_wants_an_instruction(tmp_path, folder, monkeypatch, capsys):
    monkeypatch.setenv("PIVA_CACHE", str(tmp_path / "cache"))
    root = write_scenes(tmp_path / "data")
    words = ["edit-scene", str(root / "scene-0"), "--source", "a ball", "--target", "a blue ball", "--eval-views", "4"]
    words += ["--steps", "3", "--out", str(tmp_path / "out"), "--prior.model", folder, *QUICK[-6:], *IN2N_FLAGS]
    assert main(words) == 2
    assert "--method in2n follows an instruction: give --instruction" in capsys.readouterr().err
    assert main([*words, "--instruction", "make it blue"]) == 0
    record = json.loads((tmp_path / "out" / "edit.json").read_text())
    assert record["config"]["instruction"] == "make it blue"
    assert record["unet_rows"] == 18
    assert len(record["history"]["l1"]) == 3
