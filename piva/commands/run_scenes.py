"""`piva run BENCHMARK --method NAME` on a benchmark of scenes: one run for each seed; continues what is recorded."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from piva.commands.run import conclude
from piva.commands.run_settings import scene_settings
from piva.errors import COMPLETE, INTERRUPTED
from piva.registry import resolve

if TYPE_CHECKING:
    from benchmarks.plan import Plan
    from benchmarks.scenes import SceneBenchmark, SceneEditCase
    from benchmarks.watching import Watch
    from piva.metrics.scene_scorer import SceneScorer
    from piva.records import RunFolder, RunRecord


@dataclass(frozen=True)
class Tools:
    """What every seed's run shares."""

    benchmark: "SceneBenchmark"
    config: Any
    """SceneRunConfig, with `method`."""
    root: Path
    cases: "list[SceneEditCase]"
    prior: Any
    scorer: "SceneScorer"
    watch: "Watch"


def main(name: str, arguments: Sequence[str], watch: "Watch | None" = None) -> int:
    """Exit code: complete, some cases failed, or interrupted.

    Raises:
        benchmarks.watching.Stopped: `watch`, which is told of every case, ended the run.
    """
    from benchmarks import SCENE_BENCHMARKS

    benchmark = resolve("benchmark", SCENE_BENCHMARKS, name)
    tools = _prepare(benchmark, scene_settings(benchmark, arguments), watch)
    if tools.config.dry_run:
        return _forecast(tools)
    codes = []
    for seed in tools.config.seeds:
        codes.append(_run(tools, seed))
        if codes[-1] == INTERRUPTED:
            break
    return max(codes)


def _prepare(benchmark: "SceneBenchmark", config: Any, watch: "Watch | None" = None) -> Tools:
    """Everything that can be wrong before any work is found here."""
    from benchmarks import launch, scene_launch
    from benchmarks.plan import spread
    from benchmarks.watching import Unwatched
    from piva.tracking import check_tracker

    check_tracker(config.tracker)
    if not config.dry_run:
        launch.check_disk(config.out)
    root = benchmark.locate(config.root, config.split)
    cases = spread(benchmark.cases(root, types=config.type, ids=config.case), config.limit)
    prior = launch.load_prior(config.prior)
    launch.check_method(config.method, prior)
    if config.prior.drop_text_encoder and not config.dry_run:
        prior.drop_text_encoder(["", *(prompt for case in cases for prompt in (case.edit.source, case.edit.target))])
    scorer = scene_launch.load_scene_scorer(str(prior.device), config, benchmark.pictures)
    return Tools(benchmark, config, root, cases, prior, scorer, watch or Unwatched())


def _forecast(tools: Tools) -> int:
    """Says what would be done, and what that takes: rows of the UNet, time and room on the disk."""
    from benchmarks.calibration import earlier_runs
    from benchmarks.cost import needs_of
    from benchmarks.pie_bench import cache_folder
    from benchmarks.scene_forecast import sentences
    from benchmarks.scene_launch import plan_scenes
    from piva.provenance import collect

    config = tools.config
    runs, here = earlier_runs(config.out), collect(str(tools.prior.device))
    needs = needs_of(config.method).edit(config.steps)
    for seed in config.seeds:
        record, path = _described(tools, seed)
        plan = plan_scenes(path, tools.benchmark, record, tools.cases)
        _announce(path, plan)
        rows = plan.edits * config.scene.views * needs.total
        print(f"rows  {rows:,} through the UNet: {plan.edits} edits, {config.steps} steps, {config.scene.views} views")
        for line in sentences(plan, record, config, runs, here, cache_folder() / "fields"):
            print(line)
    return COMPLETE


def _described(tools: Tools, seed: int) -> "tuple[RunRecord, Path]":
    """The record of a seed's run, and the run's folder."""
    from benchmarks.launch import run_path
    from benchmarks.scene_launch import describe

    record = describe(tools.benchmark, tools.root, tools.config, tools.prior, tools.scorer, seed)
    return record, run_path(tools.config.out, record)


def _run(tools: Tools, seed: int) -> int:
    from benchmarks.scene_launch import plan_scenes
    from piva.records import RunFolder
    from piva.tracking import agent_waits, mirror_recorded

    record, path = _described(tools, seed)
    with RunFolder(path) as folder:  # planned only now: nobody else can add records any more
        plan = plan_scenes(path, tools.benchmark, record, tools.cases)
        _announce(path, plan)
        if plan.remains and _execute(tools, record, folder, plan, seed):
            return INTERRUPTED
        if not plan.remains and agent_waits():
            mirror_recorded(tools.config.tracker, path, tools.config.tags)
    return conclude(path, plan)


def _execute(tools: Tools, record: "RunRecord", folder: "RunFolder", plan: "Plan[SceneEditCase]", seed: int) -> bool:
    """Does the work; true if it was interrupted from the keyboard."""
    from benchmarks.launch import launched
    from benchmarks.progress import Bar
    from benchmarks.scene_launch import scene_editor, workshop
    from benchmarks.scene_runner import SceneJob, execute
    from piva.tracking import open_mirror

    config, prior = tools.config, tools.prior
    record = launched(record, folder.path, plan.cases, 1, str(prior.device))
    folder.write_run(record)
    edit = scene_editor(config.method, prior, config.scene, config.steps, seed)
    mirror = open_mirror(config.tracker, config.tags)
    mirror.start(record, folder.path)
    try:
        with Bar(record.method, plan.edits + len(plan.rescore), config.steps) as bar:
            job = SceneJob(
                folder, record, workshop(config, prior), edit, tools.scorer, config.metrics_every,
                (bar, mirror, tools.watch), tools.watch.goes_on, mirror.look,
            )  # fmt: skip
            execute(job, plan, bar.note_reconstruction)
    except KeyboardInterrupt:
        print("\ninterrupted; what is recorded is kept, and the same command does the rest", file=sys.stderr)
        return True
    finally:
        mirror.finish()
    return False


def _announce(path: Path, plan: "Plan[SceneEditCase]") -> None:
    scenes = len({case.edit.folder for batch in plan.batches for case in batch.cases})
    parts = [f"{plan.edits} of {len(plan.cases)} edits to make, of {scenes} scenes"]
    parts += [f"{len(plan.rescore)} to score"] if plan.rescore else []
    parts += [f"{len(plan.done)} done before"] if plan.done else []
    print(f"{path}: " + ", ".join(parts), file=sys.stderr)
