"""`piva sweep launch`: with W&B's own client against a stand-in for its server; and without one, no prompt, no wait."""

import contextlib
import time
from pathlib import Path
from socket import create_server

import pytest
import yaml
from wandb_server import ENTITY, KEY, WandbServer, wandb_server

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


def answers(upsert):
    """What the server says to each operation that creating a sweep takes."""
    viewer = {"id": "someone", "entity": "someone", "username": "someone", "teams": {"edges": []}, "flags": "{}"}
    return {"Viewer": lambda asked: {"viewer": viewer}, "UpsertSweep": upsert}


@pytest.fixture
def serve(monkeypatch):
    """A function: the answer to UpsertSweep -> a running server that W&B's client is told of."""
    with contextlib.ExitStack() as stack:

        def start(upsert):
            own = answers(upsert)
            theirs = WandbServer.answer

            def answer(self, operation, asked):
                if operation not in own:
                    return theirs(self, operation, asked)
                self.operations.append(operation)
                data = own[operation](asked)
                return {"data": data} if data else {"errors": [{"message": "no"}]}

            monkeypatch.setattr(WandbServer, "answer", answer)
            found = stack.enter_context(wandb_server())
            monkeypatch.setenv("WANDB_BASE_URL", found.url)
            monkeypatch.setenv("WANDB_API_KEY", KEY)
            return found

        yield start


def test_the_sweep_is_created_and_its_agent_s_command_said(serve, capsys):
    got = []

    def upsert(asked):
        got.append(asked)
        project = {"id": "p", "name": asked["projectName"], "entity": ENTITY}
        return {"upsertSweep": {"sweep": {"name": "abcd1234", "project": project}, "configValidationWarnings": []}}

    server = serve(upsert)
    assert main(["sweep", "launch", str(FILE)]) == 0, capsys.readouterr().err
    out = capsys.readouterr().out.splitlines()
    assert out[0] == "sweep  abcd1234"
    assert out[1] == "agent  wandb agent someone/piva/abcd1234"
    assert out[2].endswith("/someone/piva/sweeps/abcd1234")
    assert "UpsertSweep" in server.operations
    assert yaml.safe_load(got[0]["config"]) == yaml.safe_load(FILE.read_text())


def test_project_and_entity_by_flag(serve, capsys):
    def upsert(asked):
        entity = {"id": "e", "name": asked["entityName"]}
        project = {"id": "p", "name": asked["projectName"], "entity": entity}
        return {"upsertSweep": {"sweep": {"name": "x1", "project": project}, "configValidationWarnings": []}}

    serve(upsert)
    assert main(["sweep", "launch", str(FILE), "--project", "mine", "--entity", "team"]) == 0
    assert "wandb agent team/mine/x1" in capsys.readouterr().out


def test_a_server_that_refuses_is_one_sentence(serve, capsys):
    serve(lambda asked: None)
    assert main(["sweep", "launch", str(FILE)]) == 3
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.splitlines()[-1].startswith("piva: W&B's server did not create the sweep: ")
    assert f"without a server: piva sweep run {FILE}" in said.err


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
