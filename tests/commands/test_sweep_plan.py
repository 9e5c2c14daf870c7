"""`piva sweep plan`: points, runs, what is done, what the rest takes; and points that cannot be run."""

import re

import pytest
from harness_world import use_plain_world, write_bench
from scene_world import QUICK, write_scenes

import benchmarks.costs.calibration as calibration
from piva.cli import main
from piva.records import run_folders

SWEEP = """\
program: piva
method: {method}
description: What does lambda trade?
command: [piva, run, pie-bench, --root, "{root}", --tracker, none, --steps, 10, "${{args}}"]
parameters:
  method: {{value: piva}}
  method.lam: {values}
"""


@pytest.fixture
def world(tmp_path, monkeypatch):
    """A function: (values of lambda, more of the file) -> the path of a sweep over ten cases on the stand-ins."""
    use_plain_world(monkeypatch)
    monkeypatch.setattr(calibration, "SECONDS_OF_MEASUREMENT", 1e-4)
    monkeypatch.setenv("PIVA_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    root = write_bench(tmp_path / "bench", n=10)

    def write(values="{values: [0, 0.4]}", method="grid", root=root):
        file = tmp_path / "lam.yaml"
        file.write_text(SWEEP.format(values=values, method=method, root=root))
        return str(file)

    return write


def cells(out):
    """The lines of the table, by their first cell."""
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in out.splitlines() if "│" in line]
    return {label: values for label, *values in rows}


def test_points_runs_rows_and_disk_and_nothing_is_done(world, tmp_path, capsys):
    assert main(["sweep", "plan", world()]) == 0
    out = capsys.readouterr().out
    found = cells(out)
    assert list(found) == ["0", "0.4"]
    assert found["0"][1:4] == ["0/10", f"{10 * 10 * 4:,}", "0"]  # ten cases, ten steps, DDS's four rows
    assert found["0.4"][1:4] == ["0/10", f"{10 * 10 * 7:,}", f"{10 * 10 * 2}"]  # and one for psi, two that train
    assert re.fullmatch("piva-[0-9a-f]{16}", found["0"][0])
    assert "runs  2 below runs/lam" in out
    assert main(["sweep", "plan", world("{values: [0, 0.0, 1]}"), "--max-runs", "1"]) == 0
    assert "runs  1 below runs/lam" in capsys.readouterr().out
    assert "cases 0 of 20 are done; 20 edits are left" in out
    assert "rows  1,100 through the UNet, 200 of them with backward" in out
    assert "time  unknown: no such edits with plain are recorded here" in out
    assert not (tmp_path / "runs").exists()


def test_what_ran_is_done_and_says_how_long_the_rest_takes(world, tmp_path, capsys):
    file = world()
    command = ["run", "pie-bench", "--root", "bench", "--method", "piva", "--method.lam", "0", "--steps", "10"]
    assert main([*command, "--tracker", "none", "--out", "runs/lam"]) == 0
    (run,) = run_folders(tmp_path / "runs" / "lam")
    capsys.readouterr()
    assert main(["sweep", "plan", file]) == 0
    out = capsys.readouterr().out
    found = cells(out)
    assert found["0"] == [run.name, "10/10", "0", "0", "0 s", "0.0 MB"]
    rate, ratio = 0.5 / 12, calibration.BACKWARD_RATIO  # the stand-in's edits take 12 rows and half a second
    seconds = (500 + 200 * ratio) * rate
    assert found["0.4"][4] == f"{seconds:.0f} s"
    assert f"time  {seconds:.0f} s of editing: fitted to 8 edits recorded before" in out  # those of a full batch


def test_edits_in_a_folder_beside_say_how_long_too(world, capsys):
    command = ["run", "pie-bench", "--root", "bench", "--method", "dds", "--limit", "8", "--tracker", "none"]
    assert main([*command, "--out", "runs/other"]) == 0
    capsys.readouterr()
    assert main(["sweep", "plan", world()]) == 0
    assert "fitted to 8 edits recorded before" in capsys.readouterr().out


def test_measured_on_request(world, capsys):
    assert main(["sweep", "plan", world(), "--measure"]) == 0
    assert "measured now" in capsys.readouterr().out


def test_random_points_stand_for_a_search(world, capsys):
    values = "{distribution: log_uniform_values, min: 0.1, max: 4}"
    assert main(["sweep", "plan", world(values, "random"), "--max-runs", "3"]) == 0
    first = capsys.readouterr().out
    assert "lam: 3 points, drawn at random" in first
    assert len(cells(first)) == 3
    assert main(["sweep", "plan", world(values, "random"), "--max-runs", "3", "--seed", "1"]) == 0
    assert cells(capsys.readouterr().out).keys() != cells(first).keys()


def test_points_that_cannot_be_run_are_named(world, capsys):
    assert main(["sweep", "plan", world("{values: [0.4, -1, -2]}")]) == 2
    out = capsys.readouterr().out
    assert cells(out)["-1"][0] == "cannot be run"
    assert "1 of 3 points cannot be run: --method.lam -1: must be at least 0" in out
    assert "piva run pie-bench --root" in out
    assert "cases 0 of 10 are done" in out


def test_without_the_data_the_points_are_still_shown(world, capsys):
    assert main(["sweep", "plan", world(root="nowhere")]) == 2
    out = capsys.readouterr().out
    assert list(cells(out)) == ["0", "0.4"]
    assert "no point can be run: nowhere: there is no such folder" in out


def test_a_sweep_of_scenes(tmp_path, monkeypatch, tiny_pipeline_folder, capsys):
    monkeypatch.setenv("PIVA_CACHE", str(tmp_path / "cache"))
    data = write_scenes(tmp_path / "data")
    words = ["piva", "run", "in2n", "--root", data, "--method=piva", *QUICK, "--metrics", "mse", "--tracker=none"]
    words += ["--prior.model", tiny_pipeline_folder, "--out", tmp_path / "runs", "${args}"]
    file = tmp_path / "scenes.yaml"
    command = ", ".join(f'"{word}"' for word in words)
    file.write_text(f"method: grid\ncommand: [{command}]\nparameters:\n  method.lam: {{values: [0, 1]}}\n")
    assert main(["sweep", "plan", str(file)]) == 0
    found = cells(capsys.readouterr().out)
    assert [found[lam][1:4] for lam in ("0", "1")] == [["0/1", "12", "0"], ["0/1", "21", "6"]]  # three steps, one view
    assert main([*map(str, words[1:-1]), "--method.lam=0"]) == 0
    capsys.readouterr()
    assert main(["sweep", "plan", str(file)]) == 0
    out = capsys.readouterr().out
    assert cells(out)["0"][1:4] == ["1/1", "0", "0"]
    assert "fitted to 1 edits recorded before" in out


@pytest.mark.parametrize("command", ["plan", "launch"])
def test_help_has_an_example(command, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["sweep", command, "--help"])
    assert ended.value.code == 0
    assert f"piva sweep {command} sweeps/lambda-toybox.yaml" in capsys.readouterr().out


def test_names_of_commands(capsys):
    assert main(["sweep", "--help"]) == 0
    assert "launch" in capsys.readouterr().out
    assert main(["sweep", "lunch", "x"]) == 2
    assert "unknown sweep command 'lunch': did you mean 'launch'?" in capsys.readouterr().err
    assert main(["sweep"]) == 2
