"""The runs of one `piva run` on a benchmark of pictures: models loaded, ready to be planned and done."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from benchmarks import models
from benchmarks.depth import Depths, depths_of
from benchmarks.pictures import launch
from benchmarks.pictures.runner import RESCORE_TOGETHER, Job, execute
from benchmarks.preflight.checks import preflight_pictures
from benchmarks.running.fitting import Fitting
from benchmarks.running.plan import Batch, Plan, spread
from benchmarks.running.recording import Writer
from benchmarks.running.watching import Watchers
from piva.data.pie_bench import Case
from piva.records import RunRecord


@dataclass(frozen=True)
class PictureRuns:
    """What every seed's run shares; whoever does a part of the work has one."""

    benchmark: Any
    config: Any
    """RunConfig, with `method`."""
    root: Path
    cases: list[Case]
    """Those asked for, in the order of the plan."""
    prior: Any
    scorer: Any
    depths: Depths | None
    """None where the method reads no depth."""
    edits: Fitting = field(default_factory=Fitting)
    """How many have been found to fit in memory together."""
    scores: Fitting = field(default_factory=lambda: Fitting("scoring"))

    @classmethod
    def opened(cls, benchmark: Any, config: Any, by_workers: bool = False) -> PictureRuns:
        """The runs that the settings ask for.

        Args:
            by_workers: others edit and score; no weights are loaded here that they load.

        Raises:
            ConfigError: the settings do not fit the data or the model.
            PreflightError: data or weights are missing or cannot be read.
        """
        root = benchmark.locate(config.root, config.split)
        cases = spread(benchmark.cases(root, types=config.type, ids=config.case), config.limit)
        prior: Any = models.prior_facts(config.prior) if by_workers else models.load_prior(config.prior)
        models.check_method(config.method, prior, config.steps)
        depths = depths_of(benchmark, root, cases, config.method, prior.image_size)
        if config.prior.drop_text_encoder and not (by_workers or config.dry_run):
            models.drop_text_encoder(prior, config.method, [(case.src, case.tgt) for case in cases])
        device = "cpu" if by_workers else str(prior.device)
        scorer = models.load_scorer(device, config, benchmark.pictures)
        return cls(benchmark, config, root, cases, prior, scorer, depths)

    def record(self, seed: int) -> RunRecord:
        """The run of a seed, with both keys and no launch."""
        config = self.config
        return launch.describe(self.benchmark, self.root, config, config.method, self.prior, self.scorer, seed)

    def plan(self, record: RunRecord, folder: Path) -> Plan[Case]:
        """What remains to be done, given what the run's folder holds."""
        config = self.config
        return launch.plan_run(folder, record, self.cases, config.batch_size, config.overwrite)

    @property
    def batch_size(self) -> int:
        """Cases edited together."""
        return int(self.config.batch_size)

    def share(self, number: int, of: int) -> frozenset[str]:
        """The cases of a shard, `number` from 1: every so manyth batch of the whole."""
        size = self.batch_size
        return frozenset(case.id for k, case in enumerate(self.cases) if k // size % of == number - 1)

    def units(self, plan: Plan[Case]) -> list[Plan[Case]]:
        """The plan in parts that are done together by one worker: batches, and cases to score."""
        again = [plan.rescore[k : k + RESCORE_TOGETHER] for k in range(0, len(plan.rescore), RESCORE_TOGETHER)]
        return [plan.part((), cases) for cases in again] + [plan.part((batch,)) for batch in plan.batches]

    def apart(self, plan: Plan[Case]) -> list[Plan[Case]]:
        """A unit in parts of one case each, for a worker to try alone what others died of."""
        wanted = [case for batch in plan.batches for case in batch.cases if case.id in batch.wanted]
        alone = [plan.part((Batch((case,), frozenset([case.id])),)) for case in wanted]
        return alone + [plan.part((), (case,)) for case in plan.rescore]

    def known(self, case: Case) -> dict[str, Any]:
        """What the record of a case says of it, however it ends."""
        return {"source_size": None if case.fault else case.image_size, "src": case.src, "tgt": case.tgt}

    def do(self, record: RunRecord, plan: Plan[Case], folder: Writer, watchers: Watchers) -> None:
        """Edits, scores and records what the plan says. Raises as `benchmarks.pictures.runner.execute` does."""
        config, prior = self.config, self.prior
        every = math.gcd(config.image_every, config.metrics_every)
        edit = launch.editor(
            config.method, prior, config.steps, record.seed, config.row_cache_gb, self.depths, every, folder.path
        )
        job = Job(
            folder, record, lambda case: prior.image_size, edit, self.scorer, watchers.observers, watchers.goes_on,
            on_look=watchers.on_look, metrics_every=config.metrics_every, image_every=config.image_every,
            edits=self.edits, scores=self.scores,
        )  # fmt: skip
        execute(job, plan)

    def preflight(self, plans: Sequence[Plan[Case]], records: Sequence[RunRecord]) -> None:
        """Raises PreflightError where the runs cannot succeed as things are; a dry run only says so."""
        config = self.config
        workers = 1 if config.executor == "in-process" else config.workers or 1
        preflight_pictures(config, self.prior, plans, -(-workers // max(1, torch.cuda.device_count())))

    def intentions(self, plan: Plan[Case]) -> list[str]:
        """What is going to be done, in phrases."""
        parts = [f"{plan.edits} of {len(plan.cases)} cases to edit in {len(plan.batches)} batches"]
        return parts + ([f"{len(plan.rescore)} to score again"] if plan.rescore else [])

    def notes(self, plan: Plan[Case]) -> list[str]:
        """What else is worth knowing before it begins, in sentences."""
        height, width = self.prior.image_size
        resized = sum(case.fault is None and case.image_size != (height, width) for case in plan.cases)
        return [f"{resized} images (and their masks) are resized to the prior's {width}x{height}"] if resized else []
