"""show, compare and report read what run wrote."""

import re

import pytest
from harness_world import use_plain_world, write_bench

from piva.cli import main


@pytest.fixture
def out(tmp_path, monkeypatch):
    """Folder with a copy, a DDS and a Piva run of ten cases, one of which failed."""
    use_plain_world(monkeypatch)
    root = write_bench(tmp_path / "bench")
    mapping = root / "mapping_file.json"
    mapping.write_text(mapping.read_text().replace("bright] square number 4", "poison] square number 4"))
    for method in ("copy", "dds", "piva"):
        main(
            [
                "run",
                "pie-bench",
                "--root",
                str(root),
                "--method",
                method,
                "--out",
                str(tmp_path / "runs"),
                "--tracker",
                "none",
            ]
        )
    return tmp_path / "runs"


def test_show_prints_scores_and_failures(out, capsys):
    capsys.readouterr()
    assert main(["show", "dds", "--runs", str(out)]) == 0
    text = capsys.readouterr().out
    assert "dds on pie-bench" in text
    assert "9 of 10 cases scored; partial: 9 of 10 cases" in text
    assert "000000000004: error at edit: RuntimeError: poisoned batch of 1" in text
    assert "level" in text
    assert "psi and phi: 1,000 numbers trained for each case; 12.0 MB with AdamW's states" in text
    assert "Traceback" not in text
    main(["show", "dds", "--runs", str(out), "--failures"])
    assert "Traceback" in capsys.readouterr().out


def test_compare_pairs_the_cases(out, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "160")
    capsys.readouterr()
    assert main(["compare", "dds", "copy", "--runs", str(out), "--metrics", "shift"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "9 cases in both" in lines
    (line,) = [line for line in lines if line.strip().startswith("shift")]
    assert "+0.2000" in line
    assert line.split()[-5:-3] == ["9", "1"]


def test_compare_refuses_a_number_nobody_has(out, capsys):
    assert main(["compare", "dds", "copy", "--runs", str(out), "--metrics", "shft"]) == 2
    assert "did you mean 'shift'?" in capsys.readouterr().err


def test_report_writes_tables_and_page(out, capsys):
    capsys.readouterr()
    assert main(["report", "--runs", str(out), "--metrics", "level", "shift"]) == 0
    text = capsys.readouterr().out
    assert f"page: {out / 'report' / 'index.html'}" in text
    table = (out / "report" / "table.md").read_text()
    assert "9/10, 1 failed" in table
    assert (out / "report" / "table.csv").read_text().startswith("benchmark,benchmark_version,split,run,edit_key,")
    for name in ("table.tex", "table.parquet", "cases.parquet"):
        assert f"{out / 'report' / name}" in text
    assert "000000000004" in (out / "report" / "index.html").read_text()


def test_report_breaks_tables_down_and_writes_no_page(out, capsys, tmp_path):
    arguments = ["--runs", str(out), "--out", str(tmp_path / "r"), "--by", "group", "scene", "--tables-only"]
    assert main(["report", *arguments]) == 0
    assert "--by scene: no case says its scene" in capsys.readouterr().err
    table = (tmp_path / "r" / "table.md").read_text()
    assert "By group." in table
    assert re.search(r"\| addition \| dds[^|]*\| 1/1 \|", table)
    assert sorted(file.name for file in (tmp_path / "r").iterdir()) == [
        "cases.parquet", "table.csv", "table.md", "table.parquet", "table.tex",
    ]  # fmt: skip


def test_report_takes_runs_and_a_baseline(out, capsys, tmp_path):
    arguments = [
        "piva",
        "dds",
        "--runs",
        str(out),
        "--metrics",
        "level",
        "--baseline",
        "piva",
        "--out",
        str(tmp_path / "r"),
    ]
    assert main(["report", *arguments]) == 0
    assert "each run minus `piva`" in (tmp_path / "r" / "table.md").read_text()


def test_report_looks_for_the_markers_before_it_works(out, tmp_path, capsys):
    (tmp_path / "readme.md").write_text("no markers")
    assert main(["report", "--runs", str(out), "--into", str(tmp_path / "readme.md"), "--figures"]) == 2
    assert "readme.md has no <!-- results: begin -->" in capsys.readouterr().err
    assert not (out / "report").exists()


def test_report_refuses_a_baseline_that_is_none_of_its_runs(out, capsys):
    assert main(["report", "--runs", str(out), "--baseline", "nobody"]) == 2
    assert "--baseline nobody: no run of this report has this label, folder or key" in capsys.readouterr().err
