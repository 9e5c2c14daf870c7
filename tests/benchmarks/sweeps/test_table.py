"""The table of a sweep holds what the records hold; the best point is compared case by case."""

import csv

import numpy as np
import pytest
from harness_world import case_record, run_record
from sweep_world import OPTIMUM, loss, run_folders, sweep, use_sweep_world, write_sweep

from benchmarks.sweeps.board import PointOnDisk
from benchmarks.sweeps.planned import PlannedRun
from benchmarks.sweeps.schema import Goal
from benchmarks.sweeps.table import best
from piva.cli import main
from piva.records import read_cases, read_run
from piva.stats import bootstrap_mean
from reports.reading import Run

VALUES = "  method.guidance: {values: [1, 3, 6]}\n"


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    """A sweep of three points, done."""
    with pytest.MonkeyPatch.context() as patch:
        use_sweep_world(patch)
        made = write_sweep(tmp_path_factory.mktemp("sweep"), VALUES)
        assert sweep("run", made) == 0
    return made


@pytest.fixture(autouse=True)
def world(monkeypatch):
    use_sweep_world(monkeypatch)


def test_a_row_has_the_mean_the_interval_and_n(file, tmp_path, capsys):
    into = tmp_path / "table.csv", tmp_path / "table.md"
    assert sweep("table", file, "--into", *map(str, into)) == 0
    rows = list(csv.DictReader(into[0].open()))
    assert [float(row["method.guidance"]) for row in rows] == [1, 3, 6]
    for folder in run_folders(file):
        (row,) = [r for r in rows if float(r["method.guidance"]) == read_run(folder).settings["guidance"]]
        interval = bootstrap_mean([case.metrics["mse"] for case in read_cases(folder).values()])
        assert [float(row[f"mse{end}"]) for end in ("", "_low", "_high")] == [
            interval.mean,
            interval.low,
            interval.high,
        ]
        assert (row["mse_n"], row["scored"], row["cases"], row["state"]) == ("4", "4", "4", "done")
    text = into[1].read_text()
    lines = [line.split("|")[1:-1] for line in text.splitlines() if line.startswith("|")]
    assert [line[0].strip() for line in lines] == ["guidance", "---", "1", "3", "6"]
    assert lines[0][2].strip() == "mse ↓ ×10000"
    mean = 1e4 * float(rows[1]["mse"])
    assert lines[3][2].strip().startswith(f"{mean:.1f} [")
    assert read_run(run_folders(file)[0]).edit_key in text
    assert "--method.guidance=3 --out" in text
    assert "commit" in text
    assert "3 points: 3 done" in capsys.readouterr().out


def test_what_is_doubtful_is_marked(file, tmp_path):
    folder = run_folders(file)[0]
    record, kept = read_run(folder), (folder / "run.json").read_bytes()
    made = record.launches[0].provenance.model_copy(update={"git_dirty": True})
    launch = record.launches[0].model_copy(update={"provenance": made})
    (folder / "run.json").write_text(record.model_copy(update={"launches": [launch]}).model_dump_json())
    assert sweep("table", file, "--into", str(tmp_path / "t.md")) == 0
    (folder / "run.json").write_bytes(kept)
    number = {1: 0, 3: 1, 6: 2}[record.settings["guidance"]]
    text = (tmp_path / "t.md").read_text()
    assert f"4/4 [{number}]" in text
    assert f"- [{number}] made from a tree with uncommitted changes" in text


def test_a_document_with_markers_keeps_what_is_around_them(file, tmp_path):
    document = tmp_path / "page.md"
    document.write_text("before\n<!-- results: begin -->\nlast week\n<!-- results: end -->\nafter\n")
    assert sweep("table", file, "--metrics", "mse", "seconds_edit", "--into", str(document)) == 0
    text = document.read_text()
    assert text.startswith("before\n")
    assert text.endswith("after\n")
    assert "last week" not in text
    assert "seconds_edit" in text


def test_names_and_endings_are_checked(file, capsys):
    assert sweep("table", file, "--metrics", "msee") == 2
    assert "did you mean 'mse'?" in capsys.readouterr().err
    assert sweep("table", file, "--into", "table.html") == 2
    assert "must end in .md or .csv" in capsys.readouterr().err


def test_the_best_point_and_its_command(file, capsys):
    assert sweep("best", file) == 0
    said = capsys.readouterr().out
    assert said.startswith(f"point 1: method.guidance {OPTIMUM:g}\n")
    assert "0 of the 2 other points that are done are not clearly worse" in said
    command = said.splitlines()[-1]
    assert command.startswith("piva run pie-bench")
    assert main(command.split()[1:]) == 0
    assert "4 ok" in capsys.readouterr().out
    assert abs(loss(3)) == 0


def test_without_a_metric_there_is_no_best(file, tmp_path, capsys):
    text = file.read_text()
    (tmp_path / "other.yaml").write_text("".join(x for x in text.splitlines(True) if not x.startswith("metric")))
    assert main(["sweep", "best", str(tmp_path / "other.yaml")]) == 2
    assert "has no metric to choose by" in capsys.readouterr().err


def point(index, values, tmp_path, state="done"):
    """A point with these scores of its cases."""
    record = run_record(metrics={"psnr": "psnr@1"})
    cases = {str(k): case_record(str(k), metrics={"psnr": float(value)}) for k, value in enumerate(values)}
    planned = PlannedRun((), record, tmp_path, tuple(cases), work=None)
    return PointOnDisk(index, {}, (), (planned,), (Run(tmp_path, record, cases),), state)


def test_what_is_not_clearly_worse_is_decided_case_by_case(tmp_path):
    spread = np.linspace(10, 30, 20)
    base = point(0, spread, tmp_path)
    close = point(1, spread - 0.2, tmp_path)  # far within the spread of the cases, and below in every one
    noisy = point(2, spread - 0.2 + np.tile([2, -2], 10), tmp_path)
    partial = point(3, spread + 9, tmp_path, "missing")
    found = best(Goal("mean/psnr", "maximize"), [noisy, close, base, partial])
    assert found.point.index == 0
    assert {other.index: pair.mean for other, pair in found.differences} == pytest.approx({1: 0.2, 2: 0.2})
    assert [other.index for other in found.ties] == [2]
    assert close.interval("psnr").high > base.interval("psnr").low  # their own intervals would not tell
    assert best(Goal("mean/psnr", "minimize"), [base, close]).point.index == 1
    assert best(Goal("mean/psnr", "minimize"), [base, close]).ties == ()
