"""The files of tables: what is in them, and that the same records give the same bytes."""

import csv
from io import StringIO

import polars as pl
import pytest
from harness_world import case_record, launch, run_record, write_run
from report_world import four_runs, make

from reports.reading import load_runs
from reports.tables.documents import baselines
from reports.tables.long_format import COLUMNS, cases, table, to_csv
from reports.tables.rows import paired, rows
from reports.tables.sheet import sheet
from reports.tables.writing import Tables, write_tables


def write(runs, out, by=("type", "group")):
    against = baselines(runs, (), out)
    return write_tables(
        [Tables(sheet("a title", runs, ["lpips"], against, "piva report", by), runs, against, out)], out
    )


def test_the_same_records_give_the_same_bytes(tmp_path):
    four_runs(tmp_path / "runs")
    first, second = (write(load_runs([], tmp_path / "runs"), tmp_path / name) for name in ("one", "two"))
    assert [file.name for file in first] == ["table.md", "table.tex", "table.csv", "table.parquet", "cases.parquet"]
    for a, b in zip(first, second, strict=True):
        assert a.read_bytes() == b.read_bytes()
        assert a.stat().st_size > 500


def test_the_order_of_lines_and_of_runs_changes_no_number(tmp_path):
    runs = four_runs(tmp_path / "a")
    for run in reversed(runs):
        write_run(tmp_path / "b" / run.path.parent.name / run.path.name, run.record, list(run.cases.values())[::-1])
    files = [write(load_runs([], tmp_path / name), tmp_path / f"out-{name}") for name in ("a", "b")]
    for a, b in zip(*files, strict=True):
        assert a.read_bytes() == b.read_bytes()


def test_csv_holds_raw_means_of_every_number_for_all_and_each_part(tmp_path):
    runs = four_runs(tmp_path)
    lines = list(csv.DictReader(StringIO(to_csv(table(runs, [], ["type"])).decode())))
    assert set(lines[0]) == set(COLUMNS)
    dds = {(line["part"], line["metric"]): line for line in lines if line["run"] == "dds"}
    assert {part for part, _ in dds} == {"all", "0 random", "1 change-object"}
    assert {name for _, name in dds} == {"lpips", "saturation_shift", "seconds_edit", "unet_rows"}
    assert float(dds["all", "lpips"]["mean"]) == 0.25
    assert float(dds["0 random", "lpips"]["mean"]) == pytest.approx(0.2)
    assert float(dds["all", "seconds_edit"]["mean"]) == 2.0
    assert dds["all", "lpips"]["metric_id"] == "lpips@1"
    interval = rows(runs, ["lpips"])[1].cells["lpips"]
    assert (float(dds["all", "lpips"]["low"]), dds["all", "lpips"]["n"]) == (interval.low, "4")
    assert dds["all", "lpips"]["interval"] == "drawn"


def test_differences_missing_and_failed_are_in_it(tmp_path):
    failed = case_record("f", status="error", stage="edit", error="RuntimeError: no")
    planned = ["000000000000", "000000000001", "000000000002", "f", "never"]
    make(tmp_path, "aa11", "dds", [0.1, 0.3, None], planned=planned, cases=[failed])
    make(tmp_path, "bb22", "piva", [0.1, 0.1, 0.1], planned=planned)
    dds, piva = runs = load_runs([], tmp_path)
    found = table(runs, [dds]).filter(pl.col("metric") == "lpips")
    mean = found.row(by_predicate=(pl.col("run") == "dds") & (pl.col("against") == ""), named=True)
    assert [mean[name] for name in ("n", "missing", "planned", "ok", "failed", "not_done")] == [2, 1, 5, 3, 1, 1]
    difference = found.row(by_predicate=pl.col("against") == "dds", named=True)
    pair = paired(piva, dds, "lpips")
    assert (difference["run"], difference["mean"], difference["low"]) == ("piva", pair.mean, pair.low)
    assert [difference[name] for name in ("better", "equal", "worse", "missing")] == [1, 1, 0, 3]


def test_a_number_that_reports_have_never_heard_of_needs_no_change_here(tmp_path):
    record = run_record("aa11", "dds", launches=[launch(["a", "b"])], metrics={"lpips": "l@1", "wit": "wit/big@3"})
    written = [case_record(id_, metrics={"lpips": 0.1, "wit": value}) for id_, value in (("a", 0.25), ("b", 0.5))]
    write_run(tmp_path / "runs" / "pie-toybox" / "dds-aa11", record, written)
    runs = load_runs([], tmp_path / "runs")
    tables = sheet("x", runs, ["wit"], [], "piva report")
    write_tables([Tables(tables, runs, [], tmp_path)], tmp_path)
    assert "| dds | 2/2 | 0.38 [0.25, 0.50] n=2 |" in (tmp_path / "table.md").read_text()
    assert "wit/big@3" in (tmp_path / "table.md").read_text()
    assert "0.38 {\\scriptsize {[}0.25, 0.50{]}}" in (tmp_path / "table.tex").read_text()
    write_tables([Tables(sheet("x", runs, ["lpips"], [], "piva report"), runs, [], tmp_path)], tmp_path)
    (line,) = pl.read_parquet(tmp_path / "table.parquet").filter(pl.col("metric") == "wit").iter_rows(named=True)
    assert (line["mean"], line["metric_id"]) == (0.375, "wit/big@3")
    found = pl.read_parquet(tmp_path / "cases.parquet").filter(pl.col("metric") == "wit")
    assert found.select("case_id", "value").rows() == [("a", 0.25), ("b", 0.5)]


def test_every_case_is_in_the_long_format(tmp_path):
    failed = case_record("f", type_id="9", status="error", stage="edit", error="RuntimeError: no")
    make(tmp_path, "aa11", "dds", [0.1, None], cases=[failed])
    found = cases(load_runs([], tmp_path)).filter(pl.col("metric") == "lpips")
    assert found.select("case_id", "group", "status", "scored", "value").rows() == [
        ("000000000000", "mixed", "ok", True, 0.1),
        ("000000000001", "translation", "ok", True, None),
        ("f", "appearance", "error", False, None),
    ]


def test_a_table_says_where_intervals_were_worked_out(tmp_path):
    ids = [f"{k:06d}" for k in range(5000)]
    record = run_record("aa11", "dds", launches=[launch(ids)])
    folder = write_run(tmp_path / "pie-toybox" / "dds-aa11", record, [])
    lines = [case_record(id_, metrics={"lpips": (k % 97) / 97}).model_dump_json() for k, id_ in enumerate(ids)]
    (folder / "cases.jsonl").write_text("\n".join(lines) + "\n")
    for count, expected in ((5000, True), (4999, False)):
        (folder / "cases.jsonl").write_text("\n".join(lines[:count]) + "\n")
        runs = load_runs([], tmp_path)
        assert any("worked out" in sentence for sentence in sheet("x", runs, ["lpips"], [], "c").footer()) == expected
        how = table(runs, []).filter(pl.col("metric") == "lpips")["interval"].to_list()
        assert how == ["expansion" if expected else "drawn"]
