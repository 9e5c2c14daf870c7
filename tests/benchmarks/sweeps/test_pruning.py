"""Rungs are where W&B has them, and a bad run ends at the one it does not pass."""

import optuna
import pytest
from harness_world import case_record
from sweep_world import run_folders, sweep, use_sweep_world, write_sweep

from benchmarks.sweeps.pruning import Course, pruner, rungs
from benchmarks.sweeps.schema import Hyperband
from piva.records import read_cases, read_run

VALUES = "  method.guidance: {values: [3, 4, 2, 9, 3.5]}\n"
EARLY = "early_terminate: {type: hyperband, min_iter: 2, eta: 2}\n"


def test_rungs_are_those_of_wandb():
    assert rungs(Hyperband(min_iter=3))[:4] == (3, 9, 27, 81)  # W&B's documentation
    assert rungs(Hyperband(max_iter=27, s=2)) == (3, 9)  # the same
    assert rungs(Hyperband(max_iter=5, s=2, eta=2)) == (1, 2)  # hyperband_stop_runs of its package sweeps
    assert rungs(Hyperband(max_iter=20, s=5, eta=3)) == (2, 6)
    assert rungs(Hyperband(min_iter=3, max_iter=27, s=2)) == (3, 9)


@pytest.mark.parametrize(
    ("rule", "sentence"),
    [
        ("min_iter: 3, eta: 2.5", "early_terminate.eta: must be a whole number without a server, not 2.5"),
        ("max_iter: 2, s: 3", "early_terminate.max_iter: 2 with eta 3 gives no rung"),
        ("min_iter: 3, strict: false", "early_terminate.strict: without a server"),
    ],
)
def test_what_a_server_alone_can_do_is_said_before_any_work(rule, sentence, tmp_path, monkeypatch, capsys):
    use_sweep_world(monkeypatch)
    file = write_sweep(tmp_path, rest=f"early_terminate: {{type: hyperband, {rule}}}\n")
    assert sweep("run", file) == 2
    assert sentence in capsys.readouterr().err
    assert not (tmp_path / "runs").exists()


def course(study, rule, values, before=()):
    """A run of one case after another until it is stopped: its course."""
    trial = study.ask()
    found = Course(trial, "mse", rungs(rule), before)
    for k, value in enumerate(values):
        if not found.goes_on():
            break
        found.case(case_record(str(k), metrics={"mse": value}), None, None)
    study.tell(trial, state=optuna.trial.TrialState.PRUNED if found.stopped_at else optuna.trial.TrialState.FAIL)
    return found


def test_the_best_of_eta_climbs_and_failures_do_not_count():
    rule = Hyperband(min_iter=2, eta=2)
    study = optuna.create_study(direction="minimize", pruner=pruner(rule))
    assert course(study, rule, [0.2] * 8).stopped_at is None  # the first is the best so far
    assert course(study, rule, [0.4] * 8).stopped_at == 2
    assert course(study, rule, [0.1, 0.1] + [0.9] * 6).stopped_at == 4  # among the best at 2, not at 4: 0.5
    assert course(study, rule, [0.15] * 8).stopped_at is None  # second of four at 2
    bad = Course(study.ask(), "mse", rungs(rule), [0.9])
    bad.case(case_record("x", status="error", metrics={"mse": 0.0}), None, None)
    assert bad.goes_on()
    bad.case(case_record("y", metrics={"mse": None}), None, None)
    assert bad.goes_on()
    bad.case(case_record("z", metrics={"mse": 0.9}), None, None)
    assert bad.stopped_at == 2


def test_larger_is_better_where_the_goal_says_so():
    rule = Hyperband(min_iter=1, eta=2)
    study = optuna.create_study(direction="maximize", pruner=pruner(rule))
    assert [course(study, rule, [value]).stopped_at for value in (0.5, 0.4, 0.6)] == [None, 1, None]


@pytest.fixture
def file(tmp_path, monkeypatch):
    use_sweep_world(monkeypatch)
    return write_sweep(tmp_path, VALUES, rest=EARLY, cases=6, batch=2)


def scored(file):
    return {read_run(folder).settings["guidance"]: len(read_cases(folder)) for folder in run_folders(file)}


def test_bad_points_end_at_the_rung_keep_their_records_and_can_go_on(file, capsys):
    assert sweep("run", file) == 0
    said = capsys.readouterr()
    assert "5 points: 1 done, 4 pruned" in said.out
    assert scored(file) == {3.0: 6, 4.0: 2, 2.0: 2, 9.0: 2, 3.5: 4}  # 3.5 is second of five, then of two
    assert "stopped at the rung of 2 cases" in said.err
    assert sweep("run", file) == 0  # what was pruned stays so
    assert scored(file)[9.0] == 2
    assert sweep("status", file, "--commands") == 0
    said = capsys.readouterr().out
    assert "2/6" in said
    from piva.cli import main

    (command,) = [line for line in said.splitlines() if "guidance=9" in line]
    assert main(command.partition("piva ")[2].replace("'", "").split()) == 0
    assert scored(file)[9.0] == 6
    sweep("status", file)
    assert "5 points: 2 done, 3 pruned" in capsys.readouterr().out


def test_without_its_journal_a_sweep_knows_what_was_done(file, capsys):
    assert sweep("run", file, "--max-runs", "3") == 0
    (journal,) = (file.parent / "runs").glob("sweep-*/journal.log")
    journal.unlink()
    assert sweep("run", file) == 0
    assert scored(file) == {3.0: 6, 4.0: 2, 2.0: 2, 9.0: 2, 3.5: 4}
    assert journal.exists()


def test_a_damaged_journal_is_named(file, capsys):
    sweep("run", file, "--max-runs", "1")
    (journal,) = (file.parent / "runs").glob("sweep-*/journal.log")
    journal.write_bytes(b"{torn\n" + journal.read_bytes())
    assert sweep("run", file) == 2
    assert "journal.log is damaged" in capsys.readouterr().err
