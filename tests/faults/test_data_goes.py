"""The benchmark's folder while a run works on it: never written, and what it loses is its cases' loss."""

import os
import stat

import pytest
from fault_world import code_of, finish, recorded, start, table, wait_for_lines, words
from harness_world import write_bench


def test_a_folder_that_may_only_be_read_is_enough(tmp_path, tiny_pipeline_folder, undisturbed):
    bench = write_bench(tmp_path / "bench", n=8, size=32)
    before = {path: path.stat().st_mtime_ns for path in bench.rglob("*")}
    for path in (bench, *bench.rglob("*")):
        path.chmod(stat.S_IRUSR | (stat.S_IXUSR if path.is_dir() else 0))
    out, log = tmp_path / "runs", tmp_path / "log"
    assert finish(words(bench, out, tiny_pipeline_folder), log) == 0
    assert table(out) == undisturbed
    for path in (bench, *bench.rglob("*")):
        path.chmod(stat.S_IRWXU)
    assert {path: path.stat().st_mtime_ns for path in bench.rglob("*")} == before  # root writes where it may not


def test_data_that_vanish_cost_their_cases_and_come_back(tmp_path, tiny_pipeline_folder, undisturbed):
    bench = write_bench(tmp_path / "bench", n=8, size=32)
    out, log = tmp_path / "runs", tmp_path / "log"
    arguments = words(bench, out, tiny_pipeline_folder)
    process = start(arguments, log)
    wait_for_lines(out, 1, process)
    os.rename(bench, tmp_path / "elsewhere")
    assert code_of(process) == 1
    found = table(out)
    lost = {id_ for id_, case in found.items() if case[0] == "error"}
    assert lost
    assert {found[id_][1] for id_ in lost} <= {"load", "score"}
    assert_same_scores(found, undisturbed, set(found) - lost)
    os.rename(tmp_path / "elsewhere", bench)
    assert recorded(out) == set(undisturbed)
    assert finish([*arguments, "--overwrite", "retry-errors"], log) == 0
    found = table(out)
    assert [case[0] for case in found.values()] == ["ok"] * 8
    assert_same_scores(found, undisturbed, set(found))


def assert_same_scores(found, undisturbed, ids):
    """Within float tolerance: a case whose batch mate is lost, or that is tried again, is edited alone."""
    for id_ in ids:
        scored = {name: value for name, value in found[id_][3].items() if value is not None}
        assert scored == pytest.approx({name: undisturbed[id_][3][name] for name in scored}, rel=0.01, abs=1e-3)
