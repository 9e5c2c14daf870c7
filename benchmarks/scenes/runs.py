"""The runs of one `piva run` on a benchmark of scenes: models loaded, ready to be planned and done."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import models
from benchmarks.preflight.checks import preflight_scenes
from benchmarks.running.plan import Batch, Plan, spread
from benchmarks.running.recording import Writer
from benchmarks.running.watching import Watchers
from benchmarks.scenes import launch
from benchmarks.scenes.benchmark import SceneBenchmark, SceneEditCase
from benchmarks.scenes.runner import SceneJob, execute
from piva.metrics.scene_scorer import SceneScorer
from piva.records import RunRecord


@dataclass(frozen=True)
class SceneRuns:
    """What every seed's run shares; whoever does a part of the work has one."""

    benchmark: SceneBenchmark
    config: Any
    """SceneRunConfig, with `method`."""
    root: Path
    cases: list[SceneEditCase]
    """Those asked for, in the order of the plan."""
    prior: Any
    scorer: SceneScorer

    batch_size = 1
    """Each edit is made alone."""

    @classmethod
    def opened(cls, benchmark: SceneBenchmark, config: Any, by_workers: bool = False) -> SceneRuns:
        """The runs that the settings ask for. Raises as `PictureRuns.opened` does."""
        root = benchmark.locate(config.root, config.split)
        cases = spread(benchmark.cases(root, types=config.type, ids=config.case), config.limit)
        read = models.prior_facts if by_workers else models.load_prior
        prior: Any = read(config.prior, config.method)
        models.check_method(config.method, prior, config.steps)
        launch.check_editor(config.method, prior, config.scene, cases)
        if config.prior.drop_text_encoder and not (by_workers or config.dry_run):
            edits = [case.edit for case in cases]
            captions = [(edit.source, edit.target) for edit in edits]
            models.drop_text_encoder(prior, config.method, captions, [edit.instruction for edit in edits])
        device = "cpu" if by_workers else str(prior.device)
        scorer = launch.load_scene_scorer(device, config, benchmark.pictures)
        return cls(benchmark, config, root, cases, prior, scorer)

    def record(self, seed: int) -> RunRecord:
        """The run of a seed, with both keys and no launch."""
        return launch.describe(self.benchmark, self.root, self.config, self.prior, self.scorer, seed)

    def plan(self, record: RunRecord, folder: Path) -> Plan[SceneEditCase]:
        """What remains to be done, given what the run's folder holds."""
        return launch.plan_scenes(folder, self.benchmark, record, self.cases, self.config.overwrite)

    def share(self, number: int, of: int) -> frozenset[str]:
        """The edits of a shard, `number` from 1: those of every so manyth scene."""
        scenes = list(dict.fromkeys(case.edit.folder for case in self.cases))
        ours = set(scenes[number - 1 :: of])
        return frozenset(case.id for case in self.cases if case.edit.folder in ours)

    def units(self, plan: Plan[SceneEditCase]) -> list[Plan[SceneEditCase]]:
        """The plan in parts that are done together by one worker: all that remains to be done of a scene."""
        scenes: dict[Path, tuple[list[Batch[SceneEditCase]], list[SceneEditCase]]] = {}
        for case in plan.rescore:
            scenes.setdefault(case.edit.folder, ([], []))[1].append(case)
        for batch in plan.batches:
            scenes.setdefault(batch.cases[0].edit.folder, ([], []))[0].append(batch)
        return [plan.part(tuple(batches), tuple(again)) for batches, again in scenes.values()]

    def apart(self, plan: Plan[SceneEditCase]) -> list[Plan[SceneEditCase]]:
        """A unit in parts of one edit each, for a worker to try alone what others died of."""
        return [plan.part((batch,)) for batch in plan.batches] + [plan.part((), (case,)) for case in plan.rescore]

    def known(self, case: SceneEditCase) -> dict[str, Any]:
        """What the record of a case says of it, however it ends."""
        return {"scene": case.edit.scene, "src": case.edit.source, "tgt": case.edit.target}

    def do(self, record: RunRecord, plan: Plan[SceneEditCase], folder: Writer, watchers: Watchers) -> None:
        """Reconstructs, edits, scores and records what the plan says. Raises as `benchmarks.scenes.runner.execute`."""
        config, prior = self.config, self.prior
        edit = launch.scene_editor(config.method, prior, config.scene, config.steps, record.seed)
        job = SceneJob(
            folder, record, launch.workshop(config, prior), edit, self.scorer, config.metrics_every,
            watchers.observers, watchers.goes_on, watchers.on_look,
        )  # fmt: skip
        execute(job, plan, watchers.on_reconstruction)

    def preflight(self, plans: Sequence[Plan[SceneEditCase]], records: Sequence[RunRecord]) -> None:
        """Raises PreflightError where the runs cannot succeed as things are; a dry run only says so."""
        preflight_scenes(self.config, self.prior, plans, records)

    def intentions(self, plan: Plan[SceneEditCase]) -> list[str]:
        """What is going to be done, in phrases."""
        scenes = len({case.edit.folder for batch in plan.batches for case in batch.cases})
        parts = [f"{plan.edits} of {len(plan.cases)} edits to make, of {scenes} scenes"]
        return parts + ([f"{len(plan.rescore)} to score"] if plan.rescore else [])

    def notes(self, plan: Plan[SceneEditCase]) -> list[str]:
        """What else is worth knowing before it begins, in sentences."""
        return []
