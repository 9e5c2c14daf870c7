"""What the harness costs, measured small: sections add up, the archive is one that commands read, tables by hand."""

import time
from types import SimpleNamespace

import pytest
from harness_world import case_record, run_record, write_bench

from benchmarks.harness_overhead import measure as measuring
from benchmarks.harness_overhead.archive import ONE_FAILS_OF, write_archive
from benchmarks.harness_overhead.clock import REST, Clock
from benchmarks.harness_overhead.copies import IMAGE, LINE, LOAD, SCORE, SYNC, Free, cases_of, copied
from benchmarks.harness_overhead.measure import Report
from benchmarks.harness_overhead.options import Options
from benchmarks.harness_overhead.reading import table_seconds
from benchmarks.harness_overhead.tables import grids, notes
from benchmarks.harness_overhead.workers import RunTime, contenders, rate_after_start, run_time
from benchmarks.measurement import markdown_of
from piva.errors import ConfigError
from reports.reading import load_runs

MADE = {
    "device": "cpu", "cpu": "a CPU x2", "threads": 2, "packages": {"torch": "2"}, "git_commit": "c0ffee",
    "git_dirty": False, "command": "harness",
}  # fmt: skip
FACTS = {"repeats": 2, "cases": 10, "batch_size": 4, "runs": 2, "cases_a_run": 100, "edits": 6, "steps": 3}


def test_sections_count_their_own_time_and_add_up(monkeypatch):
    now = iter([0.0, 1.0, 3.0, 7.0, 15.0, 31.0])
    monkeypatch.setattr(time, "perf_counter", lambda: next(now))
    clock = Clock()
    with clock.section("outer"), clock.section("inner"):
        pass
    assert clock.stop() == {REST: 1.0 + 16.0, "outer": 2.0 + 8.0, "inner": 4.0}


def test_a_run_of_copies_has_every_section_and_waits_once_a_case(tmp_path, monkeypatch):
    root = write_bench(tmp_path / "bench", n=6)
    waits = []
    monkeypatch.setattr("os.fsync", lambda handle: waits.append(handle))
    started = time.perf_counter()
    seconds = copied(cases_of(Options(cases=6, root=root)), 4, Free())
    assert 0 < sum(seconds.values()) < time.perf_counter() - started
    assert all(seconds[name] > 0 for name in (LOAD, IMAGE, LINE, SYNC, SCORE, REST))
    assert len(waits) == 6 + 1  # lines, and run.json


def test_more_cases_than_there_are_is_an_error(tmp_path):
    root = write_bench(tmp_path / "bench", n=3)
    with pytest.raises(ConfigError, match="has 3 cases, not 4: fewer --cases"):
        cases_of(Options(cases=4, root=root))


def test_the_archive_is_runs_that_reports_read(tmp_path):
    cases = [case_record(id_, metrics={"lpips": 0.5}, image=f"images/{id_}.png") for id_ in ("x", "y")]
    folders = write_archive(tmp_path, run_record(), cases, runs=3, cases_a_run=2 * ONE_FAILS_OF)
    runs = load_runs((), tmp_path)
    assert [run.path for run in runs] == folders
    assert len({run.record.settings["guidance"] for run in runs}) == 3
    for run in runs:
        assert run.planned == run.cases.keys()
        assert [case.status for case in run.cases.values()].count("error") == 2
        assert len({case.metrics["lpips"] for case in run.ok.values()}) == len(run.ok) == 98
    assert all(seconds > 0 for seconds in table_seconds(tmp_path).values())


def test_each_part_is_measured_where_it_is_asked_for(tmp_path, monkeypatch):
    root = write_bench(tmp_path / "bench", n=5)
    monkeypatch.setattr(measuring, "scorers", lambda: {"none": Free()})
    options = Options(parts=("cases",), repeats=2, cases=5, batch_size=2, root=root)
    report = measuring.measure(options)
    assert [len(report.cases["none"]), report.tables, report.workers] == [2, {}, {}]
    assert [grid.title for grid in grids(report)] == ["what the harness takes for a case, ms"]
    monkeypatch.setattr(measuring, "run_time", lambda flags, count, edits, steps: RunTime(8.0 / count, 30.0))
    report = measuring.measure(Options(parts=("workers",), repeats=3, workers=(2,)))
    assert report.workers == {"in-process": [RunTime(8.0, 30.0)] * 3, "processes, 2 workers": [RunTime(4.0, 30.0)] * 3}


def test_the_tables_by_hand():
    cases = {"none": [{LOAD: 0.01, SCORE: 0.02, REST: 0.03}, {LOAD: 0.01, SCORE: 0.06, REST: 0.05}]}
    workers = {
        "in-process": [RunTime(8.0, 20.0), RunTime(9.0, 10.0)],
        "processes, 1 worker": [RunTime(4.0, 30.0), RunTime(3.0, 20.0)],
    }
    report = Report(FACTS, MADE, cases, {"piva runs": [1.0, 3.0]}, workers)
    text = markdown_of(grids(report), notes(report))
    assert "| none | 9.00 | 5.00 | 0.00 | 1.00 | 0.00 | 0.00 | 0.00 | 4.00 | 4.00 |" in text
    assert "| piva runs | 2.00 | 1.00 | 3.00 |" in text
    assert "| processes, 1 worker | 25.0 | 1.75 | 3.5 | 2.50 |" in text
    assert "commit c0ffee: harness" in text


def test_workers_are_asked_for_as_on_the_command_line():
    found = contenders((1, 2))
    assert found["processes, 2 workers"] == (["--executor", "processes", "--workers", "2"], 2)
    assert list(found) == ["in-process", "processes, 1 worker", "processes, 2 workers"]


def test_commands_have_all_cores_whatever_this_process_has(monkeypatch):
    seen = []
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setattr("benchmarks.harness_overhead.workers.threads_each", lambda workers: 12 // workers)

    def command(words, env, **options):
        seen.append({env[name] for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")})
        return SimpleNamespace(returncode=3, stderr=b"no such data")

    monkeypatch.setattr("subprocess.run", command)
    with pytest.raises(ConfigError, match="ended with 3: no such data"):
        run_time([], 1, edits=8, steps=2)
    assert seen == [{"12"}]


def test_the_rate_is_of_what_comes_after_the_first_batches():
    assert rate_after_start([30.0, 1.0, 10.0, 20.0], first=2) == 60 * 2 / 20
    with pytest.raises(ConfigError, match=r"2 cases .* more --edits"):
        rate_after_start([1.0, 2.0], first=2)
