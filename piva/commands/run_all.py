"""`piva run BENCHMARK --method all`: one run of every method, each as it comes; one after another."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from piva.commands.arguments import take, take_name
from piva.commands.literals import unpacked
from piva.commands.run_settings import run_settings
from piva.errors import COMPLETE, INTERRUPTED, ConfigError
from piva.registry import resolve

if TYPE_CHECKING:
    from benchmarks.sweeps.costs import Left

ALL = "all"


def is_all(arguments: Sequence[str]) -> bool:
    """Whether every method is asked for."""
    return take("--method", arguments)[0] == ALL


def main(arguments: Sequence[str], run: Callable[[Sequence[str]], int]) -> int:
    """Exit code: the worst of the runs'; whatever is wrong with one's settings is said before any begins.

    Args:
        run: `piva run` of one method, told its arguments.
    """
    lines = command_lines(arguments)
    for words in lines.values():
        run_settings(words)
    if "--dry-run" in arguments:
        return _forecast(lines)
    worst = COMPLETE
    for words in lines.values():
        code = run(words)
        if code == INTERRUPTED:
            return code
        worst = max(worst, code)
    return worst


def command_lines(arguments: Sequence[str]) -> dict[str, list[str]]:
    """Method -> the arguments of its `piva run`.

    Raises:
        ConfigError: a setting that not every method has.
    """
    from benchmarks import BENCHMARKS, SCENE_BENCHMARKS
    from piva.methods import METHODS
    from piva.sampling import SAMPLERS

    _, rest = take("--method", unpacked(arguments))
    name, flags = take_name("benchmark", BENCHMARKS | SCENE_BENCHMARKS, rest, "run")
    if name is None or "--help" in flags or "-h" in flags:
        return {"": rest}
    methods = METHODS if name in SCENE_BENCHMARKS else METHODS | SAMPLERS
    _check_shared(flags, methods)
    return {method: [name, "--method", method, *flags] for method in methods}


def _check_shared(flags: Sequence[str], methods: Mapping[str, str]) -> None:
    for word in flags:
        flag = word.partition("=")[0]
        if not flag.startswith("--method."):
            continue
        field = flag.split(".")[1].replace("-", "_")
        without = [name for name in methods if field not in resolve("method", methods, name).model_fields]
        if without:
            raise ConfigError(
                f"{flag}: --method all takes what every method has, and {', '.join(without)} have no such setting; "
                "run those that have it by themselves, or sweep over them"
            )


def _forecast(lines: Mapping[str, Sequence[str]]) -> int:
    """Prints what is left of each run, what that takes, and the sum."""
    from rich.table import Table

    from benchmarks.costs.cost import together
    from benchmarks.sweeps.costs import Prices
    from benchmarks.sweeps.planned import Planner
    from reports.tables.terminal import wide_console

    table = Table("method", "run", title="--method all")
    for head in ("steps", "done", "rows", "with backward", "time"):
        table.add_column(head, justify="right")
    found: list[Left] = []
    for method, words in lines.items():
        runs = Planner().runs(["run", *words])
        config = runs[0].work.config
        found.append(Prices([config.out], measure=not runs[0].work.of_scenes).of(runs))
        left, whole = found[-1], found[-1].cost.whole
        more = f" and {len(runs) - 1} more" if len(runs) > 1 else ""
        cells = [f"{left.done}/{left.cases}", f"{whole.rows.total:,}", f"{whole.rows.backward:,}", _time(left)]
        table.add_row(method, runs[0].path.name + more, str(config.steps), *cells)
    whole = together([left.cost for left in found]).whole
    hours = "?" if any(left.rates is None for left in found) else f"{whole.seconds / 3600:.2f} h"
    done = f"{sum(left.done for left in found)}/{sum(left.cases for left in found)}"
    table.add_section()
    table.add_row("together", "", "", done, f"{whole.rows.total:,}", f"{whole.rows.backward:,}", hours)
    wide_console().print(table)
    print("time of editing alone: loading, scoring and the reconstruction of scenes come on top")
    return COMPLETE


def _time(left: Left) -> str:
    return "?" if left.rates is None else f"{left.cost.whole.seconds:,.0f} s"
