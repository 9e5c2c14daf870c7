"""Runs of the real command in a process of its own, to be killed, starved and stopped; and what must then be on disk."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

from piva.keys import file_hash
from piva.records import read_cases, read_run

FLAGS = ("--method", "piva", "--method.aux.lr", "0.01", "--steps", "4", "--batch-size", "2", "--tracker", "csv")


def words(bench: Path, out: Path, prior: Path, *flags: str) -> list[str]:
    """The arguments of a run of eight steps on a small data set."""
    place = ["--root", str(bench), "--out", str(out), "--prior.model", str(prior)]
    return ["run", "pie-bench", *place, *FLAGS, *flags]


def start(arguments: list[str], log: Path, before: str = "") -> subprocess.Popen:
    """`piva` with these arguments, one thread, in a session of its own; `before` is Python that it does first."""
    program = f"import sys; {before}\nfrom piva.cli import main\nsys.exit(main({arguments!r}))"
    environment = os.environ | {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    with log.open("ab") as file:
        return subprocess.Popen(
            [sys.executable, "-c", program], stdout=file, stderr=file, env=environment, start_new_session=True
        )


def finish(arguments: list[str], log: Path, before: str = "") -> int:
    """The exit code of a run that is left alone."""
    return start(arguments, log, before).wait(300)


def run_folder(out: Path) -> Path | None:
    """The only run below `out`, once it is there."""
    found = list(out.glob("pie-bench/*/run.json"))
    return found[0].parent if found else None


def wait_for_lines(out: Path, count: int, process: subprocess.Popen) -> None:
    """Until so many cases are recorded, or the process has ended."""
    while process.poll() is None:
        files = list(out.glob("pie-bench/*/cases.jsonl"))
        if files and files[0].read_bytes().count(b"\n") >= count:
            return
        time.sleep(0.01)


def table(out: Path) -> dict:
    """What a run has found, without what it took."""
    folder = run_folder(out)
    assert folder is not None
    return {
        id_: (case.status, case.stage, case.image_sha256, case.metrics, case.batch)
        for id_, case in sorted(read_cases(folder).items())
    }


def recorded(out: Path) -> set[str]:
    """Ids of the cases that are recorded; whatever is recorded must be whole."""
    folder = run_folder(out)
    if folder is None:
        return set()
    read_run(folder)
    cases = read_cases(folder)
    for case in cases.values():
        if case.image is not None:
            assert file_hash(folder / case.image) == case.image_sha256
    return set(cases)


def lines_of(out: Path) -> list[str]:
    """The case ids of all whole lines, in the order they were written."""
    folder = run_folder(out)
    assert folder is not None
    return [json.loads(line)["case_id"] for line in (folder / "cases.jsonl").read_bytes().split(b"\n")[:-1]]
