"""`piva run` on scenes: flags, the benchmark's defaults, what is said before any work; and scoring a run again."""

import json
import shutil

import pytest
from scene_world import QUICK, SCORES, write_scenes

from piva.cli import main
from piva.records import read_cases, read_run


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("PIVA_CACHE", str(tmp_path / "cache"))


def folder_of(out, name):
    (folder,) = (out / name).iterdir()
    return folder


def helped(capsys, *arguments):
    with pytest.raises(SystemExit) as ended:
        main([*arguments, "--help"])
    assert ended.value.code == 0
    return " ".join(capsys.readouterr().out.replace("│", " ").split())


def test_help_says_which_defaults_are_the_benchmark_s(capsys):
    text = helped(capsys, "run", "in2n", "--method", "piva")
    assert "lambda is 0.2 unless given" in text
    assert "The benchmark's default; the method's own is 0.4." in text
    assert "(default: 15000)" in text
    toybox = helped(capsys, "run", "in2n-toybox", "--method", "piva")
    assert "benchmark's default" not in toybox
    assert "(default: 300)" in toybox


def test_the_benchmark_s_lambda_is_in_the_record(tmp_path, tiny_pipeline_folder, capsys):
    root = write_scenes(tmp_path / "data")
    common = ["--root", str(root), "--prior.model", str(tiny_pipeline_folder), *QUICK, "--metrics", "mse"]
    for number, (method, flags) in enumerate((("piva", []), ("piva", ["--method.lam", "0.7"]), ("dds", []))):
        out = tmp_path / str(number)
        assert main(["run", "in2n", "--method", method, *flags, "--out", str(out), *common]) == 0
        record = read_run(folder_of(out, "in2n"))
        assert record.settings.get("lam") == {0: 0.2, 1: 0.7}.get(number)
        assert record.scenes.get("method_defaults") == (None if method == "dds" else {"lam": 0.2})
    assert main(["show", str(folder_of(tmp_path / "0", "in2n"))]) == 0
    assert "the benchmark's own default: method.lam 0.2" in capsys.readouterr().out


def test_a_dry_run_knows_the_time_of_what_was_made_before(tmp_path, tiny_pipeline_folder, capsys):
    root = write_scenes(tmp_path / "data", edits=2)
    flags = ["--root", str(root), "--prior.model", str(tiny_pipeline_folder), *QUICK, "--metrics", "mse"]
    command = ["run", "noe", "--method", "dds", "--out", str(tmp_path / "runs"), *flags]
    assert main([*command, "--limit", "1"]) == 0
    (made,) = read_cases(folder_of(tmp_path / "runs", "noe")).values()
    capsys.readouterr()
    assert main([*command, "--seed", "0", "1", "--dry-run"]) == 0
    times = [line for line in capsys.readouterr().out.splitlines() if line.startswith("time")]
    assert len(times) == 2
    for edits, time in enumerate(times, 1):
        assert time.startswith(f"time  {edits * 3 * made.seconds_step:,.0f} s")
        assert time.endswith(f"{made.seconds_step:.3g} s a step, the median of 1 edits recorded before")


def test_a_dry_run_does_nothing(tmp_path, tiny_pipeline_folder, capsys):
    root = write_scenes(tmp_path / "data", edits=2)
    flags = ["--root", str(root), "--prior.model", str(tiny_pipeline_folder), *QUICK, "--metrics", "mse"]
    assert main(["run", "noe", "--method", "dds", "--dry-run", "--out", str(tmp_path / "runs"), *flags]) == 0
    said = capsys.readouterr()
    assert "2 of 2 edits to make, of 1 scenes" in said.err
    rows, time, disk = said.out.splitlines()
    assert rows == "rows  24 through the UNet: 2 edits, 3 steps, 1 views"
    assert time.startswith("time  unknown")
    assert disk.startswith("disk  0.2 MB: edited fields and views")  # 2 of 16^3 voxels with four numbers, and views
    assert not (tmp_path / "runs").exists()
    assert not (tmp_path / "cache").exists()


@pytest.mark.parametrize(
    ("flags", "code", "sentence"),
    [
        ([], 2, "noe needs --root"),
        (["--root", "nowhere"], 2, "nowhere: there is no such folder"),
        (["--scene.views", "0"], 2, "--scene.views 0: must be at least 1"),
        (["--eval-views", "1"], 2, "--eval-views 1: must be at least 2"),
        (["--profile", "official"], 2, "--profile official"),
    ],
)
def test_what_is_wrong_is_said_before_any_work(flags, code, sentence, tmp_path, tiny_pipeline_folder, capsys):
    root = ["--root", str(write_scenes(tmp_path / "data"))] if flags and "--root" not in flags else []
    common = ["--prior.model", str(tiny_pipeline_folder), "--out", str(tmp_path / "runs")]
    assert main(["run", "noe", "--method", "dds", *root, *flags, *common]) == code
    assert sentence in capsys.readouterr().err
    assert not (tmp_path / "runs" / "noe").exists()


def test_malformed_edits_end_with_3(tmp_path, tiny_pipeline_folder, capsys):
    root = write_scenes(tmp_path / "data")
    (root / "edits.json").write_text(json.dumps([{"scene": "scene-0"}]))
    assert main(["run", "noe", "--method", "dds", "--root", str(root), "--out", str(tmp_path / "runs")]) == 3
    assert "edits.json: [0]: source: Field required" in capsys.readouterr().err


def test_a_run_is_scored_again_without_an_edit(tmp_path, tiny_pipeline_folder):
    root, out = write_scenes(tmp_path / "data"), tmp_path / "runs"
    flags = ["--root", str(root), "--prior.model", str(tiny_pipeline_folder), *QUICK, "--metrics", "mse"]
    assert main(["run", "noe", "--method", "dds", "--out", str(out), *flags]) == 0
    folder = folder_of(out, "noe")
    before = read_cases(folder)["scene-0-0"]
    assert main(["score", str(folder), *SCORES]) == 0
    after = read_cases(folder)["scene-0-0"]
    assert after.field_sha256 == before.field_sha256
    assert after.metrics["mse"] == before.metrics["mse"]
    assert after.metrics["lpips"] > 0
    assert len(read_run(folder).launches) == 2
    assert read_run(folder).score_key == after.score_key != before.score_key


@pytest.mark.slow
def test_the_bear_goes_through(tmp_path, real_data):
    """A real capture through the shipped prior, which knows no bears: this proves the path, and nothing else."""
    root, out = tmp_path / "data", tmp_path / "runs"
    shutil.copytree(real_data / "in2n-bear", root / "bear")
    edit = {"source": "a photo of a bear statue in the forest", "target": "a photo of a polar bear in the forest"}
    (root / "edits.json").write_text(json.dumps([{"id": "polar", "scene": "bear", "type": "translation"} | edit]))
    flags = ["--downscale", "8", "--steps", "3", "--eval-views", "6", "--metrics-every", "2", "--scene.views", "1"]
    fit = ["--reconstruction.steps", "60", "--reconstruction.field.resolution", "48", "--tracker", "none"]
    assert main(["run", "in2n", "--root", str(root), "--method", "piva", "--out", str(out), *flags, *fit, *SCORES]) == 0
    case = read_cases(folder_of(out, "in2n"))["polar"]
    assert case.metrics["clip_text"] is not None
    assert case.metrics["psnr"] > 15
    assert case.metrics["psnr_to_true"] is None
