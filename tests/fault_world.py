"""Runs of the real command in processes of their own, to be killed and starved; and what must then be on disk."""

import json
import multiprocessing
import os
import resource
import signal
import sys
import time
from functools import cache
from multiprocessing import forkserver
from multiprocessing.context import BaseContext
from multiprocessing.process import BaseProcess
from pathlib import Path

from piva.keys import file_hash
from piva.records import read_cases, read_run

FLAGS = ("--method", "piva", "--method.aux.lr", "0.01", "--steps", "4", "--batch-size", "2", "--tracker", "csv")


IMPORTS = ("benchmarks.executors", "piva.priors.stable_diffusion", "piva.metrics.loading", "piva.auxiliary.lora")


def words(bench: Path, out: Path, prior: Path, *flags: str) -> list[str]:
    """The arguments of a run of eight steps on a small data set."""
    place = ["--root", str(bench), "--out", str(out), "--prior.model", str(prior)]
    return ["run", "pie-bench", *place, *FLAGS, *flags]


def start(arguments: list[str], log: Path, file_bytes: int | None = None) -> BaseProcess:
    """`piva` with these arguments in a process of its own; it can write no file of more than `file_bytes`.

    Processes are forked from one that has imported everything and done nothing, so that a life takes a second or two.
    """
    process = _nursery().Process(target=_live, args=(arguments, log, file_bytes))
    process.start()
    return process


def finish(arguments: list[str], log: Path, file_bytes: int | None = None) -> int:
    """The exit code of a run that is left alone."""
    return code_of(start(arguments, log, file_bytes))


def code_of(process: BaseProcess) -> int:
    """The exit code of a run, once it has ended."""
    process.join(300)
    assert process.exitcode is not None, "the run does not end"
    return process.exitcode


@cache
def _nursery() -> BaseContext:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(list(IMPORTS))
    before = os.environ.get("OMP_NUM_THREADS")
    os.environ["OMP_NUM_THREADS"] = "1"
    try:
        forkserver.ensure_running()
    finally:
        if before is None:
            del os.environ["OMP_NUM_THREADS"]
        else:
            os.environ["OMP_NUM_THREADS"] = before
    return context


def _live(arguments: list[str], log: Path, file_bytes: int | None) -> None:
    with log.open("ab") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    if file_bytes is not None:  # without the signal a write beyond it fails, as one on a full disk does
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (file_bytes, resource.RLIM_INFINITY))
    from piva.cli import main

    sys.exit(main(arguments))


def run_folder(out: Path) -> Path | None:
    """The only run below `out`, once it is there."""
    found = list(out.glob("pie-bench/*/run.json"))
    return found[0].parent if found else None


def wait_for_lines(out: Path, count: int, process: BaseProcess) -> None:
    """Until so many cases are recorded, or the process has ended."""
    while process.is_alive():
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
