"""What `piva run --dry-run` says: the cost of the runs that a command would begin, in rows, time and disk."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.calibration import Rates, case_bytes, earlier_runs, measured_rates, recorded_rates
from benchmarks.cost import (
    Cost,
    Needs,
    edited,
    needs_of,
    psi_bytes,
    psi_cost,
    run_cost,
    source_rows_cost,
    together,
    untrained_psi,
)
from benchmarks.plan import Plan


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
    out: Path
    """Folder of earlier runs, from which rates and sizes are learned; without fitting ones the prior is timed."""
    psi_store: Path
    """Folder of finished psi."""
    row_cache: bool = False
    """Whether source rows are kept for other runs."""


def forecast(plans: Mapping[int, Plan], method: Any, prior: Any, command: Command) -> Forecast:
    """The cost of carrying out `plans`, by seed."""
    needs, earlier, steps = needs_of(method), earlier_runs(command.out), command.steps
    batch = max((len(batch.cases) for plan in plans.values() for batch in plan.batches), default=0)
    rates = Rates(0.0, 0.0)
    if batch and needs.edit(steps).total:
        rates = recorded_rates(earlier, prior, batch) or measured_rates(prior, method, needs, batch)
    costs = []
    for seed, plan in plans.items():
        cases, missing, rows = edited(plan), untrained_psi(plan, method, prior, command.psi_store), {}
        if command.row_cache and needs.source.total:
            key = f"{prior.fingerprint} {method.t_min}-{method.t_max} seed {seed}"
            size = 4 * math.prod(prior.latent_shape)  # float32
            rows = source_rows_cost(needs, rates, key, steps, cases, size)
        psi = psi_cost(needs, rates, missing, psi_bytes(method, prior) if missing else 0)
        costs.append(run_cost(needs, steps, cases, rates, case_bytes(earlier, prior.image_size), psi, rows))
    return Forecast(needs, steps, rates, together(costs))


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
