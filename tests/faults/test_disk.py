"""A disk that is full, or a folder that is not to be written: exit 3, one sentence, and the rest is done later."""

import os

import pytest
from fault_world import code_of, finish, recorded, run_folder, start, table, wait_for_lines, words


@pytest.mark.parametrize("size", [3000, 12000])
def test_a_file_that_cannot_grow_ends_the_run_and_the_next_goes_on(
    size, bench, tmp_path, tiny_pipeline_folder, undisturbed
):
    """No file may be larger than `size` bytes: records, settings or pictures, one after the other, do not fit."""
    out, log = tmp_path / "runs", tmp_path / "log"
    arguments = words(bench, out, tiny_pipeline_folder, "--tracker", "none")
    assert finish(arguments, log, file_bytes=size) == 3
    assert "cannot write to" in log.read_text()
    recorded(out)
    assert finish(arguments, log) == 0
    assert table(out) == undisturbed


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes where it is forbidden to")
def test_a_folder_that_is_not_to_be_written_is_refused_before_any_work(bench, tmp_path, tiny_pipeline_folder):
    out, log = tmp_path / "runs", tmp_path / "log"
    out.mkdir(mode=0o500)
    assert finish(words(bench, out, tiny_pipeline_folder), log) == 3
    assert f"cannot write to {out}" in log.read_text()


def test_a_run_folder_that_goes_away_ends_the_run(bench, tmp_path, tiny_pipeline_folder, undisturbed):
    out, log = tmp_path / "runs", tmp_path / "log"
    arguments = words(bench, out, tiny_pipeline_folder, "--tracker", "none")
    process = start(arguments, log)
    wait_for_lines(out, 1, process)
    folder = run_folder(out)
    folder.rename(tmp_path / "moved")
    (out / "pie-bench").rmdir()
    (out / "pie-bench").write_text("")  # so that it cannot come back
    assert code_of(process) == 3
    assert "cannot write to" in log.read_text()
    (out / "pie-bench").unlink()
    (out / "pie-bench").mkdir()
    (tmp_path / "moved").rename(folder)
    before = recorded(out)
    assert before
    assert finish(arguments, log) == 0
    assert table(out) == undisturbed
