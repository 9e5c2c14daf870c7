"""Where a number came from."""

import subprocess

from piva.provenance import collect, git_state, package_versions


def test_provenance_names_command_code_and_machine():
    made = collect()
    assert made.command
    assert made.packages == package_versions()
    assert {"torch", "diffusers", "numpy"} <= made.packages.keys()
    assert made.threads >= 1
    assert made.device == "cpu"


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
