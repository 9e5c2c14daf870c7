"""piva run --dry-run: the plan, and what it would cost."""

import pytest
from harness_world import use_plain_world, write_bench

import benchmarks.calibration as calibration
from piva.cli import main


@pytest.fixture
def world(tmp_path, monkeypatch):
    """`piva run pie-bench` on the stand-ins, 12 cases; whatever is edited takes 12 rows and half a second."""
    use_plain_world(monkeypatch)
    monkeypatch.setattr(calibration, "SECONDS_OF_MEASUREMENT", 1e-4)
    monkeypatch.setenv("PIVA_CACHE", str(tmp_path / "cache"))
    root = write_bench(tmp_path / "bench", n=12)
    common = ["--root", str(root), "--out", str(tmp_path / "runs"), "--tracker", "none"]
    return lambda *flags, method="dds": main(["run", "pie-bench", "--method", method, *common, *flags])


def test_rows_time_and_disk_of_all_seeds(world, capsys):
    assert world("--dry-run", "--steps", "50", "--seeds", "0", "1", "2") == 0
    said = capsys.readouterr()
    assert said.err.count("12 of 12 cases to edit in 2 batches") == 3
    rows, time, disk = said.out.splitlines()
    assert rows == "rows  7,200 through the UNet: 36 edits of 50 steps, 4 a step"
    assert time.endswith("ms a row, measured now")
    assert disk == "disk  0.1 MB: images, records"


def test_time_is_learned_from_earlier_runs(world, capsys):
    world("--limit", "8")
    capsys.readouterr()
    assert world("--dry-run", "--limit", "8", "--seed", "1", "--steps", "30") == 0
    rate = 0.5 / 12
    expected = f"time  {8 * 4 * 30 * rate:,.0f} s (0.01 h) of editing, loading and scoring not counted: "
    assert expected + "41.7 ms a row, fitted to 8 edits recorded before" in capsys.readouterr().out


def test_what_is_done_costs_nothing(world, capsys):
    world()
    capsys.readouterr()
    assert world("--dry-run") == 0
    said = capsys.readouterr()
    assert said.out == "nothing to edit\n"
    assert "12 done before" in said.err


def test_identity_rows_take_no_rows(world, capsys):
    assert world("--dry-run", method="copy") == 0
    assert capsys.readouterr().out == "disk  0.0 MB: images, records\n"
