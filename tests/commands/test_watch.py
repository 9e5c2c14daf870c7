"""`piva watch`: how it begins, what it prints, and how it ends."""

import subprocess
import sys
import time

import pytest
from harness_world import case_record, launch, run_record, write_run

from piva.cli import main
from piva.records import read_cases

WORKER = """
import sys, time
from pathlib import Path
from piva.records import CaseRecord, RunFolder, RunRecord
run, *cases = sys.stdin.read().splitlines()
with RunFolder(Path(sys.argv[1])) as folder:
    folder.write_run(RunRecord.model_validate_json(run))
    for case in cases:
        time.sleep(0.3)
        folder.append(CaseRecord.model_validate_json(case))
"""
"""A run without a model: it records what it is given, a case now and then."""


@pytest.fixture
def done(tmp_path):
    """A run that is done."""
    record = run_record("aa11", launches=[launch(["a", "b"])])
    return write_run(tmp_path / "runs" / "pie-toybox" / "dds-aa11", record, [case_record("a"), case_record("b")])


def test_a_real_process_is_watched_from_before_it_begins_until_it_ends(tmp_path, capfd):
    folder, bad = tmp_path / "runs" / "pie-toybox" / "dds-aa11", {"status": "error", "stage": "edit"}
    records = [run_record("aa11", launches=[launch(["a", "b", "c"])])]
    records += [case_record(id_, metrics={"lpips": 0.25}) for id_ in "ac"]
    records.insert(2, case_record("b", error="RuntimeError: no", **bad))
    worker = subprocess.Popen([sys.executable, "-c", WORKER, str(folder)], stdin=subprocess.PIPE, text=True)
    try:
        worker.stdin.write("\n".join(record.model_dump_json() for record in records))
        worker.stdin.close()
        assert main(["watch", str(folder), "--every", "0.05"]) == 1
    finally:
        assert worker.wait() == 0
    lines = [line.removeprefix("aa11 dds on pie-toybox: ") for line in capfd.readouterr().out.splitlines()]
    assert lines[0] == f"{folder}: nothing is recorded yet"
    assert "b: edit failed: RuntimeError: no" in lines
    counts = [next(word for word in line.split() if "/" in word) for line in lines if " cases" in line]
    assert sorted(set(counts)) == ["0/3", "1/3", "2/3", "3/3"]
    assert counts == sorted(counts)
    assert lines[-1] == "done, 3/3 cases, 1 failed; lpips 250.0 ± 0.0 n=2"
    assert len(read_cases(folder)) == 3


def test_a_run_that_is_done_is_shown_and_that_is_all(done, capsys):
    started = time.monotonic()
    assert main(["watch", "aa11", "--runs", str(done.parents[1])]) == 0
    assert capsys.readouterr().out == "aa11 dds on pie-toybox: done, 2/2 cases\n"
    assert time.monotonic() - started < 2  # the default is to look again after that


def test_once_shows_what_is_not_done_and_ends_with_0(done, capsys, monkeypatch):
    write_run(done.with_name("dds-bb22"), run_record("bb22", launches=[launch(["a", "b"])]), [case_record("a")])
    monkeypatch.setattr(time, "sleep", lambda seconds: pytest.fail("waited"))
    assert main(["watch", "--once", "--runs", str(done.parents[1])]) == 0
    text = capsys.readouterr().out
    assert "2 runs: 1 done, 1 stopped; 3/4 cases" in text
    assert main(["watch", "--once", "--runs", str(done.parents[1] / "none")]) == 0
    assert "nothing is recorded yet" in capsys.readouterr().out


def test_a_folder_of_runs_waits_for_the_next_run_unless_nothing_came_for_a_while(done, capsys, monkeypatch):
    late = run_record("bb22", launches=[launch(["a"])])

    def next_run(seconds):
        assert seconds == 7
        write_run(done.with_name("dds-bb22"), late, [case_record("a")])
        monkeypatch.setattr("piva.commands.watch.QUIET", -1e9)

    monkeypatch.setattr(time, "sleep", next_run)
    assert main(["watch", str(done.parent), "--every", "7"]) == 0
    assert "bb22 dds bb22 on pie-toybox: done, 1/1 cases" in capsys.readouterr().out


def test_ctrl_c_ends_the_watch_with_130(done, monkeypatch):
    def interrupt(seconds):
        raise KeyboardInterrupt

    monkeypatch.setattr(time, "sleep", interrupt)
    assert main(["watch", str(done.parent / "not-yet")]) == 130


def test_a_name_that_is_no_run_is_bad_configuration(done, capsys):
    assert main(["watch", "cc33", "--runs", str(done.parents[1])]) == 2
    assert "no run 'cc33'" in capsys.readouterr().err
    assert main(["watch", "--every", "0"]) == 2


def test_in_a_terminal_the_picture_is_drawn_anew(done, monkeypatch, capsys):
    """The last picture stays."""
    from rich.console import Console

    monkeypatch.setattr(
        "reports.tables.terminal.wide_console", lambda: Console(force_terminal=True, width=100, height=30)
    )
    assert main(["watch", "aa11", "--runs", str(done.parents[1])]) == 0
    assert "aa11 dds on pie-toybox" in capsys.readouterr().out


def test_a_score_that_no_run_has_is_no_silence(done, capsys):
    assert main(["watch", str(done), "--once", "--metrics", "lpisp"]) == 2
    assert "did you mean" in capsys.readouterr().err
