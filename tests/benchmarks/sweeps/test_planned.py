"""What is planned is what a run leaves behind: the same keys, folders and cases, and nothing else is looked up."""

import pytest
from harness_world import use_plain_world, write_bench
from scene_world import QUICK, write_scenes

from benchmarks import models
from benchmarks.sweeps.planned import Planner, with_errors
from piva.cli import main
from piva.errors import ConfigError, PreflightError
from piva.records import read_run


@pytest.fixture
def root(tmp_path, monkeypatch):
    use_plain_world(monkeypatch)
    monkeypatch.setenv("PIVA_CACHE", str(tmp_path / "cache"))
    return write_bench(tmp_path / "bench", n=10)


def command(root, *flags):
    return ["run", "pie-bench", "--root", str(root), "--tracker", "none", *flags]


def test_a_planned_run_is_the_one_that_runs(root, tmp_path):
    arguments = command(root, "--method", "piva", "--method.lam=0.7", "--seeds=[0, 1]", "--limit", "4")
    arguments += ["--out", str(tmp_path / "runs")]
    planned = Planner().runs(arguments)
    assert [run.record.seed for run in planned] == [0, 1]
    assert [(run.plan().edits, run.plan().done) for run in planned] == [(4, ()), (4, ())]
    assert main(arguments) == 0
    for run in planned:
        recorded = read_run(run.path)
        assert run.record == recorded.model_copy(update={"launches": []})
        assert run.cases == tuple(recorded.launches[0].planned)
        assert (run.plan().edits, run.plan().done) == (0, run.cases)


def test_failed_cases_are_planned_and_done_again_unless_the_command_says_otherwise(root, tmp_path, monkeypatch):
    def broken(inputs, on_step):
        raise RuntimeError("no luck")

    use_plain_world(monkeypatch, edit=broken)
    arguments = command(root, "--method", "dds", "--limit", "2", "--out", str(tmp_path / "runs"))
    assert main(arguments) == 1
    for flags, edits in (((), 2), (("--overwrite", "retry-errors"), 2), (("--overwrite=only-missing",), 0)):
        (run,) = Planner().runs([*arguments, *flags])
        assert (run.plan().edits, len(run.plan().left)) == (edits, 2 - edits)
        assert with_errors([*arguments, *flags])[len(arguments) :] == list(flags or ("--overwrite", "retry-errors"))


def test_out_replaces_the_one_of_the_command_line(root, tmp_path):
    arguments = command(root, "--method", "dds", "--out", "elsewhere")
    (run,) = Planner(tmp_path / "here").runs(arguments)
    assert run.path == tmp_path / "here" / "pie-bench" / f"dds-{run.record.edit_key}"
    (run,) = Planner().runs(arguments)
    assert run.path.parts[:2] == ("elsewhere", "pie-bench")


def test_scenes_are_planned_as_they_run(tmp_path, monkeypatch, tiny_pipeline_folder):
    monkeypatch.setenv("PIVA_CACHE", str(tmp_path / "cache"))
    data = write_scenes(tmp_path / "data")
    arguments = ["run", "in2n", "--root", str(data), "--method", "piva", *QUICK, "--metrics", "mse"]
    arguments += ["--prior.model", str(tiny_pipeline_folder), "--out", str(tmp_path / "runs"), "--tracker=none"]
    (run,) = Planner().runs(arguments)
    assert (run.record.settings["lam"], run.plan().edits) == (0.2, len(run.cases))
    assert main(arguments) == 0
    assert run.record == read_run(run.path).model_copy(update={"launches": []})
    assert run.plan().done == run.cases


def test_prior_and_scorer_are_looked_up_once(root, monkeypatch):
    calls = []
    for name in ("prior_facts", "load_scorer"):
        real = getattr(models, name)
        monkeypatch.setattr(models, name, lambda *given, name=name, real=real: calls.append(name) or real(*given))
    monkeypatch.setattr(models, "load_prior", lambda config, method=None: pytest.fail("no weights are needed"))
    planner = Planner()
    keys = {planner.runs(command(root, "--method", "piva", f"--method.lam={lam}"))[0].record.edit_key for lam in (1, 2)}
    assert len(keys) == 2
    assert calls == ["prior_facts", "load_scorer"]
    planner.runs(command(root, "--method", "dds", "--prior.dtype", "float16"))
    planner.runs(command(root, "--method", "dds", "--metrics", "mse"))
    assert calls == ["prior_facts", "load_scorer", "prior_facts", "load_scorer"]


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        (["--method", "piva", "--method.lan=1"], "piva run .* Unrecognized options: --method.lan=1 .*--method.lam"),
        (["--method", "piva", "--steps=0"], "--steps 0: must be at least 1"),
        (["--method", "pivo"], "did you mean 'piva'"),
        (["--method", "dds", "--method.t-max", "1000"], "1000"),
    ],
)
def test_what_piva_run_would_not_take_is_an_error_of_the_plan(root, flags, sentence, capsys):
    with pytest.raises(ConfigError, match=sentence):
        Planner().runs(command(root, *flags))
    assert capsys.readouterr() == ("", "")


def test_a_prior_that_is_not_here_is_said(tmp_path, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    arguments = command(write_bench(tmp_path / "bench", n=1), "--method", "dds", "--prior.model", "no/where")
    with pytest.raises(PreflightError, match="neither a folder nor a model on this machine"):
        Planner().runs(arguments)
