"""`piva check run RUN...`: is what is recorded whole, and what it says it is?"""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import tyro

from piva.commands.arguments import parse
from piva.config import Settings, runtime
from piva.errors import COMPLETE, SOME_FAILED, ConfigError

ABOUT = """\
Check runs on the disk, without changing anything: every line parses; every image, field and video that a record names
is there, with its hash; every planned case has a record; no file is without one; the keys recompute.

Exit code: 0 all is well, 1 problems (a sentence each), 2 there is no such run. A case that failed is no problem.

examples:
  piva check run runs/pie-toybox/dds-1f2e3d4c5b6a7988
  piva check run 1f2e 99aa
  piva check run runs/*/*
"""


class CheckRunConfig(Settings):
    """What `piva check run` does."""

    run: Annotated[tuple[str, ...], tyro.conf.Positional, tyro.conf.arg(metavar="RUN")] = runtime(())
    """Runs: folders, or beginnings of keys."""

    runs: Path = runtime(Path("runs"))
    """Folder that holds all runs."""


def main(arguments: Sequence[str]) -> int:
    """Exit code: complete, or 1 where there are problems."""
    config = parse(CheckRunConfig, "check run", arguments, ABOUT)
    if not config.run:
        raise ConfigError("check which run? piva check run RUN")
    from piva.records import RUN_FILE
    from piva.records.checks import check_run
    from piva.records.run_files import find_run_or_shards, shards_of

    runs = [find_run_or_shards(name, config.runs) for name in config.run]
    parts = [part for run in runs for part in ([run] if (run / RUN_FILE).exists() else []) + shards_of(run)]
    problems = 0
    for part in dict.fromkeys(parts):
        findings = check_run(part)
        problems += len(findings.problems)
        print(f"{part}: {_verdict(len(findings.problems))}")
        for sentence in findings.problems:
            print(f"  {sentence}")
        for sentence in findings.notes:
            print(f"  note: {sentence}")
    return SOME_FAILED if problems else COMPLETE


def _verdict(problems: int) -> str:
    return {0: "no problem", 1: "1 problem"}.get(problems, f"{problems} problems")
