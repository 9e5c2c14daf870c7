"""`piva show RUN`: one run's settings, scores with intervals, and failures."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from piva.commands.arguments import parse
from piva.config import Settings, runtime
from piva.errors import COMPLETE

if TYPE_CHECKING:
    from reports.reading import Run

FAILURES_SHOWN = 10


class ShowConfig(Settings):
    """What `piva show` does."""

    run: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="RUN")] = runtime()
    """A run's folder, or the beginning of its key."""

    runs: Path = runtime(Path("runs"))
    """Folder that holds all runs."""

    failures: bool = runtime(False)
    """Also print the traceback of every failed case."""


def main(arguments: Sequence[str]) -> int:
    """Prints the run."""
    config = parse(ShowConfig, "show", arguments, "One run: settings, scores with intervals, failures.")
    from rich.table import Table

    from reports.reading import COSTS, info, load_runs
    from reports.tables.cells import shown
    from reports.tables.origins import how_made
    from reports.tables.rows import present, rows
    from reports.tables.sheet import WORKED_OUT
    from reports.tables.terminal import wide_console

    run = load_runs([config.run], config.runs)[0]
    console = wide_console()
    print(f"{run.path}\n{run.record.method} on {run.record.benchmark}, settings {run.record.settings}")
    if run.record.scenes is not None:
        print(f"  scenes {run.record.scenes}")
    for sentence in how_made(run.record) if run.record.launches else []:
        print(f"  {sentence}")
    for sentence in _auxiliaries(run):
        print(f"  {sentence}")
    names = present([run], [*run.record.metrics, *COSTS])
    row = rows([run], names)[0]
    table = Table("", "mean", "95 % interval", "n", "missing", "", box=None)
    for name in names:
        interval = row.cells[name]
        bounds = "" if interval.low is None else f"{shown(name, interval.low)} to {shown(name, interval.high)}"
        facts = info(name)
        scale = facts.unit or ("" if facts.display_scale == 1 else f"×{facts.display_scale:g}")
        mean = f"{shown(name, interval.mean)} {scale}"
        table.add_row(name, mean, bounds, str(interval.n), str(interval.missing or ""), facts.about)
    console.print(table)
    if any(interval.worked_out for interval in row.cells.values()):
        print(WORKED_OUT)
    print(f"{row.ok} of {row.planned} cases scored" + "".join(f"; {mark}" for mark in row.marks))
    _print_failures(run, config.failures)
    return COMPLETE


def _auxiliaries(run: "Run") -> list[str]:
    """What psi and phi take, where the run has them."""
    sizes = {(case.aux_parameters, case.aux_bytes or 0) for case in run.ok.values() if case.aux_parameters}
    return [
        f"psi and phi: {parameters:,} numbers trained for each case; {size / 1e6:,.1f} MB with AdamW's states"
        for parameters, size in sorted(sizes)
    ]


def _print_failures(run: "Run", tracebacks: bool) -> None:
    failed = [case for case in run.cases.values() if case.status != "ok"]
    for case in failed if tracebacks else failed[:FAILURES_SHOWN]:
        print(f"{case.case_id}: {case.status}{f' at {case.stage}' if case.stage else ''}: {case.error}")
        if tracebacks and case.traceback:
            print(case.traceback)
    if len(failed) > FAILURES_SHOWN and not tracebacks:
        print(f"... and {len(failed) - FAILURES_SHOWN} more (--failures shows all)")
