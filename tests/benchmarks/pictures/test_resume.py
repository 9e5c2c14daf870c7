"""A process killed with -9 in the middle: the next one does the rest, and the result is the same."""

import signal
import subprocess
import sys
from pathlib import Path

from harness_world import write_bench

from piva.records import read_cases, read_run

PROGRAM = """
import sys
from pathlib import Path
sys.path.insert(0, {tests!r})
import pytest
from harness_world import brighten, die_after, use_plain_world
use_plain_world(pytest.MonkeyPatch(), edit={edit})
from piva.cli import main
sys.exit(main(["run", "pie-bench", "--root", {root!r}, "--method", "dds", "--batch-size", "3", "--out", {out!r},
               "--tracker", "none"]))
"""


def launch(root, out, edit):
    tests = str(Path(__file__).resolve().parents[2])
    program = PROGRAM.format(tests=tests, root=str(root), out=str(out), edit=edit)
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)


def the_run(out):
    (folder,) = (out / "pie-bench").iterdir()
    return folder


def test_killed_and_resumed_is_as_never_killed(tmp_path):
    root = write_bench(tmp_path / "bench")
    killed = launch(root, tmp_path / "a", "die_after(6)")
    assert killed.returncode == -signal.SIGKILL
    folder = the_run(tmp_path / "a")
    assert len(read_cases(folder)) == 6
    with (folder / "cases.jsonl").open("ab") as file:
        file.write(b'{"case_id":"0000000')  # torn, as a kill in the middle of a write leaves it

    resumed = launch(root, tmp_path / "a", "brighten")
    assert resumed.returncode == 0, resumed.stderr
    assert "4 of 10 cases to edit in 2 batches, 6 done before" in resumed.stderr
    whole = launch(root, tmp_path / "b", "brighten")
    assert whole.returncode == 0, whole.stderr

    a, b = read_cases(folder), read_cases(the_run(tmp_path / "b"))
    assert folder.name == the_run(tmp_path / "b").name
    assert list(a) == list(b)
    assert [case.image_sha256 for case in a.values()] == [case.image_sha256 for case in b.values()]
    assert [case.metrics for case in a.values()] == [case.metrics for case in b.values()]
    assert [case.launch for case in a.values()] == [0] * 6 + [1] * 4
    assert len(read_run(folder).launches) == 2
    assert (folder / "cases.jsonl").read_text().count("\n") == 10
