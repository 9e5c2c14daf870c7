"""What `piva run --dry-run` says: the cost of the runs that a command would begin, in rows, time and disk."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.costs.calibration import Calibration
from benchmarks.costs.cost import (
    Cost,
    Needs,
    Rates,
    edited,
    needs_of,
    psi_bytes,
    psi_cost,
    run_cost,
    source_row_keys,
    source_rows_cost,
    together,
    untrained_psi,
)
from benchmarks.depth import Depths
from benchmarks.running.plan import Plan


@dataclass(frozen=True)
class Forecast:
    """Of some runs of one method with one prior."""

    needs: Needs
    steps: int
    rates: Rates
    cost: Cost


@dataclass(frozen=True)
class Command:
    """What a command says besides benchmark, method and prior."""

    steps: int
    psi_store: Path
    """Folder of finished psi."""
    row_cache: bool = False
    """Whether source rows are kept for other runs."""
    depths: Depths | None = None
    """Of cases, for a method whose auxiliaries read them."""


def forecast(plans: Mapping[int, Plan], method: Any, calibration: Calibration, command: Command) -> Forecast:
    """The cost of carrying out `plans`, by seed."""
    prior, needs = calibration.prior, needs_of(method)
    batch = max((len(batch.cases) for plan in plans.values() for batch in plan.batches), default=0)
    rates = calibration.rates(batch) if batch and needs.edit(command.steps).total else Rates(0.0, 0.0)
    tariff = Tariff(prior, rates, calibration.case_bytes, command.steps, command.row_cache)
    costs = []
    for seed, plan in plans.items():
        missing = untrained_psi(plan, method, prior, command.psi_store, command.depths)
        costs.append(tariff.run(method, needs, seed, edited(plan), missing))
    return Forecast(needs, command.steps, rates, together(costs))


@dataclass(frozen=True)
class Tariff:
    """What turns the needs of a method into the cost of a run."""

    prior: Any
    rates: Rates
    case_bytes: int
    steps: int
    row_cache: bool

    def run(self, method: Any, needs: Needs, seed: int, cases: int, psi: Collection[str]) -> Cost:
        """The cost of editing so many cases with one seed; `psi` are the keys of those that have to be trained."""
        rows: Mapping[str, Cost] = {}
        if self.row_cache and needs.source.total:
            keys = source_row_keys(self.prior, method, seed, self.steps)
            size = 4 * math.prod(self.prior.latent_shape)  # float32
            rows = source_rows_cost(needs, self.rates, keys, cases, size)
        trained = psi_cost(needs, self.rates, psi, psi_bytes(method, self.prior) if psi else 0)
        return run_cost(needs, self.steps, cases, self.rates, self.case_bytes, trained, rows)


def sentences(found: Forecast) -> list[str]:
    """The forecast for the terminal, a line for each kind of cost."""
    cost, whole, step = found.cost, found.cost.whole, found.needs.step
    if not cost.cases:
        return ["nothing to edit"]
    psi, source = (_shared(cost, kind) for kind in ("psi", "source rows"))
    lines = []
    if whole.rows.total:
        each = f"{step.total} a step" + (f", {step.backward} with backward" if step.backward else "")
        rows = f"{whole.rows.total:,} through the UNet"
        rows += f", {whole.rows.backward:,} of them with backward" if whole.rows.backward else ""
        lines = [f"rows  {rows}: {cost.cases} edits of {found.steps} steps, {each}"]
        if psi:
            lines.append(f"psi   {sum(psi):,} of these rows train {len(psi)} stored psi, once for all runs")
        if source:
            lines.append(f"cache {sum(source):,} of these rows are kept for other runs, or found where one left them")
        rates = f"{1000 * found.rates.forward:.3g} ms a row"
        rates += f" and {1000 * found.rates.backward:.3g} ms one with backward" if whole.rows.backward else ""
        hours = f"{whole.seconds:,.0f} s ({whole.seconds / 3600:.2f} h) of editing"
        lines.append(f"time  {hours}, loading and scoring not counted: {rates}, {found.rates.origin}")
    what = ["images", "records", *(["psi"] if psi else []), *(["source rows"] if source else [])]
    return [*lines, f"disk  {whole.disk_bytes / 1e6:,.1f} MB: {', '.join(what)}"]


def _shared(cost: Cost, kind: str) -> list[int]:
    """Rows of every shared work of a kind."""
    return [part.rows.total for key, part in cost.shared.items() if key.startswith(kind)]
