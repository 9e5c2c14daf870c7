"""Runs whose work is done by processes of their own: the same records, whatever becomes of a worker."""

import multiprocessing
import threading
import time
from pathlib import Path

import pytest
from executor_world import TWO, only_run, outcome, updates, words

from benchmarks.executors import threads_each
from piva.cli import main
from piva.records import read_run


def test_two_processes_find_what_one_does(bench, tmp_path, tiny_pipeline_folder, undisturbed):
    assert main(words(bench, tmp_path, tiny_pipeline_folder)) == 0
    theirs, ours = outcome(undisturbed), outcome(tmp_path)
    assert ours.keys() == theirs.keys()
    for case_id, (status, _, metrics, batch) in ours.items():
        assert (status, batch) == (theirs[case_id][0], theirs[case_id][3]) == ("ok", 2)
        scored = {name: value for name, value in metrics.items() if value is not None}
        assert scored == pytest.approx({name: theirs[case_id][2][name] for name in scored}, rel=0.01, abs=1e-3)
        assert scored["psnr"] > 0
    assert updates(tmp_path) == updates(undisturbed) == 3 * 3  # three steps of three batches
    assert len(read_run(only_run(undisturbed)).launches) == 1


def test_what_a_dead_worker_held_is_done_by_another(bench, tmp_path, tiny_pipeline_folder, undisturbed, capfd):
    killed = []
    killer = threading.Thread(target=kill_workers, args=(tmp_path, killed))
    killer.start()
    assert main(words(bench, tmp_path, tiny_pipeline_folder, *TWO)) == 0
    killer.join()
    assert len(killed) == 2
    assert outcome(tmp_path) == outcome(undisturbed)
    assert "died (signal SIGKILL)" in capfd.readouterr().err


def kill_workers(out: Path, killed: list[int]) -> None:
    """All of this process, as soon as the first batch is recorded."""
    end = time.monotonic() + 300
    while time.monotonic() < end and not killed:
        time.sleep(0.01)
        found = list(out.glob("pie-bench/*/cases.jsonl"))
        if found and found[0].read_bytes().count(b"\n") >= 2:
            for worker in multiprocessing.active_children():
                worker.kill()
                killed.append(worker.pid)


@pytest.mark.parametrize(
    ("flags", "code", "sentence"),
    [
        (("--shard", "3/2"), 2, "--shard 3/2: of 2 shards the last is 2/2"),
        (("--shard", "0/2"), 2, "--shard"),
    ],
)
def test_what_is_wrong_is_said(flags, code, sentence, bench, tmp_path, tiny_pipeline_folder, capsys):
    assert main(words(bench, tmp_path, tiny_pipeline_folder, *flags)) == code
    assert sentence in capsys.readouterr().err


def test_a_worker_that_cannot_begin_ends_the_run(bench, tmp_path, tiny_pipeline_folder, capsys):
    """The owner reads configurations alone; that a weight is gone is found by its workers."""
    import shutil

    broken = tmp_path / "broken"
    shutil.copytree(tiny_pipeline_folder, broken)
    (weights,) = (broken / "unet").glob("*.safetensors")
    weights.write_bytes(weights.read_bytes()[:1000])
    code = main(words(bench, tmp_path / "runs", broken, "--executor", "processes", "--workers", "1"))
    assert code == 3
    assert "cannot load the prior" in capsys.readouterr().err


def test_one_worker_works_with_the_threads_that_this_process_has(monkeypatch):
    monkeypatch.setattr("torch.get_num_threads", lambda: 6)
    assert [threads_each(workers) for workers in (1, 2, 4, 7)] == [6, 3, 1, 1]
