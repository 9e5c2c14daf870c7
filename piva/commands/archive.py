"""`piva archive [RUN ...]`: records to publish, without pictures and without what names the machine."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import tyro

from piva.commands.arguments import parse
from piva.config import Settings, runtime
from piva.errors import COMPLETE, ConfigError

ABOUT = """\
Write records of runs to publish beside a paper: all that tables need, and where it came from, in some kilobytes a run.

Images, fields and videos stay behind (their hashes are kept). Of absolute paths the last name stays, of users and hosts
nothing.
What it writes is read by `piva report --runs`, `piva compare` and `piva show` as any run.

examples:
  piva archive --runs runs/comparison --out records
  piva archive a4badd8c c1ab8574 --out records
"""


class ArchiveConfig(Settings):
    """What `piva archive` does."""

    names: Annotated[tuple[str, ...], tyro.conf.Positional, tyro.conf.arg(metavar="[RUN ...]")] = runtime(())
    """Folders, or beginnings of keys; all runs below --runs otherwise."""

    runs: Path = runtime(Path("runs"))
    """Folder that holds all runs."""

    out: Path = runtime()
    """Folder to write to. A run that it has already is written again, others stay."""


def main(arguments: Sequence[str]) -> int:
    """Exit code: complete."""
    config = parse(ArchiveConfig, "archive", arguments, ABOUT)
    from piva.records import find_run, run_folders
    from piva.records.archiving import archive
    from piva.records.run_files import size_of

    found = [find_run(name, config.runs) for name in config.names] or list(run_folders(config.runs))
    if not found:
        raise ConfigError(f"there is no run below {config.runs}/")
    written = [archive(run, config.out) for run in found]
    kilobytes = sum(map(size_of, written)) / 1000
    print(f"{config.out}: {len(written)} {'run' if len(written) == 1 else 'runs'}, {kilobytes:.0f} kB")
    return COMPLETE
