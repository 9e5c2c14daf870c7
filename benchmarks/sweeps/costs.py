"""What is left of a sweep, and what that takes: rows through the UNet, seconds, bytes on the disk.

Rows are counted, seconds come from what was recorded with the same prior on this machine (`Calibration`).
Loading, scoring and the reconstruction of scenes are in no count.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import models
from benchmarks.costs.calibration import Calibration
from benchmarks.costs.cost import Cost, Needs, Rates, edited, needs_of, together, untrained_psi
from benchmarks.costs.forecast import Tariff
from benchmarks.running.plan import Plan
from benchmarks.scenes.forecast import edits_bytes
from benchmarks.sweeps.planned import PlannedRun
from piva.folders import cache_folder
from piva.instructed import follows_instructions
from piva.records import RunRecord


@dataclass(frozen=True)
class Left:
    """What is left of one point's runs."""

    runs: tuple[PlannedRun, ...]
    plans: tuple[Plan[Any], ...]
    cost: Cost
    rates: Rates | None
    """None: nothing was recorded with this prior here; `cost` then has no seconds."""

    @property
    def done(self) -> int:
        """Cases of all seeds that are done."""
        return sum(len(plan.done) for plan in self.plans)

    @property
    def cases(self) -> int:
        """Cases of all seeds."""
        return sum(len(plan.cases) for plan in self.plans)


class Prices:
    """Rates and sizes, looked up once for each prior.

    Args:
        outs: folders with runs, whose records say how long a row takes.
        measure: load a prior that nothing was recorded with, and time its rows for a second.
    """

    def __init__(self, outs: Sequence[Path], measure: bool = False):
        self._outs, self._measure = outs, measure
        self._calibrations: dict[Any, Calibration] = {}
        self._psi: dict[tuple[Any, ...], set[str]] = {}

    def of(self, runs: Sequence[PlannedRun]) -> Left:
        """What is left of the runs of one point."""
        plans = tuple(run.plan() for run in runs)
        work = runs[0].work
        price = self._scenes if work.of_scenes else self._pictures
        return price(tuple(runs), plans, needs_of(work.config.method), self._calibration(runs[0]))

    def _calibration(self, run: PlannedRun) -> Calibration:
        work, record = run.work, run.record
        kind = [record.prior["fingerprint"], *_setting(record)]
        key = json.dumps(kind, sort_keys=True)
        if key not in self._calibrations:
            self._calibrations[key] = Calibration(
                work.prior, work.config.method, *self._outs, 
                weights=lambda: models.load_prior(work.config.prior, work.config.method),
                like=lambda other: _setting(other) == _setting(record),
            )  # fmt: skip
        return self._calibrations[key]

    def _pictures(
        self, runs: tuple[PlannedRun, ...], plans: tuple[Plan[Any], ...], needs: Needs, calibration: Calibration
    ) -> Left:
        config = runs[0].work.config
        batch = max((len(batch.cases) for plan in plans for batch in plan.batches), default=1)
        rates = calibration.rates(batch) if self._measure else calibration.recorded(batch)
        tariff = Tariff(
            calibration.prior, rates or Rates(0, 0), calibration.case_bytes, config.steps, config.row_cache_gb > 0
        )
        costs = [
            tariff.run(config.method, needs, run.record.seed, edited(plan), self._untrained(run, plan))
            for run, plan in zip(runs, plans, strict=True)
        ]
        return Left(runs, plans, together(costs), rates)

    def _untrained(self, run: PlannedRun, plan: Plan[Any]) -> set[str]:
        """Keys of the psi that are yet to be trained; the same for all points that differ in nothing they depend on."""
        work, method = run.work, run.work.config.method
        if not method.auxiliaries:
            return set()
        cases = tuple(case.id for batch in plan.batches for case in batch.cases)
        key = (work.root, work.prior.fingerprint, method.aux.model_dump_json(), method.t_min, method.t_max, cases)
        if key not in self._psi:
            self._psi[key] = untrained_psi(plan, method, work.prior, cache_folder() / "psi", work.depths)
        return self._psi[key]

    def _scenes(
        self, runs: tuple[PlannedRun, ...], plans: tuple[Plan[Any], ...], needs: Needs, calibration: Calibration
    ) -> Left:
        config, rates = runs[0].work.config, calibration.recorded(1)
        rows = needs.edit(config.steps) * (1 if follows_instructions(config.method) else config.scene.views)
        costs = []
        for run, plan in zip(runs, plans, strict=True):
            whole = rows * plan.edits
            size = edits_bytes(plan, run.record, config)
            costs.append(Cost(plan.edits, whole, rates.seconds(whole) if rates else 0.0, size))
        return Left(runs, plans, together(costs), rates)


def _setting(record: RunRecord) -> tuple[Any, ...]:
    """What decides how long a row takes, besides prior, batch and machine; of pictures nothing does."""
    if record.scenes is None:
        return ()
    return record.benchmark, record.scenes["scene"], record.scenes["reconstruction"]["field"]
