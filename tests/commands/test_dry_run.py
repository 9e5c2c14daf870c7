"""piva run --dry-run: the plan, and what it would cost."""

import numpy as np
import pytest
from harness_world import case_file, use_plain_world, write_bench

import benchmarks.costs.calibration as calibration
from piva.cli import main
from piva.methods import METHODS


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
    rows, time, disk, title, *_ = said.out.splitlines()
    assert rows == "rows  7,200 through the UNet: 36 edits of 50 steps, 4 a step"
    assert time.endswith("ms a row, measured now")
    assert disk == "disk  0.1 MB: images, records"
    assert title.rstrip() == "the whole sweep: 12 cases, 50 steps, 3 seeds, nothing done before"


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
    assert said.out.splitlines()[0] == "nothing to edit"
    assert cells(said.out)["dds"][1] == f"{12 * 200 * 4:,}"
    assert "12 done before" in said.err


def cells(out):
    """The lines of the sweep's table, by their first cell."""
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in out.splitlines() if "│" in line]
    return {label: values for label, *values in rows}


def test_identity_rows_take_no_rows_but_the_sweep_is_said(world, capsys):
    assert world("--dry-run", method="copy") == 0
    out = capsys.readouterr().out
    assert out.splitlines()[0] == "disk  0.0 MB: images, records"
    assert [cells(out)[label][1] for label in ("sds", "dds", "piva lam 0.8")] == ["4,800", "9,600", "16,800"]


def test_the_sweep_is_over_all_cases_whatever_is_asked_for(world, capsys, monkeypatch):
    few = {name: METHODS[name] for name in ("sds", "dds", "piva")}  # to be added up by hand
    monkeypatch.setattr("benchmarks.costs.sweep_forecast.METHODS", few)
    flags = ["--steps", "50", "--seeds", "0", "1", "--method.aux.psi", "stored", "--method.guidance", "3"]
    assert world("--dry-run", "--limit", "8", "--type", "1", "2", *flags, method="piva") == 0
    said = capsys.readouterr()
    assert "3 of 3 cases to edit" in said.err
    found = cells(said.out)
    step = 2 * 12 * 50
    assert found["sds"][:3] == ["24", f"{2 * step:,}", "0"]
    assert found["dds"][:3] == ["24", f"{4 * step:,}", "0"]
    assert found["piva lam 1.6"][:3] == ["24", f"{6 * step + 12 * 200:,}", f"{step + 12 * 200:,}"]
    planned = (2 + 4 + 5 * 6) * step + 12 * 200
    assert found["all, as planned"][:2] == ["168", f"{planned:,}"]
    assert found["all, with --row-cache-gb 1"][:2] == ["168", f"{planned - 5 * 2 * step:,}"]
    assert "hours on" in said.out
    assert "GPU" not in said.out


def test_seconds_of_the_sweep_are_learned_from_earlier_runs(world, capsys, monkeypatch):
    world("--limit", "8")
    capsys.readouterr()
    monkeypatch.setattr(calibration, "measured_rates", None)
    assert world("--dry-run", "--seed", "1", "--steps", "3000") == 0
    out = capsys.readouterr().out
    assert cells(out)["dds"][3] == f"{12 * 4 * 3000 * 0.5 / 12 / 3600:.2f}"
    assert "fitted to 8 edits recorded before; loading and scoring not counted" in " ".join(out.split())


def test_what_is_wrong_with_other_cases_is_in_nobody_s_way(world, tmp_path, capsys):
    case_file(tmp_path / "bench", 7).unlink()
    assert world("--dry-run", "--type", "1") == 0
    said = capsys.readouterr()
    assert said.out.startswith(f"rows  {2 * 4 * 200:,} through the UNet")
    assert "000000000007" not in said.out + said.err
    assert world("--dry-run") == 0
    assert "1 of 12 images cannot be read: 000000000007: " in capsys.readouterr().err


def test_a_controlnet_psi_that_an_earlier_run_stored_is_not_trained_again(
    tiny_pipeline_folder, tmp_path, capsys, monkeypatch
):
    monkeypatch.setattr(calibration, "SECONDS_OF_MEASUREMENT", 1e-4)
    monkeypatch.setenv("PIVA_CACHE", str(tmp_path / "cache"))
    root = write_bench(tmp_path / "bench", n=2, size=32)
    for k, picture in enumerate(sorted((root / "annotation_images").rglob("*.png"))):
        depth = root / "depth" / picture.relative_to(root / "annotation_images").with_suffix(".npy")
        depth.parent.mkdir(parents=True, exist_ok=True)
        np.save(depth, np.full((32, 32), (k + 1) / 4))
    aux = ["--method.aux.kind", "controlnet", "--method.aux.psi", "stored", "--method.aux.psi-steps", "2"]
    prior = ["--prior.model", str(tiny_pipeline_folder), "--prior.device", "cpu", "--metrics", "psnr"]
    common = ["--root", str(root), "--out", str(tmp_path / "runs"), "--tracker", "none", "--steps", "1"]
    run = ["run", "pie-bench", "--method", "piva", *aux, *prior, *common]
    assert main([*run, "--dry-run"]) == 0
    assert "psi   4 of these rows train 2 stored psi, once for all runs" in capsys.readouterr().out
    assert main(run) == 0
    capsys.readouterr()
    assert main([*run, "--dry-run", "--seed", "1"]) == 0
    rows, time, *_ = capsys.readouterr().out.splitlines()
    assert rows == "rows  12 through the UNet, 2 of them with backward: 2 edits of 1 steps, 6 a step, 1 with backward"
    assert time.startswith("time ")
