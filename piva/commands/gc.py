"""`piva gc`: what no run points to, listed; removed only when asked."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from piva.commands.arguments import parse
from piva.config import Settings, runtime
from piva.errors import COMPLETE, ConfigError, PreflightError

if TYPE_CHECKING:
    from benchmarks.garbage.runs import Garbage

ABOUT = """\
List what no run points to: images and scenes without a record, checkpoints of what is recorded, temporary files of
writers that are gone, shards that are merged. Nothing is removed without --remove, and never in a run that is open.

With --cache also what lies in the cache folder ($PIVA_CACHE, else ~/.cache/piva) and can be made again: reconstructions
that no run below --out names, stored psi, source rows; of these only what was not used for --unused-days. Runs in
other folders may want them: give their folders with --also.

examples:
  piva gc
  piva gc --out runs --remove
  piva gc --cache --also /data/other-runs --unused-days 30
"""


class GcConfig(Settings):
    """What `piva gc` does."""

    out: Annotated[Path, tyro.conf.arg(aliases=["--runs"])] = runtime(Path("runs"))
    """Folder that holds all runs."""

    remove: bool = runtime(False)
    """Remove what is listed."""

    cache: bool = runtime(False)
    """Also look into the cache folder, which runs in other folders share."""

    also: tuple[Path, ...] = runtime(())
    """Further folders of runs whose reconstructions are kept in the cache."""

    unused_days: float = runtime(7.0, ge=0)
    """Days for which something in the cache must not have been used."""


def main(arguments: Sequence[str]) -> int:
    """Exit code: complete."""
    config = parse(GcConfig, "gc", arguments, ABOUT)
    for folder in (config.out, *config.also):
        if not folder.is_dir():
            raise ConfigError(f"{folder}: there is no such folder")
    found = [item for run in _run_folders(config) for item in _of_run(run, config.remove)]
    found += _of_cache(config) if config.cache else []
    for item in found:
        print(f"{_megabytes(item.bytes):>10}  {item.path}: {item.why}")
    total = f"{len(found)} things, {_megabytes(sum(item.bytes for item in found))}"
    print(f"removed {total}" if config.remove else f"{total}; --remove removes them" if found else "nothing to remove")
    return COMPLETE


def _run_folders(config: GcConfig) -> list[Path]:
    from benchmarks.garbage.runs import run_folders_in

    return run_folders_in(config.out)


def _of_run(run: Path, asked_to_remove: bool) -> "list[Garbage]":
    """What was found, and removed if asked; of a run that is open or damaged nothing, and that is said."""
    from benchmarks.garbage.runs import find, remove
    from piva.records import is_busy

    if is_busy(run):
        print(f"{run} is open: left alone", file=sys.stderr)
        return []
    try:
        return remove(run) if asked_to_remove else find(run)
    except (ConfigError, PreflightError) as problem:
        print(f"{run} is left alone: {' '.join(str(problem).split())}", file=sys.stderr)
        return []


def _of_cache(config: GcConfig) -> "list[Garbage]":
    from benchmarks.garbage.cache import find
    from benchmarks.garbage.runs import run_folders_in
    from piva.folders import cache_folder

    folders = (config.out, *config.also)
    print(f"cache {cache_folder()}: wanted is what runs below {', '.join(map(str, folders))} name", file=sys.stderr)
    found = find(cache_folder(), [run for folder in folders for run in run_folders_in(folder)], config.unused_days)
    for item in found if config.remove else []:
        item.remove()
    return found


def _megabytes(size: int) -> str:
    return f"{size / 1e6:.2f} MB"
