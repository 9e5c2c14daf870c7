"""`piva sweep plan FILE`: the points, what of them is done, and what the rest would take. Does nothing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from piva.commands.arguments import parse
from piva.commands.sweep_settings import SweepFlags
from piva.config import runtime
from piva.errors import BAD_CONFIGURATION, COMPLETE, PREFLIGHT_FAILED, ConfigError, PreflightError

if TYPE_CHECKING:
    from rich.table import Table

    from benchmarks.costs.cost import Cost
    from benchmarks.sweeps.costs import Left
    from benchmarks.sweeps.schema import Sweep

ABOUT = """\
The points of a sweep file, the runs that they are, what of them is done, and what the rest would take. Does nothing.

Rows through the UNet are counted. Time is that of edits which were recorded with the same prior on this machine;
loading, scoring and the reconstruction of scenes are not counted. Nothing is loaded but what scores.

examples:
  piva sweep plan sweeps/lambda-toybox.yaml
  piva sweep plan sweeps/lambda-toybox.yaml --measure
  PIE_BENCH=DIR piva sweep plan sweeps/lambda.yaml
"""

DRAWN = 10
"""Points that stand for a sweep without an end (ours)."""


class PlanConfig(SweepFlags):
    """What `piva sweep plan` does."""

    measure: bool = runtime(False)
    """Where nothing was recorded with the prior, load it and time rows for a second."""


@dataclass(frozen=True)
class Line:
    """A point, and what is left of it; or why nobody knows."""

    point: Mapping[str, Any]
    words: Sequence[str]
    """What follows `piva`."""
    left: "Left | None" = None
    problem: ConfigError | PreflightError | None = None


def main(arguments: Sequence[str]) -> int:
    """Exit code: complete; or bad configuration, or preflight failed, where a point cannot be run."""
    config = parse(PlanConfig, "sweep plan", arguments, ABOUT)
    from benchmarks.sweeps.arguments import out_folder
    from benchmarks.sweeps.schema import read_sweep
    from reports.tables.terminal import wide_console

    sweep = read_sweep(config.file)
    sweep = replace(sweep, run_cap=config.max_runs or sweep.run_cap)
    out = out_folder(sweep, config.out)
    lines = _lines(sweep, out, config)
    console = wide_console()
    console.print(_table(sweep, lines))
    for sentence in _sentences(sweep, lines, out):
        console.print(sentence, soft_wrap=True, markup=False)
    problems = [line.problem for line in lines if line.problem]
    if any(isinstance(problem, ConfigError) for problem in problems):
        return BAD_CONFIGURATION
    return PREFLIGHT_FAILED if problems else COMPLETE


def _lines(sweep: "Sweep", out: Path, config: PlanConfig) -> list[Line]:
    from benchmarks.sweeps.arguments import arguments
    from benchmarks.sweeps.costs import Prices
    from benchmarks.sweeps.planned import Planner
    from benchmarks.sweeps.points import grid_points, sample

    if sweep.method == "grid":
        points = grid_points(sweep)
    else:
        points = [sample(sweep, config.seed, index) for index in range(sweep.run_cap or DRAWN)]
    others = sorted(folder for folder in out.parent.glob("*") if folder.is_dir() and folder != out)
    planner, prices, lines = Planner(out), Prices([out, out.parent, *others], config.measure), []
    for point in points:
        words = arguments(sweep, point)
        try:
            lines.append(Line(point, words, prices.of(planner.runs(words))))
        except (ConfigError, PreflightError) as problem:
            lines.append(Line(point, words, problem=problem))
    return lines


def _table(sweep: "Sweep", lines: Sequence[Line]) -> "Table":
    """A line for each point: its varying settings, the folders of its runs, and what is left."""
    from rich.table import Table

    varying = [name for name, parameter in sweep.parameters.items() if not parameter.is_constant]
    drawn = {"grid": "", "random": ", drawn at random", "bayes": ", drawn at random: a search will choose others"}
    title = f"{sweep.name}: {len(lines)} points{drawn[sweep.method]}"
    table = Table(title=title, title_justify="left", caption=sweep.description, caption_justify="left")
    for name in varying:
        table.add_column(name, justify="right")
    table.add_column("run", overflow="fold")
    for head in ("done", "rows", "rows with\nbackward", "time", "disk"):
        table.add_column(head, justify="right")
    for line in lines:
        table.add_row(*(_shown(line.point[name]) for name in varying), *_cells(line.left))
    return table


def _cells(left: "Left | None") -> list[str]:
    if left is None:
        return ["cannot be run", *[""] * 5]
    whole = left.cost.whole
    run = left.runs[0].path.name + (f" and {len(left.runs) - 1} more" if len(left.runs) > 1 else "")
    rows = [f"{whole.rows.total:,}", f"{whole.rows.backward:,}"]
    time = "–" if left.rates is None and whole.rows.total else _duration(whole.seconds)
    return [run, f"{left.done}/{left.cases}", *rows, time, _megabytes(whole)]


def _sentences(sweep: "Sweep", lines: Sequence[Line], out: Path) -> list[str]:
    """The sum, where the numbers are from, and what is wrong."""
    from benchmarks.costs.cost import together

    known = [line.left for line in lines if line.left]
    said = [f"runs  {len({run.path for left in known for run in left.runs})} below {out}"] if known else []
    if known:
        whole = together([left.cost for left in known]).whole
        done, cases = sum(left.done for left in known), sum(left.cases for left in known)
        said.append(f"cases {done:,} of {cases:,} are done; {whole.cases:,} edits are left")
    if known and whole.cases:
        said.append(f"rows  {whole.rows.total:,} through the UNet, {whole.rows.backward:,} of them with backward")
        said.append(_time(known, whole.seconds))
        said.append(f"disk  {_megabytes(whole)}")
    problems: dict[str, list[Line]] = {}
    for line in lines:
        if line.problem:
            problems.setdefault(str(line.problem), []).append(line)
    for sentence, of in problems.items():
        which = "no point can be run" if len(of) == len(lines) else f"{len(of)} of {len(lines)} points cannot be run"
        said.append(f"{which}: {sentence}")
        said.append(f"  the first of them: piva {' '.join(of[0].words)}")
    return said


def _time(known: Sequence["Left"], seconds: float) -> str:
    origins = dict.fromkeys(left.rates.origin for left in known if left.rates)
    unknown = sum(left.rates is None and bool(left.cost.whole.rows.total) for left in known)
    if not origins:
        prior = known[0].runs[0].record.prior["name"]
        return f"time  unknown: no such edits with {prior} are recorded here (--measure times rows of pictures)"
    missing = f", without {unknown} points of unknown speed" if unknown else ""
    return f"time  {_duration(seconds)} of editing{missing}: {'; '.join(origins)}"


def _duration(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:,.1f} h"


def _megabytes(cost: "Cost") -> str:
    size = cost.disk_bytes / 1e6
    return f"{size:,.1f} MB" if size < 1000 else f"{size / 1000:,.1f} GB"


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {_shown(inner)}" for name, inner in value.items())
    if isinstance(value, list):
        return " ".join(map(_shown, value))
    return f"{value:g}" if isinstance(value, float) else str(value)
