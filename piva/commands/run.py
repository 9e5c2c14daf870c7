"""`piva run BENCHMARK --method NAME`: one run for each seed; continues what is recorded."""

import math
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from piva.commands.arguments import take_name
from piva.commands.run_settings import image_settings
from piva.errors import COMPLETE, INTERRUPTED, SOME_FAILED
from piva.registry import resolve

if TYPE_CHECKING:
    from benchmarks.calibration import Calibration
    from benchmarks.depth import Depths
    from benchmarks.forecast import Command
    from benchmarks.plan import Plan
    from benchmarks.watching import Watch
    from piva.data.pie_bench import Case
    from piva.records import RunFolder, RunRecord


@dataclass(frozen=True)
class Tools:
    """What every seed's run shares."""

    benchmark: Any
    config: Any
    """RunConfig, with `method`."""
    root: Path
    cases: "list[Case]"
    prior: Any
    scorer: Any
    depths: "Depths | None"
    """None where the method reads no depth."""
    watch: "Watch"


def main(arguments: Sequence[str], watch: "Watch | None" = None) -> int:
    """Exit code: complete, some cases failed, or interrupted.

    Raises:
        benchmarks.watching.Stopped: `watch`, which is told of every case, ended the run.
    """
    from benchmarks import BENCHMARKS, SCENE_BENCHMARKS

    name, rest = take_name("benchmark", BENCHMARKS | SCENE_BENCHMARKS, arguments, "run")
    if name in SCENE_BENCHMARKS:
        from piva.commands.run_scenes import main as run_scenes

        return run_scenes(str(name), rest, watch)
    config = image_settings(name, rest)
    tools = _prepare(resolve("benchmark", BENCHMARKS | SCENE_BENCHMARKS, str(name)), config, watch)
    if config.dry_run:
        return _forecast(tools)
    codes = []
    for seed in config.seeds:
        codes.append(_run(tools, seed))
        if codes[-1] == INTERRUPTED:
            break
    return max(codes)


def _prepare(benchmark: Any, config: Any, watch: "Watch | None" = None) -> Tools:
    """Everything that can be wrong before any work is found here."""
    from benchmarks.depth import depths_of
    from benchmarks.launch import check_disk, check_method, load_prior, load_scorer
    from benchmarks.plan import spread
    from benchmarks.watching import Unwatched
    from piva.tracking import check_tracker

    check_tracker(config.tracker)
    if not config.dry_run:
        check_disk(config.out)
    root = benchmark.locate(config.root, config.split)
    cases = spread(benchmark.cases(root, types=config.type, ids=config.case), config.limit)
    prior = load_prior(config.prior)
    check_method(config.method, prior)
    depths = depths_of(benchmark, root, cases, config.method, prior.image_size)
    if config.prior.drop_text_encoder and not config.dry_run:
        prior.drop_text_encoder(["", *(prompt for case in cases for prompt in (case.src, case.tgt))])
    scorer = load_scorer(str(prior.device), config, benchmark.pictures)
    return Tools(benchmark, config, root, cases, prior, scorer, depths, watch or Unwatched())


def _forecast(tools: Tools) -> int:
    """Says what would be done, and what it would cost; and what a whole sweep over the benchmark would."""
    from benchmarks.calibration import Calibration
    from benchmarks.forecast import Command, forecast, sentences
    from benchmarks.launch import plan_run
    from benchmarks.pie_bench import cache_folder

    config, plans = tools.config, {}
    for seed in config.seeds:
        record, path = _described(tools, seed)
        plans[seed] = plan_run(path, record, tools.cases, config.batch_size)
        _announce(tools, path, plans[seed])
    calibration = Calibration(tools.prior, config.method, config.out)
    command = Command(config.steps, cache_folder() / "psi", config.row_cache_gb > 0, tools.depths)
    print("\n".join(sentences(forecast(plans, config.method, calibration, command))))
    _print_sweep(tools, calibration, command)
    return COMPLETE


def _print_sweep(tools: Tools, calibration: "Calibration", command: "Command") -> None:
    from benchmarks.forecast import Tariff
    from benchmarks.sweep_forecast import forecast_sweep, sweep_table
    from piva.data.pie_bench import DataError
    from piva.provenance import collect
    from reports.terminal import wide_console

    config, prior = tools.config, tools.prior
    try:
        cases = tools.benchmark.cases(tools.root)
    except DataError as problem:  # in cases that this command does not ask for
        print(f"the whole sweep is not reckoned: {problem}")
        return
    rates = calibration.rates(min(config.batch_size, len(cases)))
    tariff = Tariff(prior, rates, calibration.case_bytes, command.steps, command.row_cache)
    found = forecast_sweep(cases, config.seeds, config.method, tariff)
    device = collect(str(prior.device)).device
    wide_console().print(sweep_table(found, len(cases), len(config.seeds), tariff, device))


def _described(tools: Tools, seed: int) -> "tuple[RunRecord, Path]":
    """The record of a seed's run, and the run's folder."""
    from benchmarks.launch import describe, run_path

    config = tools.config
    record = describe(tools.benchmark, tools.root, config, config.method, tools.prior, tools.scorer, seed)
    return record, run_path(config.out, record)


def _run(tools: Tools, seed: int) -> int:
    from benchmarks.launch import plan_run
    from piva.records import RunFolder
    from piva.tracking import agent_waits, mirror_recorded

    config = tools.config
    record, path = _described(tools, seed)
    with RunFolder(path) as folder:  # planned only now: nobody else can add records any more
        plan = plan_run(path, record, tools.cases, config.batch_size)
        _announce(tools, path, plan)
        if plan.remains and _execute(tools, record, folder, plan, seed):
            return INTERRUPTED
        if not plan.remains and agent_waits():
            mirror_recorded(config.tracker, path, config.tags)
    return conclude(path, plan)


def _execute(tools: Tools, record: "RunRecord", folder: "RunFolder", plan: "Plan", seed: int) -> bool:
    """Does the work; true if it was interrupted from the keyboard."""
    from benchmarks.launch import editor, launched
    from benchmarks.progress import Bar
    from benchmarks.runner import Job, execute
    from piva.tracking import open_mirror

    config, prior = tools.config, tools.prior
    record = launched(record, folder.path, plan.cases, config.batch_size, str(prior.device))
    folder.write_run(record)
    every = math.gcd(config.image_every, config.metrics_every)
    edit = editor(config.method, prior, config.steps, seed, config.row_cache_gb, tools.depths, every, folder.path)
    mirror = open_mirror(config.tracker, config.tags)
    mirror.start(record, folder.path)
    try:
        with Bar(record.method, plan.edits + len(plan.rescore), config.steps) as bar:
            observers, goes_on = (bar, mirror, tools.watch), tools.watch.goes_on
            job = Job(
                folder, record, lambda case: prior.image_size, edit, tools.scorer, observers, goes_on,
                on_look=mirror.look, metrics_every=config.metrics_every, image_every=config.image_every,
            )  # fmt: skip
            execute(job, plan)
    except KeyboardInterrupt:
        print("\ninterrupted; what is recorded is kept, and the same command does the rest", file=sys.stderr)
        return True
    finally:
        mirror.finish()
    return False


def _announce(tools: Tools, path: Path, plan: "Plan") -> None:
    height, width = tools.prior.image_size
    resized = sum(tuple(case.image_size) != (height, width) for case in plan.cases)
    parts = [f"{plan.edits} of {len(plan.cases)} cases to edit in {len(plan.batches)} batches"]
    parts += [f"{len(plan.rescore)} to score again"] if plan.rescore else []
    parts += [f"{len(plan.done)} done before"] if plan.done else []
    print(f"{path}: " + ", ".join(parts), file=sys.stderr)
    if resized:
        print(f"  {resized} images (and their masks) are resized to the prior's {width}x{height}", file=sys.stderr)


def conclude(path: Path, plan: "Plan") -> int:
    """Says how the cases asked for ended."""
    from piva.records import read_cases

    records = read_cases(path)
    counts = Counter(records[case.id].status for case in plan.cases)
    print(f"{path}: " + ", ".join(f"{count} {status}" for status, count in sorted(counts.items())))
    return COMPLETE if counts["ok"] == len(plan.cases) else SOME_FAILED
