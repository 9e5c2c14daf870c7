"""`piva compare RUN RUN`: paired differences of two runs on the cases that both have."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import tyro

from piva.commands.arguments import parse
from piva.config import Settings, runtime
from piva.errors import COMPLETE


class CompareConfig(Settings):
    """What `piva compare` does."""

    a: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="RUN")] = runtime()
    """A run's folder, or the beginning of its key."""

    b: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="RUN")] = runtime()
    """The run that is subtracted."""

    metrics: tuple[str, ...] = runtime(())
    """Only these numbers; all that both have are shown otherwise."""

    runs: Path = runtime(Path("runs"))
    """Folder that holds all runs."""


def main(arguments: Sequence[str]) -> int:
    """Prints the differences."""
    config = parse(CompareConfig, "compare", arguments, "Paired differences a - b, with 95 % intervals.")
    from rich.table import Table

    from reports.reading import COSTS, labels, load_runs, same_cases
    from reports.tables.cells import head, shown
    from reports.tables.documents import groups
    from reports.tables.rows import check_names, pairs, present
    from reports.tables.sheet import WORKED_OUT
    from reports.tables.terminal import wide_console

    (a,), (b,) = (load_runs([name], config.runs) for name in (config.a, config.b))  # which may be the same
    every = [*a.record.metrics, *COSTS]
    check_names(config.metrics, [a, b])
    names = [name for name in config.metrics or every if present([a], [name]) and present([b], [name])]
    label_a, label_b = labels([a, b])
    both = a.scored & b.scored
    same = same_cases([a, b], both)
    print(f"a: {label_a}  {a.path}\nb: {label_b}  {b.path}\n{len(same)} cases in both")
    if len(same) < len(both):
        what = "other images, prompts, masks or true edits in the other run, and are left out"
        print(f"NOTE: {len(both) - len(same)} more had {what}")
    if len(groups([a, b])) > 1:
        print("NOTE: the runs are of different benchmarks, versions or splits")
    differing = [n for n in names if a.record.metrics.get(n) != b.record.metrics.get(n)]
    if differing:
        print(f"NOTE: scored by different metrics: {', '.join(differing)}")
    table = Table("", "a - b", "95 % interval", "n", "missing", "a better", "equal", "b better", box=None)
    found = pairs(a, b, names)
    for name, pair in found.items():
        low, high = (shown(name, bound, signed=True) for bound in (pair.low, pair.high))
        bounds = "" if pair.low is None else f"{low} to {high}"
        counts = [str(pair.n), str(pair.missing or ""), str(pair.wins), str(pair.ties), str(pair.losses)]
        table.add_row(head(name), shown(name, pair.mean, signed=True), bounds, *counts)
    wide_console().print(table)
    if any(pair.worked_out for pair in found.values()):
        print(WORKED_OUT)
    return COMPLETE
