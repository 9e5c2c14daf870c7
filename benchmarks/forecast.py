"""What `piva run --dry-run` says: the cost of the runs that a command would begin, in rows, time and disk."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.calibration import Rates, case_bytes, earlier_runs, measured_rates, recorded_rates
from benchmarks.cost import Cost, Needs, edited, needs_of, psi_bytes, run_cost, together, untrained_psi
from benchmarks.plan import Plan


@dataclass(frozen=True)
class Forecast:
    """Of some runs of one method with one prior."""

    needs: Needs
    steps: int
    rates: Rates
    cost: Cost


def forecast(plans: Sequence[Plan], method: Any, prior: Any, steps: int, out: Path, store: Path) -> Forecast:
    """The cost of carrying out `plans`.

    Args:
        out: folder of earlier runs, from which rates and sizes are learned; without fitting ones the prior is timed.
        store: folder of finished psi.
    """
    needs, earlier = needs_of(method), earlier_runs(out)
    batch = max((len(batch.cases) for plan in plans for batch in plan.batches), default=0)
    rates = Rates(0.0, 0.0)
    if batch and needs.edit(steps).total:
        rates = recorded_rates(earlier, prior, batch) or measured_rates(prior, method, needs, batch)
    size = case_bytes(earlier, prior.image_size)
    missing = [untrained_psi(plan, method, prior, store) for plan in plans]
    psi_size = psi_bytes(method, prior) if any(missing) else 0
    costs = [
        run_cost(needs, steps, edited(plan), rates, size, psi, psi_size)
        for plan, psi in zip(plans, missing, strict=True)
    ]
    return Forecast(needs, steps, rates, together(costs))


def sentences(found: Forecast) -> list[str]:
    """The forecast for the terminal, a line for each kind of cost."""
    cost, whole, step = found.cost, found.cost.whole, found.needs.step
    if not cost.cases:
        return ["nothing to edit"]
    lines = []
    if whole.rows.total:
        each = f"{step.total} a step" + (f", {step.backward} with backward" if step.backward else "")
        rows = f"{whole.rows.total:,} through the UNet"
        rows += f", {whole.rows.backward:,} of them with backward" if whole.rows.backward else ""
        lines = [f"rows  {rows}: {cost.cases} edits of {found.steps} steps, {each}"]
        if cost.shared:
            psi = sum(part.rows.total for part in cost.shared.values())
            lines.append(f"psi   {psi:,} of these rows train {len(cost.shared)} stored psi, once for all runs")
        rates = f"{1000 * found.rates.forward:.3g} ms a row"
        rates += f" and {1000 * found.rates.backward:.3g} ms one with backward" if whole.rows.backward else ""
        hours = f"{whole.seconds:,.0f} s ({whole.seconds / 3600:.2f} h) of editing"
        lines.append(f"time  {hours}, loading and scoring not counted: {rates}, {found.rates.origin}")
    return [*lines, f"disk  {whole.disk_bytes / 1e6:,.1f} MB: images, records" + (", psi" if cost.shared else "")]
