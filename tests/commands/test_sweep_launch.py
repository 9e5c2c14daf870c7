"""`piva sweep launch`: with W&B's own client against a stand-in for its server; and without one, no prompt, no wait."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from socket import create_server

import pytest
import yaml
from wandb_server import ENTITY, KEY, wandb_server

import benchmarks.sweeps.server as server_module
from piva.cli import main

FILE = Path(__file__).parents[2] / "sweeps" / "lambda-toybox.yaml"
VARIABLES = ("WANDB_API_KEY", "WANDB_MODE", "WANDB_PROJECT", "WANDB_ENTITY", "WANDB_BASE_URL", "WANDB_DISABLED")


@pytest.fixture(autouse=True)
def machine(tmp_path, monkeypatch):
    """One that knows no key, and no project; W&B reads its variables anew."""
    import wandb

    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.setenv("WANDB_CONFIG_DIR", str(tmp_path / "config"))
    monkeypatch.chdir(tmp_path)
    wandb.teardown()
    yield
    wandb.teardown()


@pytest.fixture
def server(monkeypatch):
    """A running server that W&B's client is told of; it knows who asks."""
    viewer = {"id": "someone", "entity": "someone", "username": "someone", "teams": {"edges": []}, "flags": "{}"}
    with wandb_server() as found:
        found.more["Viewer"] = lambda asked: {"viewer": viewer}
        monkeypatch.setenv("WANDB_BASE_URL", found.url)
        monkeypatch.setenv("WANDB_API_KEY", KEY)
        yield found


def created(asked, name="abcd1234", entity=ENTITY):
    """The server's answer to UpsertSweep."""
    project = {"id": "p", "name": asked["projectName"], "entity": entity}
    return {"upsertSweep": {"sweep": {"name": name, "project": project}, "configValidationWarnings": []}}


def test_the_sweep_is_created_and_its_agent_s_command_said(server, capsys):
    got = []
    server.more["UpsertSweep"] = lambda asked: got.append(asked) or created(asked)
    assert main(["sweep", "launch", str(FILE)]) == 0
    out = capsys.readouterr().out.splitlines()
    assert out[0] == "sweep  abcd1234"
    assert out[1] == "agent  wandb agent someone/piva/abcd1234"
    assert out[2].endswith("/someone/piva/sweeps/abcd1234")
    assert yaml.safe_load(got[0]["config"]) == yaml.safe_load(FILE.read_text())


def test_project_and_entity_by_flag(server, capsys):
    server.more["UpsertSweep"] = lambda asked: created(asked, "x1", {"id": "e", "name": asked["entityName"]})
    assert main(["sweep", "launch", str(FILE), "--project", "mine", "--entity", "team"]) == 0
    assert "wandb agent team/mine/x1" in capsys.readouterr().out


def test_a_server_that_refuses_is_one_sentence(server, capsys):
    server.more["UpsertSweep"] = lambda asked: None
    assert main(["sweep", "launch", str(FILE)]) == 3
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.splitlines()[-1].startswith("piva: W&B's server did not create the sweep: ")
    assert f"without a server: piva sweep run {FILE}" in said.err


@pytest.mark.slow
def test_wandb_sweep_and_wandb_agent_run_a_point(server, tmp_path, monkeypatch):
    """W&B's own commands, in processes of their own; what they run is a point of the file with --dry-run."""
    content = yaml.safe_load(FILE.read_text())
    content["command"].insert(-1, "--dry-run")
    point = {"method.lam": {"value": 0.7}}
    file = tmp_path / "sweep.yaml"
    file.write_text(yaml.safe_dump(content))
    sent, handed = [], []

    def commands(asked):
        handed.append({"type": "run", "run_id": "r1", "program": "piva", "args": point, "id": "c1"})
        return {"agentHeartbeat": {"agent": {"id": "a"}, "commands": json.dumps(handed if len(handed) == 1 else [])}}

    found = {"id": "s", "name": "abcd1234", "state": "RUNNING", "runs": {"edges": []}}
    server.more |= {
        "UpsertSweep": lambda asked: sent.append(asked) or created(asked),
        "SweepWithRuns": lambda asked: {"project": {"sweep": found | {"config": sent[0]["config"]}}},
        "CreateAgent": lambda asked: {"createAgent": {"agent": {"id": "a"}}},
        "Heartbeat": commands,
    }
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    made = wandb_says("sweep", str(file))
    assert "wandb agent someone/piva/abcd1234" in made
    ran = wandb_says("agent", "--count", "1", "someone/piva/abcd1234")
    assert "60 of 60 cases to edit" in ran
    assert f"{60 * 100 * 7:,} through the UNet" in ran  # Piva's rows, with lambda not 0


def wandb_says(*arguments):
    """What `wandb ...` prints, its processes included."""
    command = [sys.executable, "-m", "wandb", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=500, stdin=subprocess.DEVNULL)
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


@pytest.mark.parametrize("mode", ["offline", "disabled", None])
def test_without_a_key_or_offline_nothing_is_asked_or_waited_for(mode, monkeypatch, capsys):
    if mode:
        monkeypatch.setenv("WANDB_MODE", mode)
        monkeypatch.setenv("WANDB_API_KEY", KEY)
    monkeypatch.setattr(server_module, "create", lambda *_: pytest.fail("there is no server to ask"))
    assert main(["sweep", "launch", str(FILE)]) == 3
    assert f"without a server: piva sweep run {FILE}" in capsys.readouterr().err


def test_a_server_that_does_not_answer_is_not_waited_for(monkeypatch, capsys):
    with create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("WANDB_BASE_URL", f"http://127.0.0.1:{silent.getsockname()[1]}")
        monkeypatch.setenv("WANDB_API_KEY", KEY)
        monkeypatch.setattr(server_module.create, "__defaults__", (3.0,))
        begun = time.monotonic()
        assert main(["sweep", "launch", str(FILE)]) == 3
    assert time.monotonic() - begun < 60
    assert "did not answer within 3 seconds; without a server: piva sweep run" in capsys.readouterr().err


def test_a_wrong_file_is_said_before_anything_else(tmp_path, capsys):
    file = tmp_path / "x.yaml"
    file.write_text("method: grid\n")
    assert main(["sweep", "launch", str(file)]) == 2
    assert "x.yaml:1: the key 'parameters' is missing" in capsys.readouterr().err
