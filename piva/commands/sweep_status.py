"""`piva sweep status FILE`: each point done, running, failed, pruned or missing, from the disk alone."""

from collections.abc import Sequence

from piva.commands.arguments import parse
from piva.commands.sweep_settings import SweepFlags, open_board
from piva.config import runtime
from piva.errors import COMPLETE, SOME_FAILED

ABOUT = """\
Each point of a sweep file: done, running, failed, pruned (stopped early) or missing, from what is on the disk.

Running is what a process has locked. Cases are counted that are scored with the present metrics.

example: piva sweep status sweeps/lambda-toybox.yaml
"""


class SweepStatusConfig(SweepFlags):
    """What `piva sweep status` does."""

    commands: bool = runtime(False)
    """Also print the command of every point that is not done."""


def main(arguments: Sequence[str]) -> int:
    """Exit code: complete, or 1 where points failed or are missing."""
    config = parse(SweepStatusConfig, "sweep status", arguments, ABOUT)
    from benchmarks.sweeps.status import counts, sentence, status_table
    from reports.tables.terminal import wide_console

    board = open_board(config)
    found = board.all()
    wide_console().print(status_table(board.sweep, found))
    print(f"{board.out}: {sentence(counts(found, board.expected))}")
    for point in found if config.commands else []:
        if point.state != "done":
            print(f"{point.index}: {point.command}")
    return COMPLETE if board.is_complete() else SOME_FAILED
