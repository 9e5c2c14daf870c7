"""Optuna searches what the sweep file describes; the same seed finds the same points."""

import math

import pytest
from sweep_world import OPTIMUM, sweep, use_sweep_world, write_sweep

from benchmarks.sweeps.board import Board
from benchmarks.sweeps.schema import Parameter, read_sweep
from benchmarks.sweeps.search import distribution, point_of
from piva.records import read_cases

RANGE = "  method.guidance: {min: 0.0, max: 10.0}\n"


@pytest.mark.parametrize(
    ("parameter", "low", "high", "log"),
    [
        (Parameter("uniform", min=-1.0, max=2.0), -1, 2, False),
        (Parameter("int_uniform", min=1, max=4), 1, 4, False),
        (Parameter("log_uniform_values", min=1e-4, max=1e-1), 1e-4, 1e-1, True),
        (Parameter("log_uniform", min=-3.0, max=0.0), math.exp(-3), 1, True),
    ],
)
def test_ranges_are_optuna_s_own(parameter, low, high, log):
    found = distribution(parameter)
    assert (found.low, found.high, found.log) == (low, high, log)


def test_other_distributions_are_searched_by_quantile(tmp_path):
    file = write_sweep(
        tmp_path,
        "  method.guidance: {distribution: normal, mu: 5, sigma: 2}\n"
        "  method.t-max: {values: [[1, 2], true, 1]}\n"
        "  steps: {distribution: q_uniform, min: 0, max: 100, q: 10}\n"
        "  seed: {value: 7}\n",
        method="bayes",
    )
    own = read_sweep(file)
    suggested = {"method.guidance": 0.5, "method.t-max": 0, "steps": 0.32}
    point = point_of(own, suggested)
    assert point == {"method.guidance": 5.0, "method.t-max": [1, 2], "seed": 7, "steps": 30}
    assert point_of(own, suggested | {"method.t-max": 1})["method.t-max"] is True
    assert point_of(own, suggested | {"method.guidance": 0.8413447})["method.guidance"] == pytest.approx(7, abs=1e-5)
    assert distribution(own.parameters["seed"]) is None
    assert (distribution(own.parameters["steps"]).low, distribution(own.parameters["steps"]).high) == (1e-4, 1 - 1e-4)


def drawn(file, out):
    board = Board(read_sweep(file), out, 0)
    return [point["method.guidance"] for point in board.points().values()]


@pytest.fixture
def file(tmp_path, monkeypatch):
    use_sweep_world(monkeypatch)
    return write_sweep(tmp_path, RANGE, method="bayes", cases=1, batch=1)


def test_a_search_comes_nearer_to_the_optimum_and_is_the_same_every_time(file, tmp_path):
    from piva.cli import main

    outs = tmp_path / "a", tmp_path / "b"
    for out in outs:
        assert main(["sweep", "run", str(file), "--out", str(out), "--max-runs", "16"]) == 0
    points = drawn(file, outs[0])
    assert points == drawn(file, outs[1])
    assert len(points) == 16
    first, rest = ([abs(point - OPTIMUM) for point in part] for part in (points[:10], points[10:]))
    assert sum(rest) / len(rest) < 0.5 * sum(first) / len(first)


def test_a_search_that_was_killed_while_it_drew_goes_on(file, monkeypatch):
    """A trial without its point, and a point whose trial never ended: both as a kill leaves them."""
    import optuna

    from benchmarks.sweeps.search import Memory

    assert sweep("run", file, "--max-runs", "3") == 0
    own = read_sweep(file)
    board = Board(own, file.parent / "runs", 0)
    memory = Memory(own, board.ledger, "tpe", 0)
    board.ledger.write(3, *memory.draw(3))
    memory._study.ask({})
    assert sweep("run", file, "--max-runs", "4") == 0
    states = [trial.state for trial in Memory(own, board.ledger, "tpe", 0)._study.trials]
    done, failed = optuna.trial.TrialState.COMPLETE, optuna.trial.TrialState.FAIL
    assert states == [done, done, done, done, failed]


def test_a_trial_of_a_point_that_was_not_written_down_does_not_answer_for_the_next(file):
    """Killed when Optuna had drawn the point, and the ledger had not; then the number is given again."""
    from benchmarks.sweeps.search import POINT, Memory

    assert sweep("run", file, "--max-runs", "2") == 0
    own = read_sweep(file)
    board = Board(own, file.parent / "runs", 0)
    Memory(own, board.ledger, "tpe", 0).draw(2)  # and nothing written
    other = Memory(own, board.ledger, "tpe", 1)
    other.catch_up(board.all())
    board.ledger.write(2, *other.draw(2))
    assert sweep("run", file, "--max-runs", "3") == 0
    trials = Memory(own, board.ledger, "tpe", 0)._study.trials
    told = [trial for trial in trials if trial.state.name == "COMPLETE" and trial.user_attrs[POINT] == 2]
    assert [trial.params["method.guidance"] for trial in told] == [board.points()[2]["method.guidance"]]
    assert [trial.state.name for trial in trials] == ["COMPLETE", "COMPLETE", "FAIL", "COMPLETE"]


def test_a_journal_with_a_torn_line_is_mended(file):
    assert sweep("run", file, "--max-runs", "2") == 0
    (journal,) = (file.parent / "runs").glob("sweep-*/journal.log")
    whole = journal.read_bytes()
    journal.write_bytes(whole + b'{"op_code":5,"trial_i')
    assert sweep("run", file, "--max-runs", "3") == 0
    assert journal.read_bytes().startswith(whole + b"{")
    assert b"trial_i{" not in journal.read_bytes()


def test_a_search_without_its_journal_goes_on_from_the_records(file):
    assert sweep("run", file, "--max-runs", "3") == 0
    points = drawn(file, file.parent / "runs")
    (journal,) = (file.parent / "runs").glob("sweep-*/journal.log")
    journal.unlink()
    assert [found.state for found in Board(read_sweep(file), file.parent / "runs", 0).all()] == ["done"] * 3
    assert sweep("run", file, "--max-runs", "4") == 0
    assert drawn(file, file.parent / "runs")[:3] == points
    import optuna
    from optuna.storages.journal import JournalFileBackend

    storage = optuna.storages.JournalStorage(JournalFileBackend(str(journal)))
    trials = optuna.load_study(study_name="sweep", storage=storage).trials
    values = {trial.params["method.guidance"]: trial.value for trial in trials}
    for folder in (file.parent / "runs" / "pie-bench").iterdir():
        (case,) = read_cases(folder).values()
        assert any(value == pytest.approx(case.metrics["mse"]) for value in values.values())
    assert set(points) < set(values)


def test_a_gaussian_process_searches_too(file):
    assert sweep("run", file, "--max-runs", "12", "--sampler", "gp") == 0
    points = drawn(file, file.parent / "runs")
    assert len(points) == 12
    assert min(abs(point - OPTIMUM) for point in points[10:]) < 1.0


def test_a_point_that_is_refused_has_failed_and_the_search_goes_on(tmp_path, monkeypatch, capsys):
    use_sweep_world(monkeypatch)
    file = write_sweep(
        tmp_path, "  method.guidance: {values: [3, many]}\n", method="bayes", cases=1, rest="run_cap: 6\n"
    )
    assert sweep("run", file) == 1
    board = Board(read_sweep(file), file.parent / "runs", 0)
    states = {found.point["method.guidance"]: found.state for found in board.all()}
    assert states == {3: "done", "many": "failed"}
    assert "6 points: " in capsys.readouterr().out
