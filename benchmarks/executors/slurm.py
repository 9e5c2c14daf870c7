"""A run by jobs of a Slurm cluster: an array with a job for each shard, followed, and brought into the run at the end.

Nothing but the file system connects the jobs with the command that submitted them: it may be stopped, and started again
to go on following. Each job is `piva run ... --shard I/N`.
"""

from __future__ import annotations

import shlex
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console

from benchmarks.executors.slurm_jobs import (
    ShardJob,
    check_cluster,
    check_installed,
    in_queue,
    script,
    submit,
)
from benchmarks.running.plan import Plan
from benchmarks.running.runs import Runs
from benchmarks.running.saying import announce, conclude
from benchmarks.running.shards import planned_shard, shard_folder
from piva.errors import INTERRUPTED, ConfigError, PreflightError
from piva.records import BusyError, RunFolder, RunRecord, read_cases
from piva.records.merge_plan import carry_out, merges
from piva.records.run_files import shards_of
from piva.tracking import mirror_recorded

LOGS = "slurm"
"""Folder below the run: logs, scripts, and which jobs there are."""
USUAL_JOBS = 8
"""Unless --workers says how many. Ours."""
SECONDS_BETWEEN_LOOKS = 1.0
SECONDS_BETWEEN_LINES = 10.0
SECONDS_OF_PATIENCE = 120.0
"""For the lock of a job that was killed on another machine, which is known to be stale a minute later. Ours."""


def check_slurm(config: Any) -> None:
    """Raises what is wrong before any work.

    Raises:
        ConfigError: submitit is not installed, or flags contradict each other.
        PreflightError: there is no Slurm.
    """
    check_installed()
    if config.shard is not None:
        raise ConfigError("--shard with --executor slurm: each of its jobs does a shard already")
    check_cluster(config.slurm)


@dataclass
class Array:
    """The jobs of one run."""

    record: RunRecord
    run: Path
    plan: Plan[Any]
    """Of the whole run, before any job."""
    wanted: dict[str, frozenset[str]]
    """Shard -> ids that it is to record."""
    jobs: list[ShardJob] = field(default_factory=list)
    over: dict[str, str | None] = field(default_factory=dict)
    """Shard of a job that is over -> what went wrong, if anything."""

    def look(self) -> None:
        """Asks after the jobs that are not known to be over."""
        for job in self.jobs:
            if job.shard not in self.over and job.job.done():
                self.over[job.shard] = job.trouble()

    def recorded(self) -> int:
        """Cases that are to be done and have a record by now."""
        return sum(len(ids & read_cases(shard_folder(self.run, shard)).keys()) for shard, ids in self.wanted.items())

    def states(self) -> Counter[str]:
        """State -> how many jobs."""
        ended = {shard: "done" if why is None else "failed" for shard, why in self.over.items()}
        return Counter(ended.get(job.shard) or job.state for job in self.jobs)


def run_shards(runs: Runs, words: Sequence[str]) -> int:
    """Submits the jobs of all seeds, waits for them, brings the shards into the runs; the exit code.

    Args:
        words: the arguments of `piva run`.

    Raises:
        ConfigError, PreflightError: the jobs of a seed were not submitted; it is said which others were.
    """
    arrays: list[Array] = []
    try:
        for seed in runs.config.seeds:
            arrays.append(_begin(runs, seed, words))
        _follow(arrays)
        return max(_end(runs, array) for array in arrays)
    except KeyboardInterrupt:
        _say_how_to_go_on(arrays, runs.config.slurm.cluster)
        return INTERRUPTED
    except (ConfigError, PreflightError):
        _say_how_to_go_on(arrays, runs.config.slurm.cluster)
        raise


def show_jobs(runs: Runs, words: Sequence[str]) -> None:
    """Prints what would be submitted, for every seed."""
    check_installed()
    for seed in runs.config.seeds:
        array = _planned(runs, seed)
        if not array.wanted:
            continue
        print(f"\n{array.run}: an array of {len(array.wanted)} jobs; what each does:")
        for shard, ids in array.wanted.items():
            print(f"  {len(ids)} cases: {shlex.join(['piva', *_command(runs, seed, words, shard)])}")
        print("\nsbatch would get:\n")
        print(script(runs.config.slurm, (array.run / LOGS).absolute(), array.run.name, len(array.wanted)))


def _planned(runs: Runs, seed: int) -> Array:
    record = runs.record(seed)
    run = runs.config.out / record.place
    whole = runs.plan(record, run)
    wished = runs.config.workers or USUAL_JOBS
    count = sum(bool(runs.share(number, wished)) for number in range(1, wished + 1))  # as there are units, at most
    plans = {f"{k}/{count}": planned_shard(runs, record, whole, f"{k}/{count}") for k in range(1, count + 1)}
    wanted = {
        shard: frozenset(case.id for case in plan.rescore).union(*(batch.wanted for batch in plan.batches))
        for shard, plan in plans.items()
        if plan.remains
    }
    return Array(record, run, whole, wanted)


def _begin(runs: Runs, seed: int, words: Sequence[str]) -> Array:
    """Submits what is missing of a run; what was submitted before and is not over is only followed."""
    run = runs.config.out / runs.record(seed).place
    logs = run / LOGS
    if not in_queue(logs):
        gather(run)
    with RunFolder(run):  # nobody else submits the same meanwhile
        array = _planned(runs, seed)
        array.jobs = in_queue(logs)
        announce(runs, run, array.plan)
        if array.plan.rescore:
            again = "without --executor slurm, the same command does that"
            print(f"  {len(array.plan.rescore)} cases are left to be scored: {again}", file=sys.stderr)
        if array.jobs:
            print(f"  {_named(array)} of an earlier command are in the queue", file=sys.stderr)
        elif array.wanted:
            commands = {shard: _command(runs, seed, words, shard) for shard in array.wanted}
            array.jobs = submit(runs.config.slurm, logs.absolute(), run.name, commands)
            print(f"  submitted {_named(array)}; logs in {logs}", file=sys.stderr)
    return array


def _command(runs: Runs, seed: int, words: Sequence[str], shard: str) -> list[str]:
    """The words after `piva` of a job: ours, and what is different; of a flag given twice the last counts."""
    own = ["--executor", "in-process", "--seeds", str(seed), "--shard", shard]
    if runs.config.tracker == "wandb":
        own += ["--tracker", "none"]  # all jobs are one run there, which has one writer: it is shown at the end
    return ["run", *words, *own]


def _named(array: Array) -> str:
    ids = [job.job.job_id for job in array.jobs]
    return f"{len(ids)} jobs ({', '.join(ids)})"


def _follow(arrays: Sequence[Array]) -> None:
    """Until no job is left, saying how far they are."""
    console = Console(stderr=True)
    if not any(array.jobs for array in arrays):
        return
    if console.is_terminal:
        with console.status("") as status:
            _wait(arrays, status.update, SECONDS_BETWEEN_LOOKS)
    else:
        _wait(arrays, lambda line: print(line, file=sys.stderr, flush=True), SECONDS_BETWEEN_LINES)


def _wait(arrays: Sequence[Array], say: Callable[[str], object], seconds: float) -> None:
    said, when = "", -seconds
    while True:
        for array in arrays:
            array.look()
        left = any(len(array.over) < len(array.jobs) for array in arrays)
        if time.monotonic() - when > seconds or not left:
            line, when = _progress(arrays), time.monotonic()
            if line != said:
                say(line)
            said = line
        if not left:
            return
        time.sleep(SECONDS_BETWEEN_LOOKS)


def _progress(arrays: Sequence[Array]) -> str:
    states = sum((array.states() for array in arrays), Counter[str]())
    recorded = sum(array.recorded() for array in arrays)
    asked = sum(len(ids) for array in arrays for ids in array.wanted.values())
    jobs = ", ".join(f"{count} {state}" for state, count in sorted(states.items()))
    return f"{recorded} of {asked} cases recorded; jobs: {jobs}"


def _end(runs: Runs, array: Array) -> int:
    """Brings the shards into the run, and says how the cases ended and which jobs did not get through."""
    if array.jobs:
        gather(array.run, SECONDS_OF_PATIENCE)
        if runs.config.tracker == "wandb":
            mirror_recorded("wandb", array.run, runs.config.tags)
    code = conclude(array.run, array.plan)
    ids = {job.shard: job for job in array.jobs}
    for shard, why in array.over.items():
        if why is not None:
            job = ids[shard]
            print(f"job {job.job.job_id} (shard {shard}) {why}; its log is {job.log}", file=sys.stderr)
    if any(array.over.values()):
        print("the same command submits what is missing", file=sys.stderr)
    return code


def gather(run: Path, patience: float = 0.0) -> None:
    """Brings the shards that lie below a run into it.

    Args:
        patience: seconds to wait for a shard that somebody seems to write to.

    Raises:
        BusyError: somebody writes to the run, or to a shard.
        ConfigError: a shard is damaged.
    """
    end = time.monotonic() + patience
    while shards_of(run):
        (merge,) = merges([str(run)], run.parent.parent, None)
        try:
            carry_out(merge, keep_shards=False)
            return
        except BusyError:
            if time.monotonic() > end:
                raise
            time.sleep(SECONDS_BETWEEN_LOOKS)


def _say_how_to_go_on(arrays: Sequence[Array], cluster: str) -> None:
    ids = [job.job.job_id for array in arrays for job in array.jobs if job.shard not in array.over]
    if not ids:
        return
    if cluster == "local":
        how = f"stop them: kill {' '.join(ids)}"
    else:
        numbers = sorted({id_.partition("_")[0] for id_ in ids})
        how = f"look: squeue -j {','.join(numbers)}; stop them: scancel {' '.join(numbers)}"
    print(f"\n{len(ids)} jobs go on ({how})", file=sys.stderr)
    print("the same command follows them and finishes the run; without it:", file=sys.stderr)
    for array in arrays:
        print(f"  piva merge {array.run}", file=sys.stderr)
