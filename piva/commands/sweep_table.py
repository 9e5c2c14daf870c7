"""`piva sweep table FILE`: every point with its scores, in the terminal and as a file."""

from collections.abc import Sequence
from pathlib import Path

from piva.commands.arguments import parse
from piva.commands.sweep_settings import SweepFlags, open_board
from piva.config import runtime
from piva.errors import COMPLETE, ConfigError

ABOUT = """\
The points of a sweep file with their scores: mean and 95 % bootstrap interval over cases.

examples:
  piva sweep table sweeps/lambda-toybox.yaml
  piva sweep table sweeps/lambda-toybox.yaml --metrics lpips edit_success --into lambda.md lambda.csv
"""


class SweepTableConfig(SweepFlags):
    """What `piva sweep table` does."""

    metrics: tuple[str, ...] = runtime(())
    """Columns; the sweep's metric and the usual ones otherwise."""

    into: tuple[Path, ...] = runtime(())
    """Also write these files: .md (between its results markers, where it has them) or .csv (raw values)."""


def main(arguments: Sequence[str]) -> int:
    """Prints and writes the table."""
    config = parse(SweepTableConfig, "sweep table", arguments, ABOUT)
    for file in config.into:
        if file.suffix not in (".md", ".csv"):
            raise ConfigError(f"--into {file}: must end in .md or .csv")
    from benchmarks.sweeps.status import counts, sentence
    from benchmarks.sweeps.table import columns, markdown, terminal_table, to_csv
    from piva.disk import write_atomically
    from piva.provenance import command_line
    from reports.tables.documents import BEGIN, write_between_markers
    from reports.tables.terminal import wide_console

    board = open_board(config)
    sweep, found = board.sweep, board.all()
    names = columns(sweep, found, config.metrics)
    wide_console().print(terminal_table(sweep, found, names))
    print(f"{board.out}: {sentence(counts(found, board.expected))}")
    for file in config.into:
        if file.suffix == ".csv":
            write_atomically(file, to_csv(sweep, found, names).encode())
        elif file.exists() and BEGIN in file.read_text(encoding="utf-8"):
            write_between_markers(file, markdown(sweep, found, names, command_line()))
        else:
            write_atomically(file, markdown(sweep, found, names, command_line()).encode())
        print(f"table: {file}")
    return COMPLETE
