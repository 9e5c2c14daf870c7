"""The runs that a command line is, before any of them is begun: records, folders, cases, and what is left to do.

Keys are made of what a run depends on, so that a sweep is known by its runs' folders. No prior's weights are loaded for
that; scorers are, on the CPU, for the ids of their metrics.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import redirect_stderr
from dataclasses import dataclass, field
from functools import cached_property
from io import StringIO
from pathlib import Path
from typing import Any

from benchmarks import models
from benchmarks.depth import Depths, depths_of
from benchmarks.pictures import launch
from benchmarks.running.plan import Contents, Plan, compose, contents, spread
from benchmarks.scenes import launch as scene_launch
from benchmarks.scenes.benchmark import SceneBenchmark
from piva.commands.run_settings import run_settings
from piva.config import MetricFlags, PriorConfig
from piva.errors import ConfigError
from piva.instructed import follows_instructions
from piva.records import RunRecord, read_cases


@dataclass(frozen=True)
class Work:
    """What the runs of a command line share."""

    benchmark: Any
    config: Any
    """RunConfig or SceneRunConfig, with `method`."""
    root: Path
    cases: Sequence[Any]
    """Those asked for, in order."""
    prior: Any
    """`piva.priors.facts.PriorFacts`."""
    hashes: dict[str, Contents]
    """Of cases by id; filled when they are first asked for, and shared by all command lines on the same data."""

    @property
    def of_scenes(self) -> bool:
        return isinstance(self.benchmark, SceneBenchmark)

    @cached_property
    def depths(self) -> Depths | None:
        """Of the pictures, where the method reads them."""
        if self.of_scenes:
            return None
        return depths_of(self.benchmark, self.root, self.cases, self.config.method, self.prior.image_size)

    def hashed(self, case: Any) -> Contents:
        """What the case's edit and scores depend on."""
        if case.id not in self.hashes:
            self.hashes[case.id] = self.benchmark.contents(case) if self.of_scenes else contents(case)
        return self.hashes[case.id]


@dataclass(frozen=True)
class PlannedRun:
    """One run of a command line: one seed."""

    arguments: tuple[str, ...]
    """What follows `piva`; the same for all seeds."""
    record: RunRecord
    path: Path
    cases: tuple[str, ...]
    """Ids of the cases asked for."""
    work: Work = field(repr=False, compare=False)

    def plan(self) -> Plan[Any]:
        """What remains to be done, given what the run's folder holds now."""
        together = 1 if self.work.of_scenes else self.work.config.batch_size
        recorded = read_cases(self.path)
        work, key = self.work, self.record.score_key
        return compose(work.cases, together, recorded, key, self.path, work.hashed, work.config.overwrite)


class Planner:
    """Looks up what command lines have in common once.

    Args:
        out: folder of the runs; None: the one that the command lines name.
    """

    def __init__(self, out: Path | None = None):
        self._out = out
        self._priors: dict[str, Any] = {}
        self._scorers: dict[tuple[str, ...], Any] = {}
        self._hashes: dict[tuple[str, Path], dict[str, Contents]] = {}

    def runs(self, arguments: Sequence[str]) -> list[PlannedRun]:
        """The runs of ["run", benchmark, flags ...], one for each seed.

        Raises:
            ConfigError: `piva run` would not take the arguments, or finds no such data.
            PreflightError: the prior is not on this machine.
        """
        benchmark, config = _settings(arguments)
        work = self._work(benchmark, config)
        scorer = self._scorer(config, benchmark.pictures, work.of_scenes)
        out, ids, planned = self._out or config.out, tuple(case.id for case in work.cases), []
        for seed in config.seeds:
            if work.of_scenes:
                record = scene_launch.describe(benchmark, work.root, config, work.prior, scorer, seed)
            else:
                record = launch.describe(benchmark, work.root, config, config.method, work.prior, scorer, seed)
            path = out / record.place
            planned.append(PlannedRun(tuple(arguments), record, path, ids, work))
        return planned

    def _work(self, benchmark: Any, config: Any) -> Work:
        root = benchmark.locate(config.root, config.split)
        cases = spread(benchmark.cases(root, types=config.type, ids=config.case), config.limit)
        prior = self._prior(config.prior, config.method)
        models.check_method(config.method, prior, config.steps)
        hashes = self._hashes.setdefault((benchmark.name, root.resolve()), {})
        return Work(benchmark, config, root, cases, prior, hashes)

    def _prior(self, config: PriorConfig, method: Any) -> Any:
        key = f"{follows_instructions(method)} {config.model_dump_json()}"
        if key not in self._priors:
            self._priors[key] = models.prior_facts(config, method)
        return self._priors[key]

    def _scorer(self, config: MetricFlags, pictures: Any, of_scenes: bool) -> Any:
        flags = MetricFlags(**config.model_dump(include=set(MetricFlags.model_fields)))
        key = (flags.model_dump_json(), pictures, str(of_scenes))
        if key not in self._scorers:
            load: Any = scene_launch.load_scene_scorer if of_scenes else models.load_scorer
            self._scorers[key] = load("cpu", flags, pictures)
        return self._scorers[key]


def with_errors(words: Sequence[str]) -> list[str]:
    """The words of a run, which does failed cases again unless they say otherwise: a sweep's points are to be done."""
    said = any(word.partition("=")[0] == "--overwrite" for word in words)
    return list(words) if said else [*words, "--overwrite", "retry-errors"]


def _settings(arguments: Sequence[str]) -> tuple[Any, Any]:
    """(benchmark, settings); what the command line's reader says of a wrong flag becomes the error's text."""
    said = StringIO()
    try:
        with redirect_stderr(said):
            return run_settings(with_errors(arguments[1:]))
    except SystemExit:
        box = [line.strip("│╭╮╰╯─ ") for line in said.getvalue().splitlines()[1:]]  # below its title
        reason = " ".join(" ".join(box).partition("For full helptext")[0].split())
        raise ConfigError(f"piva {' '.join(arguments)}: {reason}") from None
