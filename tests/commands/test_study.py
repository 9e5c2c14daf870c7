"""`piva study`: sweeps through the ordinary worker, then the page; flags behind --; what is listed."""

import pytest
from sweep_world import CASES, run_folders, use_sweep_world, write_sweep

from piva.cli import main
from piva.records import read_run
from reports import studies
from reports.studies import study


@pytest.fixture
def toy(tmp_path, monkeypatch):
    """A study of three guidances on four cases; returns a function: (further arguments) -> exit code."""
    use_sweep_world(monkeypatch)
    write_sweep(tmp_path)
    monkeypatch.setattr(study, "FILES", tmp_path)
    monkeypatch.setattr(studies, "STUDIES", {"toy": "study_world:TOY"})
    folders = ["--out", str(tmp_path / "runs"), "--reports", str(tmp_path / "reports")]
    return lambda *words: main(["study", "toy", *folders, *words])


def test_a_study_runs_its_sweep_and_writes_its_page(toy, tmp_path, capsys):
    assert toy() == 0
    assert len(run_folders(tmp_path / "sweep.yaml")) == 3
    text = (tmp_path / "reports" / "toy.md").read_text()
    assert "# Toy\n\nWhich guidance?" in text
    assert f"| `sweep.yaml` | 3/3 | {3 * CASES}/{3 * CASES} | 0 | 0 |" in text
    assert "guidance 3: 0.0" in text
    assert f"Made by `piva study toy --out {tmp_path / 'runs'}`." in text
    assert "page: " in capsys.readouterr().out
    before = [folder.stat().st_mtime_ns for folder in run_folders(tmp_path / "sweep.yaml")]
    assert toy() == 0  # nothing is left to do
    assert [folder.stat().st_mtime_ns for folder in run_folders(tmp_path / "sweep.yaml")] == before
    assert (tmp_path / "reports" / "toy.md").read_text() == text


def test_a_page_can_be_made_of_what_is_there(toy, tmp_path):
    assert toy("--report-only") == 0
    text = (tmp_path / "reports" / "toy.md").read_text()
    assert f"| `sweep.yaml` | 0/3 | 0/{3 * CASES} | 0 | {3 * CASES} |" in text
    assert not (tmp_path / "runs").exists()


def test_where_no_study_was_run_its_page_is_of_the_committed_records(toy, tmp_path, monkeypatch):
    """Nothing is written beside them."""
    assert toy() == 0
    monkeypatch.setattr(study, "RECORDS", tmp_path / "records")
    assert main(["archive", "--runs", str(tmp_path / "runs"), "--out", str(tmp_path / "records" / "toy")]) == 0
    kept = sorted((tmp_path / "records").rglob("*"))
    monkeypatch.chdir(tmp_path / "reports")
    assert main(["study", "toy", "--report-only", "--reports", str(tmp_path / "anew")]) == 0
    text = (tmp_path / "anew" / "toy.md").read_text()
    assert f"| `sweep.yaml` | 3/3 | {3 * CASES}/{3 * CASES} | 0 | 0 |" in text
    assert "Made by `piva study toy`." in text
    assert sorted((tmp_path / "records").rglob("*")) == kept


def test_a_dry_run_counts_and_does_nothing(toy, tmp_path, capsys):
    assert toy("--dry-run") == 0
    said = capsys.readouterr().out
    assert f"cases 0 of {3 * CASES} are done" in said
    assert not (tmp_path / "runs" / "pie-bench").exists()
    assert not (tmp_path / "reports").exists()


def test_flags_behind_the_dashes_reach_every_run(toy, tmp_path):
    assert toy("--", "--steps", "7", "--limit", "2") == 0
    records = [read_run(folder) for folder in run_folders(tmp_path / "sweep.yaml")]
    assert [(record.steps, len(record.launches[0].planned)) for record in records] == [(7, 2)] * 3
    text = (tmp_path / "reports" / "toy.md").read_text()
    assert "| `sweep.yaml` | 3/3 | 6/6 | 0 | 0 |" in text
    assert text.count("-- --steps 7 --limit 2`") == 1
    assert toy("--report-only") == 0  # of the study without flags there is nothing
    assert "| `sweep.yaml` | 0/3 |" in (tmp_path / "reports" / "toy.md").read_text()


def test_what_cannot_be_is_said_before_any_work(toy, tmp_path, capsys):
    assert toy("--", "--out", "elsewhere") == 2
    assert "--out goes before the --" in capsys.readouterr().err
    assert main(["study", "toi"]) == 2
    assert "did you mean 'toy'?" in capsys.readouterr().err
    assert not (tmp_path / "runs").exists()


def test_without_a_name_the_studies_are_listed(capsys):
    assert main(["study"]) == 0
    said = capsys.readouterr().out
    for name in studies.STUDIES:
        assert name in said
    assert "auxiliaries" in said
