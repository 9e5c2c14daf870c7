"""`piva run ... --dry-run`: what would be done, and what it would cost."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from piva.errors import COMPLETE

if TYPE_CHECKING:
    from benchmarks.costs.calibration import Calibration
    from benchmarks.costs.forecast import Command
    from benchmarks.pictures.runs import PictureRuns
    from benchmarks.running.runs import Runs
    from benchmarks.scenes.runs import SceneRuns


def forecast(runs: "Runs", words: Sequence[str]) -> int:
    """Prints it for every seed: rows of the UNet, time, room on the disk; and the jobs, where a cluster does the work.

    Args:
        words: the arguments of `piva run`.
    """
    from benchmarks.scenes.runs import SceneRuns

    if isinstance(runs, SceneRuns):
        _of_scenes(runs)
    else:
        _of_pictures(runs)  # type: ignore[arg-type]
    if runs.config.executor == "slurm":
        from benchmarks.executors.slurm import show_jobs

        show_jobs(runs, words)
    return COMPLETE


def _of_pictures(runs: "PictureRuns") -> None:
    """Also what a whole sweep over the benchmark would cost."""
    from benchmarks.costs.calibration import Calibration
    from benchmarks.costs.forecast import Command, forecast, sentences
    from benchmarks.running.saying import announce
    from benchmarks.running.shards import folder_of, planned
    from piva.folders import cache_folder

    config, plans = runs.config, {}
    for seed in config.seeds:
        record = runs.record(seed)
        plans[seed] = planned(runs, record)
        announce(runs, folder_of(runs, record), plans[seed])
    runs.preflight(list(plans.values()), [])
    calibration = Calibration(runs.prior, config.method, config.out)
    command = Command(config.steps, cache_folder() / "psi", config.row_cache_gb > 0, runs.depths)
    print("\n".join(sentences(forecast(plans, config.method, calibration, command))))
    _print_sweep(runs, calibration, command)


def _print_sweep(runs: "PictureRuns", calibration: "Calibration", command: "Command") -> None:
    from benchmarks.costs.forecast import Tariff
    from benchmarks.costs.sweep_forecast import forecast_sweep, sweep_table
    from piva.data.pie_bench import DataError
    from piva.provenance import collect
    from reports.tables.terminal import wide_console

    config, prior = runs.config, runs.prior
    try:
        cases = runs.benchmark.cases(runs.root)
    except DataError as problem:  # in cases that this command does not ask for
        print(f"the whole sweep is not reckoned: {problem}")
        return
    rates = calibration.rates(min(config.batch_size, len(cases)))
    tariff = Tariff(prior, rates, calibration.case_bytes, command.steps, command.row_cache)
    found = forecast_sweep(cases, config.seeds, config.method, tariff)
    device = collect(str(prior.device)).device
    wide_console().print(sweep_table(found, len(cases), len(config.seeds), tariff, device))


def _of_scenes(runs: "SceneRuns") -> None:
    from benchmarks.costs.calibration import earlier_runs
    from benchmarks.costs.cost import needs_of
    from benchmarks.running.saying import announce
    from benchmarks.running.shards import folder_of, planned
    from benchmarks.scenes.forecast import sentences
    from piva.folders import cache_folder
    from piva.provenance import collect

    config: Any = runs.config
    earlier, here = earlier_runs(config.out), collect(str(runs.prior.device))
    needs = needs_of(config.method).edit(config.steps)
    for seed in config.seeds:
        record = runs.record(seed)
        plan = planned(runs, record)
        announce(runs, folder_of(runs, record), plan)
        runs.preflight([plan], [record])
        rows = plan.edits * config.scene.views * needs.total
        print(f"rows  {rows:,} through the UNet: {plan.edits} edits, {config.steps} steps, {config.scene.views} views")
        for line in sentences(plan, record, config, earlier, here, cache_folder() / "fields"):
            print(line)
