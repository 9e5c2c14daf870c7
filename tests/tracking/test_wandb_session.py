"""Which mode W&B runs in, and that it never asks, waits or fails."""

import socket
import threading
from pathlib import Path

import pytest
from harness_world import run_record

import piva.tracking.wandb_session as session
from piva.tracking import open_mirror, wandb_mode
from piva.tracking.wandb_session import agent_waits, run_tags

KEYED = {"WANDB_API_KEY": "0" * 40}
NETRC = "machine {} login user password secret\n"


@pytest.mark.parametrize(
    ("variables", "mode"),
    [
        ({}, "offline"),
        ({"WANDB_MODE": "online"}, "offline"),  # no key: it would ask for one
        (KEYED, "online"),
        (KEYED | {"WANDB_MODE": "run"}, "online"),
        (KEYED | {"WANDB_MODE": "offline"}, "offline"),
        (KEYED | {"WANDB_MODE": "dryrun"}, "offline"),
        (KEYED | {"WANDB_MODE": "disabled"}, "disabled"),
        (KEYED | {"WANDB_DISABLED": "true"}, "disabled"),
        (KEYED | {"WANDB_DISABLED": "false"}, "online"),
    ],
)
def test_the_mode_follows_w_and_b_s_variables_and_a_key(monkeypatch, variables, mode):
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert wandb_mode() == mode


@pytest.mark.parametrize(("host", "mode"), [("wandb.lab:8080", "online"), ("api.wandb.ai", "offline")])
def test_a_key_in_netrc_counts_for_its_server(monkeypatch, host, mode):
    monkeypatch.setenv("WANDB_BASE_URL", "https://wandb.lab:8080")
    (Path.home() / ".netrc").write_text(NETRC.format(host))
    assert wandb_mode() == mode


def test_tags_are_split_prior_and_those_asked_for(monkeypatch):
    monkeypatch.setenv("WANDB_TAGS", "mine, shared")
    record = run_record(split="dev", prior={"name": "/models/some-prior"})
    assert run_tags(record, ["paper", "mine", "x" * 70]) == ["dev", "some-prior", "paper", "mine", "x" * 64, "shared"]
    assert run_tags(run_record(split=None, prior={}), []) == ["mine", "shared"]


def test_an_agent_waits_only_with_a_sweep_and_a_run(monkeypatch):
    assert not agent_waits()
    monkeypatch.setenv("WANDB_RUN_ID", "abc")
    assert not agent_waits()
    monkeypatch.setenv("WANDB_SWEEP_ID", "sweep")
    assert agent_waits()


def test_a_shard_is_a_run_of_its_own(tmp_path):
    """Of two at once with one id W&B would keep the later one."""
    names = {}
    for folder in (tmp_path / "dds-0123", tmp_path / "dds-0123" / "shards" / "2-of-3"):
        folder.mkdir(parents=True)
        run = session.begin(run_record(), folder, {}, [])
        names[run.id] = run.name
        run.finish()
    assert names == {"0123456789abcdef": "dds-0123", "0123456789abcdef-2-of-3": "dds-0123-2-of-3"}


def segments(folder):
    return [path.name.partition("-")[0] for path in sorted((folder / "wandb").glob("*run-*")) if not path.is_symlink()]


@pytest.fixture
def silent_url():
    """The address of a server that accepts and never answers."""
    held = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def accept():
            while True:
                try:
                    held.append(listener.accept())
                except OSError:
                    return

        threading.Thread(target=accept, daemon=True).start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        listener.shutdown(socket.SHUT_RDWR)
    for connection, _ in held:
        connection.close()


def test_a_server_that_never_answers_means_offline(monkeypatch, silent_url, tmp_path, capsys):
    monkeypatch.setattr(session, "INIT_SECONDS", 1)
    monkeypatch.setenv("WANDB_BASE_URL", silent_url)
    monkeypatch.setenv("WANDB_API_KEY", "0" * 40)
    mirror = open_mirror("wandb")
    mirror.start(run_record(), tmp_path)
    mirror.step({"direction_rms": 1.0})
    mirror.finish()
    said = capsys.readouterr().err
    assert "W&B cannot be reached" in said
    assert "tracking stopped" not in said
    assert segments(tmp_path) == ["offline", "run"]


@pytest.mark.slow
def test_a_server_that_stops_answering_does_not_hold_up_the_end(monkeypatch, server, tmp_path, capsys):
    monkeypatch.setattr(session, "FINISH_SECONDS", 2)
    over = threading.Event()
    mirror = open_mirror("wandb")
    mirror.start(run_record(), tmp_path)
    for name in ("answer", "stream"):
        monkeypatch.setattr(server, name, lambda *_: over.wait())
    mirror.step({"direction_rms": 1.0})
    mirror.finish()
    over.set()
    assert "tracking stopped" in capsys.readouterr().err


def test_a_wrong_mode_is_said_and_does_not_fail_the_run(monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("WANDB_MODE", "onlin")
    mirror = open_mirror("wandb")
    mirror.start(run_record(), tmp_path)
    mirror.finish()
    assert "tracking stopped" in capsys.readouterr().err
    assert list(tmp_path.glob("wandb*")) == []
