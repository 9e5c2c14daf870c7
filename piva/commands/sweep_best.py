"""`piva sweep best FILE`: the best point, how sure that is, and the command that runs it."""

from collections.abc import Sequence

from piva.commands.arguments import parse
from piva.commands.sweep_settings import SweepFlags, open_board
from piva.errors import COMPLETE, ConfigError

ABOUT = """\
The best point of a sweep file by its metric, and how many others are not clearly worse on the same cases.

example: piva sweep best sweeps/lambda-toybox.yaml
"""


class SweepBestConfig(SweepFlags):
    """What `piva sweep best` does."""


def main(arguments: Sequence[str]) -> int:
    """Prints the point."""
    config = parse(SweepBestConfig, "sweep best", arguments, ABOUT)
    from benchmarks.sweeps.board import metric_of
    from benchmarks.sweeps.status import varying, written
    from benchmarks.sweeps.table import best
    from reports.tables.cells import cell, head

    board = open_board(config)
    goal = board.sweep.metric
    if goal is None:
        raise ConfigError(f"{config.file} has no metric to choose by: metric: {{name: mean/lpips, goal: minimize}}")
    found = best(goal, board.all())
    name, names = metric_of(goal), varying(board.sweep)
    settings = ", ".join(f"{setting} {written(found.point.point[setting])}" for setting in names)
    print(f"point {found.point.index}: {settings}")
    print(f"{head(name)}: {cell(name, found.point.interval(name))} ({goal.goal}d)")
    ties, others = len(found.ties), len(found.differences)
    print(f"{ties} of the {others} other points that are done are not clearly worse (paired, on the same cases)")
    for other, difference in found.differences:
        if other in found.ties:
            own = ", ".join(f"{setting} {written(other.point[setting])}" for setting in names)
            print(f"  point {other.index}: {own}: the best minus it {cell(name, difference, signed=True)}")
    print(found.point.command)
    return COMPLETE
