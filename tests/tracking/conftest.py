"""W&B as on a new machine: no variable, no key, a home of its own; what it holds in the process goes at the end."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from wandb_server import KEY, wandb_server


@pytest.fixture(autouse=True)
def new_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """No key anywhere."""
    import wandb

    for name in list(os.environ):
        if name.startswith("WANDB_") or name == "NETRC":
            monkeypatch.delenv(name)
    (tmp_path / "home").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("WANDB__DISABLE_STATS", "true")
    yield
    wandb.teardown()


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch):
    """A stand-in for W&B's server, with a key for it."""
    with wandb_server() as server:
        monkeypatch.setenv("WANDB_BASE_URL", server.url)
        monkeypatch.setenv("WANDB_API_KEY", KEY)
        yield server


@pytest.fixture
def sync():
    """`wandb sync FOLDER`: W&B's own reader of .wandb files, which sends them to the server; what it said."""

    def run(folder: Path) -> str:
        command = [sys.executable, "-m", "wandb", "sync", str(folder)]
        done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=120, cwd=folder.parent)
        return done.stderr

    return run
