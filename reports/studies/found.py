"""What a study asks for, and what of it is recorded: matched by settings, so that no model has to be loaded for a page.

Two runs of the same settings can differ in their data's version or their prior's weights; of those the latest counts.
Of cases that are others in a later run of the study, only the later ones do (`of_the_latest_data`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from benchmarks.sweeps.arguments import arguments
from benchmarks.sweeps.points import Point, grid_points
from benchmarks.sweeps.schema import Sweep
from piva.commands.run_settings import run_settings
from piva.config import PriorConfig, Settings, identity_values
from piva.data.pie_bench import EDIT_TYPES
from piva.records import CaseRecord, RunRecord
from piva.stats import Interval, bootstrap_mean
from reports.reading import Run
from reports.tables.cells import SEED


@dataclass(frozen=True)
class Setting:
    """A point of a study's sweep, and its runs."""

    part: str
    """Name of the sweep's file, without its ending."""
    point: Point
    """Values of the sweep's parameters."""
    benchmark: str
    config: Any
    """RunConfig or SceneRunConfig, with `method`."""
    runs: tuple[Run | None, ...]
    """One for each seed, in order; None where nothing is recorded."""

    @property
    def run(self) -> Run | None:
        """The first seed's."""
        return self.runs[0]

    @property
    def recorded(self) -> list[Run]:
        """Those there are."""
        return [run for run in self.runs if run is not None]

    @property
    def asked(self) -> int:
        """Cases of one run: as many as the flags say, or as its launches were asked for where none are chosen."""
        named = len(self.config.case) or self.config.limit or 0
        chosen = self.config.case or self.config.type
        return max([named, *(len(self.cases(run)) if chosen else len(run.planned) for run in self.recorded)])

    def cases(self, run: Run) -> dict[str, CaseRecord]:
        """A run's records of the cases that the flags choose; other settings' cases may stand in the same run."""
        ids, types = self.config.case, self.config.type
        return {
            id_: case
            for id_, case in run.cases.items()
            if (not ids or id_ in ids) and (not types or {case.type_id, EDIT_TYPES.get(case.type_id)} & set(types))
        }

    def values(self, name: str) -> dict[str, float]:
        """Case id -> a score or a cost with the first seed, of the cases that have it; in the order of their ids."""
        return {} if self.run is None else values(self.run, name)

    def interval(self, name: str) -> Interval:
        """Mean and bootstrap interval over them."""
        run = self.run
        return bootstrap_mean([] if run is None else [run.value(id_, name) for id_ in sorted(run.ok)], SEED)


def settings_of(sweep: Sweep, runs: Sequence[Run]) -> list[Setting]:
    """Every point of a sweep, with those of `runs` that are of it."""
    found = []
    for point in grid_points(sweep):
        benchmark, config = run_settings(arguments(sweep, point)[1:])
        matching = [run for run in runs if is_of(run.record, benchmark.name, config)]
        by_seed = tuple(_latest([run for run in matching if run.record.seed == seed]) for seed in config.seeds)
        found.append(Setting(sweep.path.stem, point, benchmark.name, config, by_seed))
    return found


def of_the_latest_data(runs: Sequence[Run]) -> list[Run]:
    """The runs without the cases that a later run has otherwise (image, prompts, mask or true edit).

    To a study's page they are left to do, as they are to the study.
    """
    ordered = sorted(runs, key=_started, reverse=True)
    latest: dict[tuple[str, str | None, str], CaseRecord] = {}
    found = {}
    for run in ordered:
        place = (run.record.benchmark, run.record.split)
        kept = {id_: case for id_, case in run.cases.items() if _is_same(case, latest.setdefault((*place, id_), case))}
        found[run.path] = run if len(kept) == len(run.cases) else Run(run.path, run.record, kept)
    return [found[run.path] for run in runs]


def _is_same(case: CaseRecord, other: CaseRecord) -> bool:
    known = case.score_content and other.score_content
    return case.content == other.content and (not known or case.score_content == other.score_content)


def is_of(record: RunRecord, benchmark: str, config: Any) -> bool:
    """Whether a run has these settings, with one of their seeds."""
    if (record.benchmark, record.method, record.steps) != (benchmark, config.method.name, config.steps):
        return False
    usual = "test" if record.split is not None and config.root is None else None
    split = config.split or usual
    if record.seed not in config.seeds or (split is not None and record.split != split):
        return False
    parts: list[tuple[Settings, Any]] = [(config.method, record.settings)]
    if record.scenes is not None:
        parts += [(getattr(config, name), record.scenes.get(name, {})) for name in ("scene", "reconstruction")]
        asked = {name: getattr(config, name) for name in ("downscale", "eval_views")}
        if any(record.scenes.get(name, value) != value for name, value in asked.items()):
            return False
    known = {name: value for name, value in record.prior.items() if name in PriorConfig.model_fields}
    return all(_same(*part) for part in (*parts, (config.prior, known)))


def values(run: Run, name: str) -> dict[str, float]:
    """Case id -> a run's score or cost, of the cases that have it; in the order of their ids."""
    found = {case_id: run.value(case_id, name) for case_id in sorted(run.ok)}
    return {case_id: value for case_id, value in found.items() if value is not None}


def _same(wanted: Settings, recorded: Any) -> bool:
    """Whether recorded values are these settings, as far as results depend on them; what was added later counts as its
    default."""
    try:
        return identity_values(type(wanted).model_validate(recorded)) == identity_values(wanted)
    except ValidationError:  # of another version
        return False


def _latest(runs: Sequence[Run]) -> Run | None:
    return max(runs, key=_started) if runs else None


def _started(run: Run) -> str:
    """When its last launch began."""
    return run.record.launches[-1].started if run.record.launches else ""
