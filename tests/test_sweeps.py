"""The sweep files that come with piva: what W&B's own agent would run of each is what piva reads; no point is wrong."""

import json
import re
from pathlib import Path

import pytest
import wandb.wandb_agent as wandb_agent
import yaml
from wandb.wandb_agent import Agent

from benchmarks.sweeps.arguments import arguments, out_folder
from benchmarks.sweeps.points import grid_points, sample
from benchmarks.sweeps.schema import read_sweep
from piva.commands.run_settings import run_settings

FOLDER = Path(__file__).parents[1] / "sweeps"
FILES = sorted(FOLDER.glob("*.yaml"))


@pytest.fixture(autouse=True)
def variables(monkeypatch):
    monkeypatch.setenv("PIE_BENCH", "/data/pie-bench")
    monkeypatch.setenv("NOE", "/data/noe")


@pytest.fixture(params=FILES, ids=lambda file: file.stem)
def file(request):
    return request.param


@pytest.fixture
def run_by_the_agent(tmp_path, monkeypatch):
    """A function: (sweep file, values of its parameters) -> the words that W&B's agent starts a process with."""
    monkeypatch.chdir(tmp_path)
    for name in ("WANDB_DIR", "WANDB_RUN_ID", "WANDB_SWEEP_PARAM_PATH", "WANDB_SWEEP_ID"):
        monkeypatch.setenv(name, str(tmp_path) if name == "WANDB_DIR" else "x")  # which the agent changes
    started = []

    class Process:
        def __init__(self, command, **_):
            started.append(command)

    monkeypatch.setattr(wandb_agent, "AgentProcess", Process)

    def run(content, values):
        agent = Agent(api=None, queue=None)
        agent._sweep_command = list(content["command"])
        args = {name: {"value": value} for name, value in values.items()}
        agent._command_run({"program": content["program"], "run_id": "r", "args": args})
        return started.pop()

    return run


def points(sweep):
    return grid_points(sweep) if sweep.method == "grid" else [sample(sweep, 0, index) for index in range(sweep.run_cap)]


def test_w_and_b_s_agent_runs_what_we_run(file, run_by_the_agent):
    sweep, content = read_sweep(file), yaml.safe_load(file.read_text())
    for point in points(sweep):
        words = run_by_the_agent(content, point)
        assert words[:3] == ["/usr/bin/env", "piva", "run"]
        assert words[2:] == arguments(sweep, point)


def test_every_point_is_other_settings_of_piva_run(file):
    sweep = read_sweep(file)
    found = {json.dumps(_settings(arguments(sweep, point))) for point in points(sweep)}
    assert len(found) == len(points(sweep))


def _settings(words):
    benchmark, config = run_settings(words[1:])
    return benchmark.name, config.method.name, config.model_dump(mode="json")


def test_values_arrive_as_they_are_meant():
    def of(name, index):
        sweep = read_sweep(FOLDER / f"{name}.yaml")
        return run_settings(arguments(sweep, grid_points(sweep)[index])[1:])

    benchmark, config = of("lambda-types", 4)
    assert (benchmark.name, config.type, config.method.lam) == ("pie-bench", ("4", "5", "6", "7", "8", "9"), 0.1)
    assert (config.root, config.prior.model) == (Path("/data/pie-bench"), "stable-diffusion-v1-5/stable-diffusion-v1-5")
    benchmark, config = of("conditioning-toybox", 3)
    aux = config.method.aux
    assert (aux.kind, aux.controlnet, aux.depth, aux.lr) == ("controlnet", "toybox", "blank", 1e-4)
    assert of("conditioning-toybox", 1)[1].method.aux.camera is True
    assert [of("methods", index)[1].method.name for index in (0, 6, 12)] == ["sds", "dds", "piva"]
    assert [of("methods", index)[1].method.guidance for index in (0, 6, 12)] == [1.5, 1.5, 7.5]
    config = of("auxiliaries", 11)[1]
    assert (config.method.aux.lr, config.method.aux.steps_per_iteration) == (1e-3, 4)
    assert {of("steps-3d", index)[1].steps for index in range(6)} == {1000, 5000, 15_000}


def test_nested_parameters_run_the_same_way_through_the_agent(tmp_path, run_by_the_agent):
    content = {
        "program": "piva", "method": "grid", "command": ["piva", "run", "pie-toybox", "--method", "piva", "${args}"],
        "parameters": {"method": {"parameters": {
            "lam": {"value": 2.0}, "guidance_src": {"value": None},
            "aux": {"parameters": {"lr": {"values": [1e-5]}, "camera": {"value": False}}},
        }}, "seeds": {"value": [0, 1]}, "prior.compile": {"value": True}},
    }  # fmt: skip
    file = tmp_path / "nested.yaml"
    file.write_text(yaml.safe_dump(content))
    sweep = read_sweep(file)
    (point,) = grid_points(sweep)
    nested = {"method": {"lam": 2.0, "guidance_src": None, "aux": {"lr": 1e-5, "camera": False}}}
    words = run_by_the_agent(content, nested | {"seeds": [0, 1], "prior.compile": True})
    assert words[5] == "--method={'lam': 2.0, 'guidance_src': None, 'aux': {'lr': 1e-05, 'camera': False}}"
    theirs, ours = run_settings(words[2:])[1], run_settings(arguments(sweep, point)[1:])[1]
    assert theirs.model_dump() == ours.model_dump()
    assert (ours.method.lam, ours.method.guidance_src, ours.method.aux.lr) == (2.0, None, 1e-5)
    assert (ours.method.aux.camera, ours.seeds, ours.prior.compile) == (False, (0, 1), True)


def test_the_runs_of_a_file_have_a_folder_of_its_name_but_one_that_shares_them(file):
    sweep = read_sweep(file)
    assert sweep.name == file.stem
    assert out_folder(sweep) == Path("runs", "lambda" if file.stem == "lambda-types" else file.stem)
    assert out_folder(sweep, Path("elsewhere")) == Path("elsewhere")


def test_every_real_sweep_has_a_small_one_and_every_file_says_what_it_asks(file):
    assert file.stem.endswith("-toybox") or file.with_stem(f"{file.stem}-toybox") in FILES
    comment = [line for line in file.read_text().splitlines() if line.startswith("#")]
    assert "?" in comment[0] + comment[1]
    sweep = read_sweep(file)
    counted = re.search(r"(\d+) (runs|points)", " ".join(comment))
    assert counted is not None
    assert int(counted.group(1)) == len(points(sweep))
    assert sweep.description


def test_the_table_lists_every_file():
    rows = [line for line in (FOLDER / "README.md").read_text().splitlines() if line.startswith("| [")]
    assert [re.match(r"\| \[(.+?)\]\((.+?)\)", row).groups() for row in rows] == sorted(
        (file.name, file.name) for file in FILES
    )


def test_w_and_b_s_agent_tries_failed_cases_again_as_piva_sweep_run_does(file):
    _, config = run_settings(arguments(read_sweep(file), points(read_sweep(file))[0])[1:])
    assert config.overwrite == "retry-errors"
