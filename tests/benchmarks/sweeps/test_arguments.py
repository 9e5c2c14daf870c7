"""Command lines of points are word by word those that W&B's own code makes."""

import copy

import pytest
from wandb.sdk.launch.sweeps.utils import create_sweep_command, create_sweep_command_args

from benchmarks.sweeps.arguments import arguments
from benchmarks.sweeps.command import MACROS, after_piva
from benchmarks.sweeps.schema import Sweep
from piva.errors import ConfigError

POINT = {
    "method.lam": 0.4, "method.aux.lr": 1e-05, "prior.compile": True, "dry_run": False, "limit": None, "steps": 100,
    "method.aux.kind": "lora", "seeds": [0, 1], "scene": {"views": 3},
}  # fmt: skip


def agent_s_words(command, program, point):
    """What the agent runs (wandb_agent.py, `_command_run`)."""
    words = create_sweep_command(list(copy.copy(command)))
    given = create_sweep_command_args({"args": {name: {"value": value} for name, value in point.items()}})
    given |= {"interpreter": ["python"], "program": [program], "env": ["/usr/bin/env"]}
    found = []
    for word in words:
        found += (given.get(word[2:-1]) or []) if word.startswith("${") and word.endswith("}") else [word]
    return found


def sweep(*command, program="piva"):
    return Sweep("x.yaml", "", "x", "", program, command, "grid", {})


@pytest.mark.parametrize("macro", [name for name in MACROS if name not in ("env", "interpreter", "program")])
def test_every_macro_is_w_and_b_s(macro):
    command = ("${env}", "${program}", "run", "pie-toybox", "--method", "piva", f"${{{macro}}}", "--tracker", "none")
    words = agent_s_words(command, "piva", POINT)
    assert words[:2] == ["/usr/bin/env", "piva"]
    assert arguments(sweep(*command), POINT) == words[2:]
    assert len(words) >= 9


def test_variables_of_the_environment(monkeypatch):
    monkeypatch.setenv("PIE_BENCH", "/data/pie bench")
    command = ("piva", "run", "pie-bench", "--root", "${envvar:PIE_BENCH}", "--out=${envvar:PIE_BENCH}/runs", "${args}")
    assert arguments(sweep(*command), {"steps": 3}) == agent_s_words(command, "piva", {"steps": 3})[1:]
    assert arguments(sweep(*command), {})[3:] == ["/data/pie bench", "--out=/data/pie bench/runs"]
    monkeypatch.delenv("PIE_BENCH")
    with pytest.raises(ConfigError, match="the environment variable PIE_BENCH is not set: export PIE_BENCH="):
        arguments(sweep(*command), {})


@pytest.mark.parametrize(
    ("command", "program"),
    [
        (("piva", "run", "x"), ""),
        (("${env}", "/opt/bin/piva", "run", "x"), ""),
        (("${env}", "${program}", "run", "x"), ".venv/bin/piva"),
        (("${env}", "${interpreter}", "-m", "piva.cli", "run", "x"), ""),
        (("python3", "-m", "piva.cli", "run", "x"), ""),
    ],
)
def test_ways_to_start_piva(command, program):
    assert after_piva(command, program) == ["run", "x"]


@pytest.mark.parametrize(
    ("command", "program"),
    [
        (("${env}", "${interpreter}", "${program}", "${args}"), "train.py"),
        (("python", "-m", "other"), ""),
        (("${program}", "run"), "train.py"),
        (("${env}",), ""),
        ((), "piva"),
    ],
)
def test_what_does_not_start_piva(command, program):
    assert after_piva(command, program) is None
