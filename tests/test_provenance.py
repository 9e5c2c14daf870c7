"""Where a number came from."""

import hashlib
import os
import platform
import subprocess
import sys

import pytest
import torch

from piva import provenance
from piva.provenance import collect, diff_hash, git_state, package_versions


def test_provenance_names_command_code_and_machine():
    made = collect()
    assert made.command
    assert made.packages == package_versions()
    assert {"torch", "diffusers", "numpy"} <= made.packages.keys()
    assert made.threads >= 1
    assert made.device == "cpu"
    assert made.cpu.endswith(f" x{os.cpu_count()}")
    assert made.python == platform.python_version()


def test_git_state_tells_a_dirty_tree(tmp_path):
    def git(*arguments):
        identity = ["-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false"]
        subprocess.run(["git", "-C", tmp_path, *identity, *arguments], check=True, capture_output=True)

    assert git_state(tmp_path) == (None, None)
    git("init")
    (tmp_path / "a").write_text("1")
    git("add", "a")
    git("commit", "-m", "one")
    commit, dirty = git_state(tmp_path)
    assert len(commit) == 40
    assert dirty is False
    (tmp_path / "untracked").write_text("1")
    assert git_state(tmp_path) == (commit, False)
    (tmp_path / "a").write_text("2")
    assert git_state(tmp_path) == (commit, True)
    diff = subprocess.run(["git", "-C", tmp_path, "diff", "HEAD", "--binary"], capture_output=True, check=True).stdout
    assert diff_hash(tmp_path) == hashlib.sha256(diff).hexdigest()
    (tmp_path / "a").write_text("3")
    assert diff_hash(tmp_path) != hashlib.sha256(diff).hexdigest()


def test_the_switches_of_determinism_are_noted(monkeypatch):
    monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    monkeypatch.setattr(torch.backends.cudnn, "benchmark", not torch.backends.cudnn.benchmark)
    assert collect().determinism == {
        "deterministic_algorithms": torch.are_deterministic_algorithms_enabled(),
        "cudnn.deterministic": torch.backends.cudnn.deterministic,
        "cudnn.benchmark": torch.backends.cudnn.benchmark,
        "cudnn.allow_tf32": torch.backends.cudnn.allow_tf32,
        "float32_matmul_precision": torch.get_float32_matmul_precision(),
        "CUBLAS_WORKSPACE_CONFIG": ":4096:8",
    }


@pytest.mark.parametrize(
    ("line", "version"),
    [
        ("NVRM version: NVIDIA UNIX x86_64 Kernel Module  550.54.15  Tue Mar  5 22:23:56 UTC 2024", "550.54.15"),
        ("NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  575.57.08  Release Build  (a@b)", "575.57.08"),
        ("NVRM version: something else", None),
    ],
)
def test_the_driver_s_version_is_read_of_its_own_file(line, version, monkeypatch, tmp_path):
    file = tmp_path / "version"
    monkeypatch.setattr(provenance, "DRIVER", file)
    assert collect().driver is None
    file.write_text(f"{line}\nGCC version:  gcc version 12.3.0 (Ubuntu 12.3.0-1ubuntu1)\n")
    assert collect().driver == version


def test_what_a_process_without_torch_does_is_noted_without_loading_it():
    code = "import sys; from piva.provenance import collect; print(collect().determinism, 'torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=os.environ)
    assert done.stdout == "{} False\n"
