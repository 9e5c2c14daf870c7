"""What `piva run --dry-run` says of a whole sweep: every method over all cases of a benchmark, Piva at several lambda.

Nothing counts as done: not what runs have recorded, nor stored psi, nor source rows that a cache holds.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from rich.table import Table

from benchmarks.costs.cost import Cost, needs_of, together
from benchmarks.costs.forecast import Tariff
from piva.auxiliary.stored import psi_key
from piva.data.pie_bench import Case
from piva.methods import METHODS
from piva.registry import resolve

LAMBDAS = (0.1, 0.2, 0.4, 0.8, 1.6)
"""Identity weights of the sweep (ours): the paper's 0.2 and 0.4, and on by factors of two to either side."""


@dataclass(frozen=True)
class Sweep:
    """Costs of a sweep, and of each of its methods over all seeds by itself."""

    lines: Mapping[str, Cost]
    planned: Cost
    """All of them, with what the command says of row cache and psi."""
    cached: Cost
    """All of them, with source rows kept and psi stored."""


def sweep_methods(chosen: Any) -> dict[str, Any]:
    """Every method, by the name of its line: at its defaults, or as `chosen`; one that has a lambda at all LAMBDAS."""
    found: dict[str, Any] = {}
    for name in METHODS:
        method = chosen if chosen.name == name else resolve("method", METHODS, name)()
        if hasattr(method, "lam"):
            found |= {f"{name} lam {lam:g}": method.model_copy(update={"lam": lam}) for lam in LAMBDAS}
        else:
            found[name] = method
    return found


def forecast_sweep(cases: Sequence[Case], seeds: Sequence[int], chosen: Any, tariff: Tariff) -> Sweep:
    """The cost of editing all `cases` by every method with each seed, `tariff` being that of the command."""
    methods = sweep_methods(chosen)
    lines = _costs(methods, cases, seeds, tariff)
    stored = {label: _with_stored_psi(method) for label, method in methods.items()}
    cached = _costs(stored, cases, seeds, replace(tariff, row_cache=True))
    return Sweep(lines, together(list(lines.values())), together(list(cached.values())))


def sweep_table(found: Sweep, cases: int, seeds: int, tariff: Tariff, device: str) -> Table:
    """The sweep for the terminal; `device` is what torch calls it, with its name."""
    rates, runs = tariff.rates, "1 seed" if seeds == 1 else f"{seeds} seeds"
    what = f"{cases:,} cases, {tariff.steps} steps, {runs}, nothing done before"
    how = f"{1000 * rates.forward:.3g} ms a row and {1000 * rates.backward:.3g} ms one with backward, {rates.origin}"
    table = Table(
        title=f"the whole sweep: {what}", caption=f"{how}; loading and scoring not counted", title_justify="left",
        caption_justify="left",
    )  # fmt: skip
    hours = f"{'GPU ' if device.startswith('cuda') else ''}hours on\n{device}"
    table.add_column("run" if seeds == 1 else "runs")
    for head in ("edits", "rows", "rows with\nbackward", hours, "disk"):
        table.add_column(head, justify="right")
    for label, cost in found.lines.items():
        table.add_row(label, *_cells(cost))
    table.add_section()
    table.add_row("all, as planned", *_cells(found.planned))
    table.add_row(
        f"all, with --row-cache-gb {_row_cache_gb(found.cached)}\nand --method.aux.psi stored", *_cells(found.cached)
    )
    return table


def _costs(methods: Mapping[str, Any], cases: Sequence[Case], seeds: Sequence[int], tariff: Tariff) -> dict[str, Cost]:
    """Of each method with every seed; a source image, and its depth, is known by its file, psi by that and prompt."""
    by_name = {method.name: method for method in methods.values()}
    needs = {name: needs_of(method) for name, method in by_name.items()}  # lambda, above 0, changes no row
    costs = {}
    for label, method in methods.items():
        psi = set[str]()
        if method.auxiliaries and method.aux.psi == "stored":
            span = method.t_min, method.t_max
            psi = {psi_key(tariff.prior, str(case.image_path), case.src, method.aux, span) for case in cases}
        runs = [tariff.run(method, needs[method.name], seed, len(cases), psi) for seed in seeds]
        costs[label] = together(runs)
    return costs


def _with_stored_psi(method: Any) -> Any:
    if "psi" not in method.auxiliaries:
        return method
    return method.model_copy(update={"aux": method.aux.model_copy(update={"psi": "stored"})})


def _cells(cost: Cost) -> list[str]:
    """Edits, rows, rows with backward, hours, disk; what is shared included."""
    whole = cost.whole
    disk = f"{whole.disk_bytes / 1e9:,.2f} GB" if whole.disk_bytes >= 1e9 else f"{whole.disk_bytes / 1e6:.1f} MB"
    rows = f"{whole.rows.total:,}", f"{whole.rows.backward:,}"
    return [f"{whole.cases:,}", *rows, f"{whole.seconds / 3600:,.2f}", disk]


def _row_cache_gb(cost: Cost) -> int:
    """GiB that hold every source row."""
    kept = sum(part.disk_bytes for key, part in cost.shared.items() if key.startswith("source rows"))
    return max(1, math.ceil(kept / 2**30))
