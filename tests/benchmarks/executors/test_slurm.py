"""Runs by jobs of a cluster: processes of this machine stand for it, and a sbatch that starts some."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from harness_world import write_bench

from piva.cli import main
from piva.records import read_cases, read_run

pytest.importorskip("submitit")

FLAGS = ("--method", "dds", "--steps", "3", "--batch-size", "2", "--tracker", "none")
LOCAL = ("--executor", "slurm", "--slurm.cluster", "local", "--workers", "2", "--slurm.gpus", "0")


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    return write_bench(tmp_path_factory.mktemp("data") / "bench", n=6, size=32)


@pytest.fixture(autouse=True)
def _no_waiting_for_results(monkeypatch):
    """submitit waits a quarter of a minute for what a job that was killed has not left."""
    monkeypatch.setattr("submitit.core.core.Job._results_timeout_s", 0)


def words(bench, out, prior, *flags):
    return ["run", "pie-bench", "--root", str(bench), "--out", str(out), "--prior.model", str(prior), *FLAGS, *flags]


def only_run(out: Path) -> Path:
    (path,) = (out / "pie-bench").iterdir()
    return path


def scores(out: Path) -> dict:
    """Case and score -> value; all cases have ended well, in batches of two."""
    cases = read_cases(only_run(out)).values()
    assert {(case.status, case.batch) for case in cases} == {("ok", 2)}
    return {(case.case_id, name): v for case in cases for name, v in case.metrics.items() if v is not None}


@pytest.fixture(scope="module")
def in_process(bench, tmp_path_factory, tiny_pipeline_folder):
    """What one process finds."""
    out = tmp_path_factory.mktemp("in-process")
    assert main(words(bench, out, tiny_pipeline_folder)) == 0
    return scores(out)


def test_two_jobs_find_what_one_process_does(bench, tmp_path, tiny_pipeline_folder, in_process, capfd):
    command = words(bench, tmp_path, tiny_pipeline_folder, *LOCAL)
    assert main(command) == 0
    assert scores(tmp_path) == pytest.approx(in_process, rel=0.01, abs=1e-3)
    said, run = capfd.readouterr(), only_run(tmp_path)
    assert "submitted 2 jobs" in said.err
    assert "6 of 6 cases recorded; jobs: 2 done" in said.err
    assert f"{run}: 6 ok" in said.out
    launches = read_run(run).launches
    assert [len(launch.planned) for launch in launches] in ([4, 2], [2, 4])
    assert all("--shard" in launch.provenance.command for launch in launches)
    assert not (run / "shards").exists()
    assert main(command) == 0  # and nothing is left to submit
    assert "submitted" not in capfd.readouterr().err
    assert len(read_run(run).launches) == 2


def test_a_killed_job_is_said_and_the_same_command_does_the_rest(bench, tmp_path, tiny_pipeline_folder, in_process):
    command = [sys.executable, "-m", "piva.cli", *words(bench, tmp_path, tiny_pipeline_folder, *LOCAL)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as run:
        while not list(tmp_path.glob("pie-bench/*/shards/1-of-2/run.json")):
            assert run.poll() is None
            time.sleep(0.05)
        os.kill(writer_of(tmp_path, "1/2"), signal.SIGKILL)
        out, err = run.communicate()
    assert run.returncode == 1
    assert "(shard 1/2) is gone without a word" in err
    assert "the same command submits what is missing" in err
    done = len(read_cases(only_run(tmp_path)))
    assert 2 <= done < 6
    assert f"{done} ok" in out
    again = subprocess.run(command, capture_output=True, text=True)
    assert again.returncode == 0
    assert "submitted 1 jobs" in again.stderr
    assert scores(tmp_path) == pytest.approx(in_process, rel=0.01, abs=1e-3)


def writer_of(out: Path, shard: str) -> int:
    """The process that does a shard."""
    for process in Path("/proc").glob("[0-9]*"):
        try:
            said = (process / "cmdline").read_bytes().decode()
            files = {os.readlink(file) for file in (process / "fd").iterdir()}
        except OSError:
            continue
        if "submitit" in said and any(f"/shards/{shard.replace('/', '-of-')}/" in file for file in files):
            return int(process.name)
    raise AssertionError(f"nobody does shard {shard}")
