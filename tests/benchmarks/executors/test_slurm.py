"""Runs by jobs of a cluster: processes of this machine stand for it, and a sbatch that starts some."""

import os
import signal
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from harness_world import write_bench

from piva.cli import main
from piva.errors import MachineError
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


def test_a_killed_job_is_said_and_the_same_command_does_the_rest(
    bench, tmp_path, tiny_pipeline_folder, in_process, capfd
):
    command = words(bench, tmp_path, tiny_pipeline_folder, *LOCAL)
    killer = threading.Thread(target=kill_first_shard, args=(tmp_path,))
    killer.start()
    assert main(command) == 1
    killer.join()
    said = capfd.readouterr()
    assert "submitted 2 jobs" in said.err
    assert "(shard 1/2) is gone without a word" in said.err
    assert "the same command submits what is missing" in said.err
    done = len(read_cases(only_run(tmp_path)))
    assert 2 <= done < 6
    assert f"{done} ok" in said.out
    assert main(command) == 0
    assert "submitted 1 jobs" in capfd.readouterr().err
    assert scores(tmp_path) == pytest.approx(in_process, rel=0.01, abs=1e-3)


def kill_first_shard(out: Path) -> None:
    """As soon as its job has begun."""
    end = time.monotonic() + 300
    while not list(out.glob("pie-bench/*/shards/1-of-2/run.json")) and time.monotonic() < end:
        time.sleep(0.05)
    os.kill(writer_of(out, "1/2"), signal.SIGKILL)


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


SBATCH = """
import os, re, subprocess, sys
cluster, file = os.environ["FAKE_CLUSTER"], sys.argv[1]
with open(cluster + "/submitted", "a") as log:
    log.write(open(file).read())
last = re.search(r"--array=0-(\\d+)", open(file).read())
for index in range(int(last[1]) + 1 if last else 1):
    ids = {"SLURM_JOB_ID": str(77 + index), "SLURM_ARRAY_JOB_ID": "77", "SLURM_ARRAY_TASK_ID": str(index)}
    alone = {"SLURM_JOB_ID": "77"}
    places = dict.fromkeys(("SLURM_NODEID", "SLURM_PROCID", "SLURM_LOCALID"), "0")
    env = os.environ | (ids if last else alone) | places | {"SLURM_NTASKS": "1", "SLURM_JOB_NUM_NODES": "1"}
    job = f"until [ -e {cluster}/go ]; do sleep 0.1; done; bash {file}; touch {cluster}/ended-{index}"
    silent = dict(stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    subprocess.Popen(["timeout", "100", "bash", "-c", job], env=env, start_new_session=True, **silent)
print("Submitted batch job 77")
"""
SRUN = """
import os, sys
words = sys.argv[1:]
name = "_".join(os.environ[key] for key in ("SLURM_ARRAY_JOB_ID", "SLURM_ARRAY_TASK_ID"))
for number, option in ((1, "--output"), (2, "--error")):
    path = words[words.index(option) + 1].replace("%A_%a", name).replace("%t", "0")
    os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND), number)
words = words[words.index("--error") + 2:]
os.execvp(words[0], words)
"""
SACCT = """
import os
cluster = os.environ["FAKE_CLUSTER"]
print("JobID|State|NodeList")
for index in range(2):
    begun, ended = os.path.exists(cluster + "/go"), os.path.exists(f"{cluster}/ended-{index}")
    print(f"77_{index}|{'COMPLETED' if ended else 'RUNNING' if begun else 'PENDING'}|here")
"""


@pytest.fixture
def cluster(tmp_path, monkeypatch):
    """Folder of a cluster whose jobs wait for a file `go` in it, and of a log of what was submitted."""
    folder = tmp_path / "cluster"
    folder.mkdir()
    for name, program in (("sbatch", SBATCH), ("srun", SRUN), ("sacct", SACCT)):
        (folder / name).write_text(f"#!{sys.executable}\n{program}")
        (folder / name).chmod(0o755)
    monkeypatch.setenv("FAKE_CLUSTER", str(folder))
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    return folder


def test_two_jobs_stay_in_the_queue_after_ctrl_c_and_the_same_command_follows_them(
    bench, tmp_path, tiny_pipeline_folder, in_process, cluster, monkeypatch, capfd
):
    asked = ("--slurm.partition", "short", "--slurm.hours", "1.5", "--slurm.options", "account=vision", "exclusive")
    command = words(bench, tmp_path, tiny_pipeline_folder, "--executor", "slurm", "--workers", "2", *asked)
    with monkeypatch.context() as patch:
        patch.setattr("benchmarks.executors.slurm.Array.look", interrupted)
        assert main(command) == 130
    said, run = capfd.readouterr().err, only_run(tmp_path)
    assert "squeue -j 77; stop them: scancel 77" in said
    assert f"piva merge {run}" in said
    script = (cluster / "submitted").read_text()
    for option in ("partition=short", "time=90", "account=vision", "exclusive", "array=0-1%2", "cpus-per-task=4"):
        assert f"#SBATCH --{option}\n" in script
    assert "RUNNING" not in said
    (cluster / "go").touch()
    assert main(command) == 0
    said = capfd.readouterr()
    assert "2 jobs (77_0, 77_1) of an earlier command are in the queue" in said.err
    assert "6 of 6 cases recorded; jobs: 2 done" in said.err
    assert f"{run}: 6 ok" in said.out
    assert (cluster / "submitted").read_text() == script
    assert scores(tmp_path) == pytest.approx(in_process, rel=0.01, abs=1e-3)
    launches = read_run(run).launches
    assert [len(launch.planned) for launch in launches] in ([4, 2], [2, 4])
    assert all("--shard" in launch.provenance.command for launch in launches)
    assert not (run / "shards").exists()
    assert main(command) == 0  # and nothing is left to submit
    assert "submitted" not in capfd.readouterr().err
    assert len(read_run(run).launches) == 2


def interrupted(array):
    raise KeyboardInterrupt


def test_jobs_of_one_seed_are_named_where_those_of_the_next_are_refused(
    bench, tmp_path, tiny_pipeline_folder, cluster, monkeypatch, capfd
):
    from benchmarks.executors import slurm

    begin = slurm._begin

    def refused(runs, seed, words):
        if seed == 1:
            raise MachineError("the jobs cannot be submitted: QOSMaxSubmitJobPerUserLimit")
        return begin(runs, seed, words)

    monkeypatch.setattr(slurm, "_begin", refused)
    flags = ("--executor", "slurm", "--workers", "2", "--seeds", "0", "1")
    assert main(words(bench, tmp_path, tiny_pipeline_folder, *flags)) == 3
    said = capfd.readouterr().err
    assert "QOSMaxSubmitJobPerUserLimit" in said
    assert "squeue -j 77; stop them: scancel 77" in said


@pytest.mark.parametrize(
    ("flags", "code", "sentence"),
    [
        ((), 3, "there is no Slurm on this machine (no sbatch)"),
        (("--shard", "1/2"), 2, "--shard with --executor slurm: each of its jobs does a shard already"),
    ],
)
def test_what_is_wrong_is_said_before_any_work(flags, code, sentence, bench, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert main(words(bench, tmp_path / "runs", "no-such-model", "--executor", "slurm", *flags)) == code
    assert sentence in capsys.readouterr().err
    assert not (tmp_path / "runs").exists()


def test_without_submitit_it_is_said_how_to_install_it(bench, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("benchmarks.executors.slurm_jobs.find_spec", lambda name: None)
    assert main(words(bench, tmp_path / "runs", "no-such-model", "--executor", "slurm")) == 2
    assert 'pip install "piva[slurm]"' in capsys.readouterr().err


def test_a_dry_run_shows_the_jobs_and_what_sbatch_would_get(bench, tmp_path, tiny_pipeline_folder, monkeypatch, capsys):
    monkeypatch.setenv("PATH", str(tmp_path))
    flags = ("--executor", "slurm", "--seeds", "0", "1", "--slurm.gpus", "2", "--dry-run")
    assert main(words(bench, tmp_path / "runs", tiny_pipeline_folder, *flags)) == 0
    said = capsys.readouterr().out
    assert said.count("an array of 3 jobs") == 2  # of three batches
    assert "2 cases: piva run pie-bench" in said
    assert "--executor in-process --seeds 1 --shard 3/3" in said
    assert said.count("#SBATCH --array=0-2%3") == said.count("#SBATCH --gpus-per-node=2") == 2
    assert not list(tmp_path.glob("runs/*/*"))


def test_a_job_that_is_told_to_stop_ends_as_with_ctrl_c(monkeypatch):
    """And does not take it for an error of the case that it is at."""
    from benchmarks.executors.slurm_jobs import do_shard

    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR2)}
    caught = []

    def work(words):
        try:
            os.kill(os.getpid(), signal.SIGUSR2)
            time.sleep(5)
        except KeyboardInterrupt:
            os.kill(os.getpid(), signal.SIGUSR2)  # once is enough
            caught.append(words)
        return 130

    monkeypatch.setattr("piva.cli.main", work)
    monkeypatch.setattr("torch.set_num_threads", caught.append)
    monkeypatch.setattr(sys, "argv", sys.argv)
    try:
        assert do_shard(["run"], 3) == 130
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    assert caught == [3, ["run"]]


def test_why_a_job_is_not_through_is_said_in_its_own_words(tmp_path):
    from benchmarks.executors.slurm_jobs import ShardJob

    log = tmp_path / "log"
    log.write_text("something\npiva: the disk is full\n")
    for code, why in ((0, None), (1, None), (3, "ended with 3: piva: the disk is full")):
        job = SimpleNamespace(result=lambda code=code: code, paths=SimpleNamespace(stderr=log))
        assert ShardJob("1/2", job).trouble() == why
