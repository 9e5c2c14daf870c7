"""Files of a run that were cut short or changed between two launches."""

import pytest
from fault_world import finish, lines_of, recorded, run_folder, table, words


@pytest.fixture
def run(bench, tmp_path, tiny_pipeline_folder):
    """(arguments, log, folder) of a finished run."""
    out, log = tmp_path / "runs", tmp_path / "log"
    arguments = words(bench, out, tiny_pipeline_folder, "--tracker", "none")
    assert finish(arguments, log) == 0
    return arguments, log, run_folder(out)


def test_a_torn_last_line_is_done_again(run, undisturbed):
    arguments, log, folder = run
    records = folder / "cases.jsonl"
    records.write_bytes(records.read_bytes()[:-100])
    assert len(recorded(folder.parents[1])) == 7
    assert finish(arguments, log) == 0
    assert table(folder.parents[1]) == undisturbed
    assert len(lines_of(folder.parents[1])) == 8


def test_a_picture_cut_short_is_edited_again(run, undisturbed):
    arguments, log, folder = run
    picture = sorted((folder / "images").iterdir())[3]
    picture.write_bytes(picture.read_bytes()[:-20])
    assert finish(arguments, log) == 0
    assert "1 of 8 cases to edit" in log.read_text()
    assert table(folder.parents[1]) == undisturbed


def test_a_damaged_line_is_named_and_nothing_is_overwritten(run):
    arguments, log, folder = run
    records = folder / "cases.jsonl"
    lines = records.read_bytes().splitlines(keepends=True)
    lines[2] = b"{" + lines[2]
    records.write_bytes(b"".join(lines))
    assert finish(arguments, log) == 2
    assert "cases.jsonl, line 3 is damaged" in log.read_text()
    assert records.read_bytes() == b"".join(lines)


def test_a_run_file_cut_short_is_named(run):
    arguments, log, folder = run
    (folder / "cases.jsonl").write_bytes((folder / "cases.jsonl").read_bytes()[:-1])  # so that there is work to do
    (folder / "run.json").write_bytes((folder / "run.json").read_bytes()[:200])
    assert finish(arguments, log) == 2
    assert "run.json is damaged" in log.read_text()
