"""Runs whose work is done by Ray actors: the same records, whatever becomes of an actor or of its node."""

import importlib.util
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from executor_world import only_run, outcome, updates, updates_told, words
from harness_world import run_record

from benchmarks.executors import ray_cluster, ray_crew
from benchmarks.executors.messages import Failed, Ready
from benchmarks.executors.station import Order
from piva.cli import main
from piva.config import RaySettings
from piva.errors import PreflightError
from piva.records import RunFolder, read_cases, read_run

STORE = 80 * 2**20
TESTS = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def cluster():
    """A head without a core, and two nodes with one each."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in (ray_cluster.QUIET | ray_cluster.AT_OUR_PRIORITY).items():
            patch.setenv(name, value)
        from ray.cluster_utils import Cluster

        head = {"num_cpus": 0, "object_store_memory": STORE, "include_dashboard": False}
        made = Cluster(initialize_head=True, connect=False, head_node_args=head)
        try:
            for _ in range(2):
                made.add_node(num_cpus=1, object_store_memory=STORE)
            yield made
        finally:
            made.shutdown()


def on(cluster):
    return ("--executor", "ray", "--ray.address", cluster.address)


def test_actors_find_what_processes_do(bench, tmp_path, tiny_pipeline_folder, undisturbed, cluster, monkeypatch, capfd):
    """Bit for bit; there is one for each core of the cluster, and the terminal stays as it always is."""
    asked_for, real = [], ray_crew.RayCrew.replace
    monkeypatch.setattr(
        ray_crew.RayCrew, "replace", lambda crew, worker: (asked_for.append(worker), real(crew, worker))
    )
    before = signal.getsignal(signal.SIGTERM)
    assert main(words(bench, tmp_path, tiny_pipeline_folder, *on(cluster))) == 0
    assert outcome(tmp_path) == outcome(undisturbed)
    assert updates(tmp_path) == 3 * 3
    assert asked_for == [0, 1]
    assert len(read_run(only_run(tmp_path)).launches) == 1
    assert signal.getsignal(signal.SIGTERM) is before
    said = capfd.readouterr()
    assert said.out == f"{only_run(tmp_path)}: 6 ok\n"
    assert "ray" not in said.err.replace(str(tmp_path), "").lower()


def test_a_node_that_goes_takes_nothing_with_it(
    bench, tmp_path, tiny_pipeline_folder, undisturbed, cluster, monkeypatch, capfd
):
    """The first worker that is given something loses its node at once, processes and all."""
    import ray

    gone, give = [], ray_crew.RayCrew.give

    def give_and_unplug(crew, worker, plan):
        ask = crew._actors[worker].__ray_call__.remote(lambda _: ray.get_runtime_context().get_node_id())
        own = None if gone else ray.get(ask)
        give(crew, worker, plan)
        for node in list(cluster.worker_nodes):
            if node.node_id == own:
                unplug(cluster, node)
                gone.append(worker)

    monkeypatch.setattr(ray_crew.RayCrew, "give", give_and_unplug)
    assert main(words(bench, tmp_path, tiny_pipeline_folder, *on(cluster), "--workers", "2")) == 0
    assert outcome(tmp_path) == outcome(undisturbed)
    assert f"worker {gone[0]} died (" in capfd.readouterr().err


def unplug(cluster, node) -> None:
    """All processes of a node die at once."""
    for process in psutil.Process(node.all_processes["raylet"][0].process.pid).children(recursive=True):
        process.kill()
    cluster.remove_node(node, allow_graceful=False)


def test_ctrl_c_ends_the_actors_and_the_cluster(bench, tmp_path, tiny_pipeline_folder):
    flags = ("--executor", "ray", "--workers", "1", "--steps", "2000")
    run, log = started(words(bench, tmp_path, tiny_pipeline_folder, *flags), tmp_path)
    while run.poll() is None and not any(updates_told(file) for file in tmp_path.glob("pie-bench/*/steps.csv")):
        time.sleep(0.1)
    theirs = psutil.Process(run.pid).children(recursive=True)
    quiet = [process.environ()["RAY_USAGE_STATS_ENABLED"] for process in theirs if "raylet" in process.name()]
    assert quiet == ["0"]
    os.killpg(run.pid, signal.SIGINT)  # as a terminal does it
    assert run.wait(60) == 130
    psutil.wait_procs(theirs, 10)
    assert [process for process in theirs if process.is_running() and process.status() != "zombie"] == []
    assert "interrupted; what is recorded is kept" in log.read_text()
    assert read_cases(only_run(tmp_path)) == {}


@pytest.mark.slow
def test_a_case_that_kills_its_worker_is_its_error_alone(bench, tmp_path, tiny_pipeline_folder, undisturbed):
    """Five workers, one after another: two die of the batch, two of the case alone."""
    poison = "000000000001"
    environment = {"PYTHONPATH": str(TESTS / "poisoned"), "PIVA_POISON": poison}
    command = words(bench, tmp_path, tiny_pipeline_folder, "--executor", "ray", "--workers", "1")
    run, log = started(command, tmp_path, environment)
    assert run.wait(600) == 1
    ours, theirs = outcome(tmp_path), outcome(undisturbed)
    assert ours.pop(poison)[0] == "error"
    (mate,) = [case for case, (*_, together) in ours.items() if together == 1]
    assert ours.pop(mate)[0] == "ok"
    assert ours == {case: theirs[case] for case in ours}
    assert len(ours) == 4
    record = read_cases(only_run(tmp_path))[poison]
    assert record.error.startswith("WorkerDied: 2 workers died of this case alone; the last one: its worker process")
    assert log.read_text().count("died (its worker process has died)") == 4


def started(command, folder, environment=None):
    """(process in a session of its own, file of what it says)"""
    log = folder / "log"
    with log.open("wb") as file:
        run = subprocess.Popen(
            [sys.executable, "-m", "piva.cli", *command], stderr=file, stdout=file, start_new_session=True,
            env=os.environ | (environment or {}),
        )  # fmt: skip
    return run, log


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


@pytest.mark.parametrize(
    ("address", "code", "sentence"),
    [
        ("127.0.0.1:{port}", 3, "no Ray cluster answers at --ray.address 127.0.0.1:"),
        ("ray://head:10001", 2, "it is auto, or HOST:PORT"),
        ("head", 2, "it is auto, or HOST:PORT"),
    ],
)
def test_a_wrong_address_is_said_at_once(address, code, sentence, bench, tmp_path, capsys):
    flags = ("--executor", "ray", "--ray.address", address.format(port=free_port()))
    began = time.monotonic()
    assert main(words(bench, tmp_path, tmp_path, *flags)) == code
    assert time.monotonic() - began < 30
    assert sentence in capsys.readouterr().err
    assert not (tmp_path / "pie-bench").exists()


def test_without_ray_the_command_says_what_to_install(bench, tmp_path, monkeypatch, capsys):
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *rest: None if name == "ray" else find(name, *rest))
    assert main(words(bench, tmp_path, tmp_path, "--executor", "ray")) == 2
    assert 'pip install "piva[ray]"' in capsys.readouterr().err
    assert not (tmp_path / "pie-bench").exists()


def order(run: Path) -> Order:
    return Order(("pie-bench",), run_record(), run, 1)


def test_a_node_that_does_not_see_the_run_ends_it(tmp_path, monkeypatch):
    """Not there at all, or another machine's folder of the same name."""
    monkeypatch.setattr(ray_crew, "SECONDS_FOR_FILES", 0.3)
    monkeypatch.chdir(tmp_path)
    other = tmp_path / "other"
    with RunFolder(other) as folder:
        folder.write_run(run_record(launches=[]))
    for run in (tmp_path / "run", other):
        (failed,) = ray_crew.Worker(order(run), "cpu", tmp_path).begin()
        assert failed == Failed(
            "preflight",
            f"node {socket.gethostname()} does not see the run in {run / 'run.json'}: every node needs data, weights "
            "and runs under the same paths",
        )


def test_a_worker_works_where_the_command_was_given(tmp_path, monkeypatch):
    """Relative paths of the command mean the same there."""
    monkeypatch.chdir(tmp_path)
    told = []

    class Station:
        def __init__(self, order, device, send):
            told.append((device, Path.cwd()))
            send(Ready())

    monkeypatch.setattr(ray_crew, "Station", Station)
    asked = order(tmp_path / "run")
    with RunFolder(asked.run) as folder:
        folder.write_run(asked.record)
    here = tmp_path / "here"
    (failed,) = ray_crew.Worker(asked, "cuda", here).begin()
    assert failed.why.startswith(f"node {socket.gethostname()} has no folder {here}: ")
    here.mkdir()
    assert list(ray_crew.Worker(asked, "cuda", here).begin()) == [Ready()]
    assert told == [("cuda", here)]


def test_room_for_workers_is_counted_node_by_node():
    nodes = [{"CPU": 5.0, "GPU": 2.0}, {"CPU": 3.0, "GPU": 1.0}, {"CPU": 64.0}, {}]
    assert ray_cluster.places(nodes, 2.0, 0.0) == 2 + 1 + 32
    assert ray_cluster.places(nodes, 1.0, 1.0) == 2 + 1
    assert ray_cluster.places(nodes, 1.0, 0.5) == 4 + 2
    assert ray_cluster.places(nodes, 4.0, 0.5) == 1
    assert ray_cluster.places([{"CPU": 0.3}], 0.1, 0.0) == 3
    assert ray_cluster.places(nodes, 1.0, 4.0) == 0


@pytest.mark.parametrize(
    ("asked", "device", "gpus", "each"),
    [
        (None, "auto", 1.0, 1.0), (None, "cuda", 1.0, 1.0), (None, "cpu", 1.0, 0.0), (None, "auto", 0.0, 0.0),
        (0.25, "auto", 1.0, 0.25), (0.0, "auto", 1.0, 0.0),
    ],
)  # fmt: skip
def test_a_worker_takes_a_gpu_where_there_are_any(asked, device, gpus, each):
    settings = RaySettings(gpus=asked)
    assert ray_cluster.gpus_each(settings, device, [{"CPU": 4.0}, {"CPU": 4.0, "GPU": gpus}]) == each


def test_no_node_for_a_worker_is_said(monkeypatch):
    monkeypatch.setattr(ray_crew, "resources", lambda: [{"CPU": 2.0}])
    crew = ray_crew.RayCrew(order(Path("run")), 3, None, RaySettings(gpus=1.0), "auto")
    with pytest.raises(PreflightError, match="no node of the Ray cluster has 1 CPUs and 1 GPUs for a worker"):
        crew._count()


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (
            "The actor died unexpectedly before finishing this task.\n\tpid: 1\nThe actor is dead because its worker "
            "process has died. Worker exit type: SYSTEM_ERROR Worker exit detail: killed due to high memory usage.",
            "its worker process has died",
        ),
        (
            "The actor is dead because its worker process has died. Worker exit type: NODE_OUT_OF_MEMORY Worker exit",
            "its worker process has died; its node was short of memory",
        ),
        ("The actor 5a is unavailable: RpcError: Socket closed rpc_code: 14.", "it cannot be reached any more"),
        ("Out of everything. The task", "Out of everything"),
        (
            "The actor died because of an error raised in its creation task, \x1b[36mray::Worker()\x1b[39m (pid=1)\n"
            "  File x\nModuleNotFoundError: No module named 'benchmarks'\n",
            "ModuleNotFoundError: No module named 'benchmarks'",
        ),
    ],
)  # fmt: skip
def test_a_death_is_told_in_a_phrase(said, why):
    assert ray_crew.reason(RuntimeError(said)) == why
