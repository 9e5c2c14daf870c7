"""piva sweep run: what is missing or failed is done, once, by whoever comes; what is true stands on the disk."""

import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from harness_world import write_bench
from sweep_world import CASES, GRID, loss, run_folders, sweep, use_sweep_world, write_sweep

from benchmarks.sweeps.board import Board
from benchmarks.sweeps.crew import Crew, gpus_from, threads_each
from benchmarks.sweeps.schema import read_sweep
from piva.errors import MachineError, PreflightError
from piva.interrupts import interruptible
from piva.records import RunFolder, read_cases, read_run

PROGRAM = """
import sys, time
sys.path.insert(0, {tests!r})
import pytest
from pathlib import Path
from sweep_world import die_at, sweep, use_sweep_world
use_sweep_world(pytest.MonkeyPatch(), {before})
sys.exit(sweep("run", Path({file!r})))
"""


def start(file, before="lambda guidance, inputs: None"):
    tests = str(Path(__file__).resolve().parents[1])
    program = PROGRAM.format(tests=tests, file=str(file), before=before)
    return subprocess.Popen([sys.executable, "-c", program], stderr=subprocess.PIPE, text=True)


def states(file, out=None, seed=0):
    board = Board(read_sweep(file), out or file.parent / "runs", seed)
    return [point.state for point in board.all()]


def outcome(file):
    """Run -> (case, image, scores) of its lines."""
    return {
        folder.name: [(case.case_id, case.image_sha256, case.metrics) for case in read_cases(folder).values()]
        for folder in run_folders(file)
    }


@pytest.fixture
def file(tmp_path, monkeypatch):
    use_sweep_world(monkeypatch)
    return write_sweep(tmp_path)


def test_a_grid_is_done_and_nothing_is_done_twice(file, capsys):
    assert sweep("run", file) == 0
    said = capsys.readouterr()
    assert "3 points: 3 done" in said.out
    assert [len(read_cases(folder)) for folder in run_folders(file)] == [CASES] * 3
    found = {read_run(folder).settings["guidance"]: read_cases(folder) for folder in run_folders(file)}
    for guidance, cases in found.items():
        mean = sum(case.metrics["mse"] for case in cases.values()) / CASES
        assert mean == pytest.approx(loss(guidance) + 0.03, abs=1 / 255)
    command = read_run(run_folders(file)[0]).launches[0].provenance.command
    assert command.startswith("piva run pie-bench --root ")
    assert "--method.guidance=" in command
    assert sweep("run", file) == 0
    assert "point " not in capsys.readouterr().err
    assert [len(read_run(folder).launches) for folder in run_folders(file)] == [1] * 3


def test_a_worker_killed_in_the_middle_is_followed_by_another(file, tmp_path):
    killed = start(file, "die_at(3)")  # the second batch of the second point
    assert killed.wait() == -signal.SIGKILL
    assert states(file) == ["done", "missing", "missing"]
    assert sorted(len(lines) for lines in outcome(file).values()) == [2, 4]
    assert sweep("run", file) == 0
    (tmp_path / "whole").mkdir()
    write_bench(tmp_path / "whole" / "bench")
    whole = write_sweep(tmp_path / "whole")
    assert sweep("run", whole) == 0
    assert outcome(file) == outcome(whole)
    assert sorted(len(read_run(folder).launches) for folder in run_folders(file)) == [1, 1, 2]


def test_two_workers_share_the_points(tmp_path, monkeypatch):
    use_sweep_world(monkeypatch)
    file = write_sweep(tmp_path, "  method.guidance: {values: [1, 2, 3, 4, 5, 6]}\n")
    slow = "lambda guidance, inputs: time.sleep(0.3)"
    workers = [start(file, slow), start(file, slow)]
    said = [worker.communicate()[1] for worker in workers]
    assert states(file) == ["done"] * 6
    assert [len(read_run(folder).launches) for folder in run_folders(file)] == [1] * 6
    assert [len(lines) for lines in outcome(file).values()] == [CASES] * 6
    taken = [text.count("piva run pie-bench") for text in said]
    assert sum(taken) == 6
    assert min(taken) >= 1


def test_a_failed_point_is_tried_again_by_the_next_run_only(tmp_path, monkeypatch, capsys):
    tries = []

    def before(guidance, inputs):
        tries.append(guidance)
        if guidance == 3 and len(tries) < 100:
            raise RuntimeError("no luck")

    use_sweep_world(monkeypatch, before)
    file = write_sweep(tmp_path)
    assert sweep("run", file) == 1
    assert "3 points: 2 done, 1 failed" in capsys.readouterr().out
    assert tries.count(3) == 2 + CASES  # both batches, then each case alone
    assert states(file) == ["done", "failed", "done"]
    assert sweep("status", file) == 1
    assert "RuntimeError: no luck (and 3 more)" in " ".join(capsys.readouterr().out.split())
    tries += [0] * 100
    assert sweep("run", file) == 0
    assert tries.count(1) == 2  # the points that were done were left alone


def test_a_point_that_breaks_is_noted_and_the_others_are_done(file, monkeypatch, capsys):
    import benchmarks.pictures.launch as launch

    real = launch.plan_run

    def plan_run(path, record, *rest):
        if record.settings["guidance"] == 1:
            raise ValueError("a broken point")
        return real(path, record, *rest)

    monkeypatch.setattr(launch, "plan_run", plan_run)
    assert sweep("run", file) == 1
    assert "2 done, 1 failed" in capsys.readouterr().out
    sweep("status", file)
    assert "ValueError: a broken point" in " ".join(capsys.readouterr().out.split())


def test_a_run_that_somebody_else_has_open_is_left_to_him(file, capsys):
    sweep("run", file)
    folder = run_folders(file)[0]
    lines = (folder / "cases.jsonl").read_bytes().splitlines(keepends=True)
    (folder / "cases.jsonl").write_bytes(b"".join(lines[:-1]))
    with RunFolder(folder):
        assert states(file).count("running") == 1
        assert sweep("run", file) == 1
        assert sweep("status", file) == 1
    said = capsys.readouterr()
    assert "2 done, 1 running" in said.out
    assert sweep("run", file) == 0


def test_points_that_share_a_run_are_done_one_after_another(tmp_path, monkeypatch, capsys):
    use_sweep_world(monkeypatch)
    file = write_sweep(tmp_path, "  method.guidance: {values: [1, 3]}\n  type: {values: [[0], [1]]}\n")
    board = Board(read_sweep(file), tmp_path / "runs", 0)
    with board.ledger.claim(1, board.points()[1]):  # somebody has type 1 of the first run
        assert sweep("run", file) == 1
        assert states(file) == ["missing", "running", "done", "done"]
    assert sweep("run", file) == 0
    assert [len(read_cases(folder)) for folder in run_folders(file)] == [2, 2]
    assert capsys.readouterr().out.count("1 ok") == 4


def test_status_needs_no_journal_and_no_ledger(file, capsys):
    sweep("run", file)
    (ledger,) = (file.parent / "runs").glob("sweep-*")
    shutil.rmtree(ledger)
    capsys.readouterr()
    assert sweep("status", file) == 0
    said = capsys.readouterr().out
    assert "3 points: 3 done" in said
    assert said.count("4/4") == 3
    assert not ledger.exists()  # looking writes nothing


def test_ctrl_c_ends_cleanly_and_the_same_command_goes_on(tmp_path, monkeypatch, capsys):
    def before(guidance, inputs):
        if guidance == 3:
            raise KeyboardInterrupt

    use_sweep_world(monkeypatch, before)
    file = write_sweep(tmp_path)
    assert sweep("run", file) == 130
    said = capsys.readouterr()
    assert "the same command goes on" in said.err
    assert "3 points: 1 done, 2 missing" in said.out
    use_sweep_world(monkeypatch)
    assert sweep("run", file) == 0


def test_a_sweep_ends_when_its_target_is_reached(tmp_path, monkeypatch, capsys):
    use_sweep_world(monkeypatch)
    file = write_sweep(tmp_path, "  method.guidance: {values: [1, 3, 6]}\n")
    file.write_text(file.read_text().replace("goal: minimize", "goal: minimize, target: 0.04"))
    assert sweep("run", file) == 0
    assert "3 points: 2 done, 1 missing" in capsys.readouterr().out


def without_weights(monkeypatch, *models_that_are_not_here):
    """Facts of these priors are not to be had; the set of them, to be changed."""
    from benchmarks import models

    absent, facts = set(models_that_are_not_here), models.prior_facts

    def prior_facts(config, method=None):
        if config.model in absent:
            raise PreflightError(f"{config.model!r} is neither a folder nor a model on this machine")
        return facts(config, method)

    monkeypatch.setattr(models, "prior_facts", prior_facts)
    return absent


def test_a_point_without_its_weights_has_failed_and_the_others_are_done(tmp_path, monkeypatch, capsys):
    use_sweep_world(monkeypatch)
    absent = without_weights(monkeypatch, "nowhere")
    file = write_sweep(tmp_path, "  prior.model: {values: [nowhere, toybox]}\n  method.guidance: {value: 3}\n")
    assert sweep("run", file) == 1
    assert "1 done, 1 failed" in capsys.readouterr().out
    for command in ("status", "table", "best"):
        sweep(command, file)
    assert "'nowhere' is neither a folder nor a model" in " ".join(capsys.readouterr().out.split())
    absent.clear()  # somebody fetched them
    assert sweep("run", file) == 0


def test_where_no_point_can_be_run_here_that_is_said_before_any_work(file, monkeypatch, capsys):
    without_weights(monkeypatch, "toybox")
    assert sweep("run", file) == 3
    assert "3 points cannot be run, the first of them: 'toybox' is neither" in capsys.readouterr().err


@pytest.mark.parametrize(("error", "code", "done"), [(PreflightError, 1, 2), (MachineError, 3, 0)])
def test_a_worker_goes_on_unless_the_machine_is_at_fault(error, code, done, file, monkeypatch):
    import benchmarks.pictures.launch as launch

    real = launch.plan_run

    def plan_run(path, record, *rest):
        if record.settings["guidance"] == 1:
            raise error("the disk is full, say")
        return real(path, record, *rest)

    monkeypatch.setattr(launch, "plan_run", plan_run)
    assert sweep("run", file) == code
    assert states(file).count("done") == done


def test_what_is_wrong_is_said_before_any_work(tmp_path, monkeypatch, capsys):
    use_sweep_world(monkeypatch)
    file = write_sweep(tmp_path, "  method.guidance: {min: 1.0, max: 5.0}\n", method="random")
    assert sweep("run", file) == 2
    assert "how many points? method random has no end of its own: run_cap: N" in capsys.readouterr().err
    file = write_sweep(tmp_path, "  method.guidance: {values: [1, many]}\n")
    assert sweep("run", file) == 2
    assert "1 points cannot be run" in capsys.readouterr().err
    assert not (tmp_path / "runs" / "pie-bench").exists()


def test_a_grid_has_no_more_points_than_it_has(file, capsys):
    assert sweep("run", file, "--max-runs", "10") == 0
    assert "3 points: 3 done" in capsys.readouterr().out


def test_random_points_are_the_same_every_time(tmp_path, monkeypatch):
    use_sweep_world(monkeypatch)
    file = write_sweep(tmp_path, "  method.guidance: {min: 1.0, max: 5.0}\n", method="random")
    assert sweep("run", file, "--max-runs", "2") == 0
    first = set(outcome(file))
    assert sweep("run", file, "--max-runs", "3") == 0
    assert len(first) == 2
    assert first < set(outcome(file))
    assert len(outcome(file)) == 3
    assert sweep("run", file, "--max-runs", "3", "--seed", "1") == 0
    assert len(outcome(file)) == 6


def test_the_runs_of_a_point_are_its_seeds(tmp_path, monkeypatch, capsys):
    use_sweep_world(monkeypatch)
    file = write_sweep(tmp_path, "  method.guidance: {values: [1, 3]}\n  seeds: {value: [0, 1]}\n")
    assert sweep("run", file) == 0
    assert len(run_folders(file)) == 4
    sweep("status", file)
    assert capsys.readouterr().out.count("8/8") == 2


def test_several_workers_are_processes_with_a_share_of_the_cores(tmp_path):
    program = "import os, sys; open(sys.argv[1], 'a').write(os.environ['OMP_NUM_THREADS'] + '\\n')"
    marks = tmp_path / "marks"
    crew = Crew([sys.executable, "-c", program, str(marks)], 2, tmp_path / "logs")
    assert crew.wait(lambda: "") == [0, 0]
    assert marks.read_text().split() == [str(threads_each(2))] * 2
    assert threads_each(10_000) == 1


def test_a_worker_that_is_killed_is_replaced(tmp_path, capfd):
    program = (
        "import os, signal, sys, pathlib; mark = pathlib.Path(sys.argv[1]); first = not mark.exists(); mark.touch()\n"
        "first and os.kill(os.getpid(), signal.SIGKILL)"
    )
    crew = Crew([sys.executable, "-c", program, str(tmp_path / "mark")], 1, tmp_path / "logs")
    assert crew.wait(lambda: "") == [0]
    assert "worker 1 was killed (signal 9); another takes its place" in capfd.readouterr().err


def test_each_worker_begins_with_another_gpu(tmp_path, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,GPU-b")
    program = "import os, sys; open(sys.argv[1], 'a').write(os.environ['CUDA_VISIBLE_DEVICES'] + '\\n')"
    crew = Crew([sys.executable, "-c", program, str(tmp_path / "marks")], 3, tmp_path / "logs")
    assert crew.wait(lambda: "") == [0, 0, 0]
    assert sorted((tmp_path / "marks").read_text().split()) == ["4,GPU-b", "4,GPU-b", "GPU-b,4"]
    for one in ("", "4"):
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", one)
        assert gpus_from(1) == {}
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    monkeypatch.setattr("torch.cuda.device_count", lambda: 3)
    assert gpus_from(4) == {"CUDA_VISIBLE_DEVICES": "1,2,0"}


@pytest.mark.parametrize("told", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interrupted_crew_ends_its_workers(told, tmp_path):
    program = (
        "import signal, sys, time; signal.signal(signal.SIGTERM, signal.default_int_handler)\n"
        "try: open(sys.argv[1], 'w').close(); time.sleep(60)\n"
        "except KeyboardInterrupt: open(sys.argv[1], 'w').write('clean')"
    )
    crew = Crew([sys.executable, "-c", program, str(tmp_path / "end")], 1, tmp_path / "logs")

    def progress():
        while not (tmp_path / "end").exists():
            time.sleep(0.01)
        signal.raise_signal(told)

    with pytest.raises(KeyboardInterrupt), interruptible():
        crew.wait(progress)
    assert (tmp_path / "end").read_text() == "clean"


def test_two_real_workers_do_a_real_sweep(tmp_path, tiny_pipeline_folder):
    """Nothing is replaced: a tiny pipeline, two processes, records as `piva run` leaves them."""
    write_bench(tmp_path / "bench", n=2, size=32)
    flags = f"  prior.model: {{value: {tiny_pipeline_folder}}}\n  steps: {{value: 2}}\n  metrics: {{value: mse}}\n"
    file = write_sweep(tmp_path, GRID + flags, cases=2)
    command = [sys.executable, "-m", "piva.cli", "sweep", "run", str(file), "--out", str(tmp_path / "runs")]
    done = subprocess.run([*command, "--workers", "2"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "3 points: 3 done" in done.stdout
    assert [len(read_run(folder).launches) for folder in run_folders(file)] == [1] * 3
    assert {read_run(folder).launches[0].provenance.threads for folder in run_folders(file)} == {threads_each(2)}
    assert len(list((tmp_path / "runs").glob("sweep-*/logs/worker-*.log"))) == 2


def test_runs_by_workers_have_the_keys_and_the_values_of_runs_in_process(tmp_path, tiny_pipeline_folder):
    """Two points, each by two processes of its own, and the same points by the sweep's worker itself."""
    parameters = "  method.guidance: {values: [1, 3]}\n"
    flags = f"  prior.model: {{value: {tiny_pipeline_folder}}}\n  steps: {{value: 2}}\n  metrics: {{value: mse}}\n"
    file = write_sweep_of_real_cases(tmp_path, parameters + flags)
    command = [sys.executable, "-m", "piva.cli", "sweep", "run", str(file), "--out", str(tmp_path / "runs")]
    done = subprocess.run(
        [*command, "--executor", "processes", "--workers-per-run", "2"], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "2 points: 2 done" in done.stdout
    launches = [read_run(folder).launches for folder in run_folders(file)]
    assert [len(found) for found in launches] == [1, 1]
    assert all("--executor=processes --workers=2" in found[0].provenance.command for found in launches)
    theirs = {folder.name: read_cases(folder) for folder in run_folders(file)}
    shutil.rmtree(tmp_path / "runs")
    assert sweep("run", file) == 0
    ours = {folder.name: read_cases(folder) for folder in run_folders(file)}
    assert ours.keys() == theirs.keys()
    for name, cases in ours.items():
        assert cases.keys() == theirs[name].keys()
        for case_id, case in cases.items():
            assert case.metrics["mse"] == pytest.approx(theirs[name][case_id].metrics["mse"], rel=0.01)


def write_sweep_of_real_cases(folder, parameters):
    """Two cases, large enough for the tiny pipeline, each a batch of its own."""
    write_bench(folder / "bench", n=2, size=32)
    return write_sweep(folder, parameters, cases=2, batch=1)


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        (("--workers-per-run", "2"), "--workers-per-run: which workers? --executor processes, ray or slurm"),
        (("--executor", "slurm"), "--executor slurm: nobody watches its jobs"),
    ],
)
def test_an_executor_that_cannot_do_it_is_refused(flags, sentence, tmp_path, monkeypatch, capsys):
    use_sweep_world(monkeypatch)
    file = write_sweep(tmp_path, rest="early_terminate: {type: hyperband, min_iter: 2}\n")
    assert sweep("run", file, *flags) == 2
    assert sentence in capsys.readouterr().err


def test_nor_where_the_file_s_own_command_asks_for_it(tmp_path, monkeypatch, capsys):
    use_sweep_world(monkeypatch)
    file = write_sweep(tmp_path, rest="early_terminate: {type: hyperband, min_iter: 2}\n")
    file.write_text(file.read_text().replace("--method, dds", "--method, dds, --executor, slurm"))
    assert sweep("run", file) == 2
    assert "--executor slurm: nobody watches its jobs" in capsys.readouterr().err
