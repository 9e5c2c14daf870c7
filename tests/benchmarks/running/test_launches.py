"""A launch in a run's record: added before any work, completed after it however it ended."""

import pytest
from harness_world import case_record, run_record, use_plain_world, write_bench

from benchmarks.running.launches import ended, launched
from piva.cli import main
from piva.config import ExecutionFlags
from piva.data.pie_bench import read
from piva.records import RunFolder, read_cases, read_run


@pytest.fixture
def cases(tmp_path):
    return read(write_bench(tmp_path / "bench", n=3))


def test_a_launch_is_added_to_those_before(tmp_path, cases):
    flags = ExecutionFlags(executor="processes", workers=2, overwrite="retry-errors")
    with RunFolder(tmp_path / "run") as folder:
        before = len(run_record().launches)
        folder.write_run(run_record())
        record = launched(run_record().model_copy(update={"launches": []}), folder.path, cases, 4, "cpu", flags)
    assert len(record.launches) == before + 1
    last = record.launches[-1]
    assert (last.executor, last.workers, last.shard, last.overwrite) == ("processes", 2, None, "retry-errors")
    assert (last.planned, last.batch_size) == ([case.id for case in cases], 4)
    assert (last.ended, last.seconds, last.peak_bytes) == (None, None, None)


def test_scoring_alone_has_no_executor(tmp_path, cases):
    last = launched(run_record(), tmp_path, cases, 1, "cpu").launches[-1]
    assert (last.executor, last.overwrite) == (None, None)


def test_its_end_is_written_with_the_most_memory_of_its_own_cases(tmp_path, cases):
    with RunFolder(tmp_path) as folder:
        folder.write_run(run_record())
        record = launched(run_record(), tmp_path, cases, 4, "cpu", ExecutionFlags())
        folder.write_run(record)
        now = len(record.launches) - 1
        for id_, number, peak in (("a", now - 1, 900), ("b", now, 300), ("c", now, 500), ("d", now, None)):
            folder.append(case_record(id_, launch=number, peak_bytes=peak))
        folder.append(case_record("scored", launch=now, peak_bytes=800))  # of the edit, which was made before
        assert ended(record, folder, 12.5, {"a", "b", "c", "d"}) == read_run(tmp_path)
    *earlier, last = read_run(tmp_path).launches
    assert earlier == record.launches[:-1]
    assert (last.seconds, last.peak_bytes) == (12.5, 500)
    assert last.ended >= last.started


def test_every_launch_of_a_command_ends(tmp_path, monkeypatch):
    """One that Ctrl-C stops, one with an error, and one that gets through."""

    def stop(inputs, on_step):
        raise KeyboardInterrupt

    def fail(inputs, on_step):
        raise RuntimeError("no luck")

    root = write_bench(tmp_path / "bench", n=4)
    arguments = ["run", "pie-bench", "--root", str(root), "--method", "dds", "--batch-size", "2", "--limit", "4"]
    arguments += ["--out", str(tmp_path / "runs"), "--tracker", "none", "--overwrite", "retry-errors"]
    codes = []
    for edit in (stop, fail, None):
        use_plain_world(monkeypatch, edit=edit)
        codes.append(main(arguments))
        monkeypatch.undo()
    assert codes == [130, 1, 0]
    (folder,) = (tmp_path / "runs" / "pie-bench").iterdir()
    launches = read_run(folder).launches
    assert [(one.executor, one.overwrite) for one in launches] == [("in-process", "retry-errors")] * 3
    assert all(one.ended is not None and one.seconds > 0 for one in launches)
    assert [case.status for case in read_cases(folder).values()] == ["ok"] * 4
