"""`piva run BENCHMARK --method NAME`: one run for each seed; continues what is recorded."""

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from piva.commands.run_all import is_all
from piva.commands.run_all import main as run_all
from piva.commands.run_settings import run_settings
from piva.errors import COMPLETE, INTERRUPTED

if TYPE_CHECKING:
    from benchmarks.running.plan import Plan
    from benchmarks.running.runs import Runs
    from benchmarks.running.watching import Watch
    from piva.records import RunFolder, RunRecord


def main(arguments: Sequence[str], watch: "Watch | None" = None) -> int:
    """Exit code: complete, some cases failed, or interrupted.

    Raises:
        benchmarks.running.watching.Stopped: `watch`, which is told of every case, ended the run.
    """
    if is_all(arguments):
        return run_all(arguments, main)
    benchmark, config = run_settings(arguments)
    from benchmarks.executors import check_executor
    from benchmarks.opening import open_runs
    from benchmarks.preflight.checks import check_disk
    from benchmarks.running.shards import check_shard
    from benchmarks.running.watching import Unwatched
    from piva.tracking import check_tracker

    check_tracker(config.tracker)
    check_shard(config.shard)
    if not config.dry_run:
        check_executor(config)
        check_disk(config.out)
    runs = open_runs(benchmark, config, by_workers=config.executor != "in-process" and not config.dry_run)
    if config.dry_run:
        from piva.commands.run_forecast import forecast

        return forecast(runs, arguments)
    if config.executor == "slurm":
        from benchmarks.executors.slurm import run_shards

        return run_shards(runs, arguments)
    codes = []
    for seed in config.seeds:
        codes.append(_run(runs, seed, arguments, watch or Unwatched()))
        if codes[-1] == INTERRUPTED:
            break
    return max(codes)


def _run(runs: "Runs", seed: int, words: Sequence[str], watch: "Watch") -> int:
    from benchmarks.running.saying import announce, conclude
    from benchmarks.running.shards import folder_of, planned
    from piva.records import RunFolder
    from piva.tracking import agent_waits, mirror_recorded

    config, record = runs.config, runs.record(seed)
    path = folder_of(runs, record)
    if config.shard is not None and not planned(runs, record).cases:
        print(f"{path}: nothing to do: the run has all of this share")
        return COMPLETE
    with RunFolder(path) as folder:  # planned only now: nobody else can add records any more
        plan = planned(runs, record)
        announce(runs, path, plan)
        if plan.remains:
            runs.preflight([plan], [record])
        if plan.remains and _execute(runs, record, folder, plan, words, watch):
            return INTERRUPTED
        if not plan.remains and agent_waits():
            mirror_recorded(config.tracker, path, config.tags)
    return conclude(path, plan)


def _execute(
    runs: "Runs", record: "RunRecord", folder: "RunFolder", plan: "Plan[Any]", words: Sequence[str], watch: "Watch"
) -> bool:
    """Does the work; true if it was interrupted from the keyboard."""
    from benchmarks.executors import carry_out
    from benchmarks.executors.dispatch import Owner
    from benchmarks.pictures import under_way
    from benchmarks.running.launches import launching
    from benchmarks.running.limits import ErrorLimit, TooManyErrors
    from benchmarks.running.progress import Bar
    from benchmarks.running.watching import Watchers
    from piva.tracking import open_mirror

    config, device = runs.config, str(runs.prior.device)
    mirror = open_mirror(config.tracker, config.tags)
    with launching(record, folder, plan.cases, runs.batch_size, device, config, plan.wanted) as record:
        mirror.start(record, folder.path)
        try:
            with Bar(record.method, plan.edits + len(plan.rescore), config.steps) as bar:
                limit = ErrorLimit(config.max_errors, watch.goes_on)
                observers = (bar, mirror, watch, limit)
                watchers = Watchers(observers, limit.goes_on, mirror.look, bar.note_reconstruction)
                carry_out(runs, words, Owner(folder, record, observers), plan, watchers)
            under_way.clear(folder.path)
        except KeyboardInterrupt:
            print("\ninterrupted; what is recorded is kept, and the same command does the rest", file=sys.stderr)
            return True
        except TooManyErrors as problem:
            print(f"piva: {problem}", file=sys.stderr)
        finally:
            mirror.finish()
    return False
