"""The whole way with nothing replaced: a tiny pipeline, the engine, the metrics, the records, the tables."""

import json

import pytest
from harness_world import write_bench

from piva.cli import main
from piva.records import read_cases, read_run


@pytest.fixture(scope="module")
def out(tmp_path_factory, tiny_pipeline_folder):
    """Runs of no-edit, DDS and Piva, three steps on three cases."""
    folder = tmp_path_factory.mktemp("end-to-end")
    root = write_bench(folder / "bench", n=3, size=32)
    common = [
        "--root",
        str(root),
        "--out",
        str(folder / "runs"),
        "--tracker",
        "csv",
        "--steps",
        "3",
        "--batch-size",
        "2",
    ]
    for flags in (["no-edit"], ["dds"], ["piva", "--method.lam", "0"], ["piva", "--method.lam", "2"]):
        method = ["--method", *flags, "--prior.model", str(tiny_pipeline_folder)]
        assert main(["run", "pie-bench", *method, *common]) == 0
    return folder / "runs"


def runs(out):
    """Method and lambda -> (record, cases)."""
    found = {}
    for folder in (out / "pie-bench").iterdir():
        record = read_run(folder)
        found[record.method, record.settings.get("lam")] = (record, read_cases(folder), folder)
    return found


def test_every_case_is_edited_and_scored(out):
    for record, cases, folder in runs(out).values():
        assert {case.status for case in cases.values()} == {"ok"}
        assert record.image_size == (32, 32)
        assert all((folder / case.image).is_file() for case in cases.values())
        assert all(case.metrics["psnr"] > 0 for case in cases.values())


def test_costs_are_counted(out):
    found = runs(out)
    assert {case.unet_rows for case in found["dds", None][1].values()} == {3 * 4}
    assert {case.unet_rows for case in found["no-edit", None][1].values()} == {0}
    assert min(case.unet_rows for case in found["piva", 2.0][1].values()) > 3 * 4
    assert "drift_rms" in found["dds", None][1]["000000000000"].history


def test_lambda_0_is_dds_to_the_last_bit(out):
    found = runs(out)
    dds, zero, two = (found[name][1] for name in (("dds", None), ("piva", 0.0), ("piva", 2.0)))
    hashes = [[case.image_sha256 for case in cases.values()] for cases in (dds, zero, two)]
    assert hashes[0] == hashes[1]
    assert hashes[0] != hashes[2]


def test_curves_are_mirrored(out):
    _, _, folder = runs(out)["dds", None]
    names = {line.split(",")[1] for line in (folder / "steps.csv").read_text().splitlines()[1:]}
    assert {"direction_rms", "drift_rms", "t"} <= names


def test_a_report_is_made_of_them(out):
    assert main(["report", "--runs", str(out), "--metrics", "psnr", "unet_rows"]) == 0
    table = (out / "report" / "table.md").read_text()
    assert "piva lam=0.0" in table
    assert "piva lam=2.0" in table
    assert (out / "report" / "index.html").is_file()


def test_layers_that_the_unet_lacks_end_with_2_before_any_work(tmp_path, tiny_pipeline_folder, capsys):
    root = write_bench(tmp_path / "bench", n=2, size=32)
    where = ["--root", str(root), "--out", str(tmp_path / "runs"), "--prior.model", str(tiny_pipeline_folder)]
    assert main(["run", "pie-bench", "--method", "piva", "--method.aux.target-modules", "foo", *where]) == 2
    assert "--method.aux.target-modules: 'foo' names no layer" in capsys.readouterr().err
    assert not (tmp_path / "runs" / "pie-bench").exists()


def test_one_picture_is_edited(tmp_path, tiny_pipeline_folder):
    from PIL import Image

    Image.new("RGB", (50, 40), (200, 30, 30)).save(tmp_path / "photo.jpg")
    prompts = ["--source", "a red card", "--target", "a blue card"]
    flags = ["--steps", "2", "--prior.model", str(tiny_pipeline_folder), "--out", str(tmp_path / "out")]
    assert main(["edit", str(tmp_path / "photo.jpg"), *prompts, *flags]) == 0
    record = json.loads((tmp_path / "out" / "edit.json").read_text())
    assert record["method"] == "piva"
    assert record["unet_rows"] > 0
    assert Image.open(tmp_path / "out" / "edited.png").size == (32, 32)


def test_the_real_sample_runs_end_to_end(tmp_path, real_data, tiny_pipeline_folder):
    method = ["--method", "dds", "--steps", "2", "--prior.model", str(tiny_pipeline_folder)]
    where = ["--root", str(real_data / "pie-bench-sample"), "--out", str(tmp_path / "runs"), "--tracker", "none"]
    assert main(["run", "pie-bench", *method, *where, "--limit", "3"]) == 0
    (folder,) = (tmp_path / "runs" / "pie-bench").iterdir()
    cases = read_cases(folder)
    assert len(cases) == 3
    assert all(case.resized and case.source_size == (512, 512) for case in cases.values())
    assert read_run(folder).image_size == (32, 32)


@pytest.mark.parametrize("method", ["dds", "piva"])
def test_the_shipped_models_edit_pie_toybox_and_every_number_is_there(method, tmp_path, monkeypatch):
    monkeypatch.setenv("PIVA_CACHE", str(tmp_path / "cache"))
    out = tmp_path / "runs"
    options = ["--limit", "2", "--steps", "3", "--tracker", "none", "--out", str(out)]
    assert main(["run", "pie-toybox", "--method", method, *options]) == 0
    (folder,) = (out / "pie-toybox").iterdir()
    cases = read_cases(folder).values()
    assert [case.status for case in cases] == ["ok", "ok"]
    for name in ("clip_text", "clip_direction", "lpips", "lpips_to_true", "psnr_to_true", "edit_success"):
        assert None not in [case.metrics[name] for case in cases], name
    assert {case.psi_rows for case in cases} == {0}
