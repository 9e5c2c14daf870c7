"""`piva watch [RUN ...]`: how runs go, while they go on anywhere."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from piva.commands.arguments import parse
from piva.config import Settings, runtime
from piva.errors import COMPLETE, SOME_FAILED, ConfigError
from piva.registry import unknown

if TYPE_CHECKING:
    from piva.records import RunRecord
    from reports.watch.standing import Standing, WatchedRun

ABOUT = """\
Watch runs while they go on: progress, means so far, errors, speed, time left, who writes.

Everything is read from the records, so it does not matter who writes them: another terminal, workers, shards, or
another machine that shares the folder. Nothing is locked or written. Where there is no terminal, a line is printed
whenever a run has got on.

It ends when all is done: 0 complete, 1 some cases failed. Ctrl-C ends it with 130, and leaves the runs alone.

examples:
  piva watch                              all runs below runs/, those at work first
  piva watch 1d7dbe40                     one run, by the beginning of its key
  piva watch runs/studies/lambda          a sweep's folder
  piva watch --once; piva watch RUN --metrics lpips clip_text --every 10 >> log
"""
QUIET = 60.0
"""A folder of runs, where another run may begin, is done when nothing new came for so many seconds. Ours."""


LINES_BESIDES = 12
"""Of a terminal, for what stands around the two tables."""


class WatchConfig(Settings):
    """What `piva watch` does."""

    names: Annotated[tuple[str, ...], tyro.conf.Positional, tyro.conf.arg(metavar="[RUN ...]")] = runtime(())
    """Folders of runs (a path with a / may come into being later), beginnings of keys, or folders that hold runs, as a
    sweep's; all of --runs otherwise."""

    runs: Path = runtime(Path("runs"))
    """Folder that holds all runs."""

    metrics: tuple[str, ...] = runtime(())
    """Means to show; some usual ones otherwise, as many as fit."""

    every: float = runtime(2.0, gt=0)
    """Seconds between two looks."""

    once: bool = runtime(False)
    """Show how things stand, and end: with 0, whatever it is."""


def check_metrics(names: Sequence[str], records: "Sequence[RunRecord]") -> None:
    """Raises ConfigError where none of the runs, where there are some, has a score of this name."""
    known = sorted({name for record in records for name in record.metrics})
    for name in names:
        if known and name not in known:
            raise ConfigError(unknown("score", name, known))


def main(arguments: Sequence[str]) -> int:
    """Exit code: complete, or some cases failed."""
    config = parse(WatchConfig, "watch", arguments, ABOUT)
    from rich.live import Live

    from reports.tables.terminal import wide_console
    from reports.watch.picture import picture

    console, watch = wide_console(), Watch(_folders(config))
    now = watch.look()
    check_metrics(config.metrics, [found.record for found in watch.standings(now) if found.record is not None])
    if config.once:
        console.print(picture(watch.standings(now), config.metrics, now, console.width))
        return COMPLETE
    if not console.is_terminal:
        return _in_lines(watch, now, config)
    with Live(console=console, auto_refresh=False, vertical_overflow="crop") as live:
        while True:
            found = watch.standings(now)
            rows = max(1, (console.height - LINES_BESIDES) // 2)
            live.update(picture(found, config.metrics, now, console.width, rows), refresh=True)
            if watch.is_over(found, now):
                return _code(found)
            time.sleep(config.every)
            now = watch.look()


class Watch:
    """The runs in some folders, those that come later included."""

    def __init__(self, folders: Sequence[Path]) -> None:
        self._folders = folders
        self._runs: dict[Path, WatchedRun] = {}

    def look(self) -> float:
        """Reads what is new; the present Unix time."""
        from reports.watch.standing import WatchedRun, runs_in

        now = time.time()
        for folder in self._folders:
            for path in runs_in(folder):
                self._runs.setdefault(path, WatchedRun(path))
        for run in self._runs.values():
            run.look(now)
        return now

    def standings(self, now: float) -> "list[Standing]":
        """How every run stands; of a folder without any, that nothing has begun."""
        from reports.watch.standing import Standing

        empty = [folder for folder in self._folders if not any(_is_in(run, folder) for run in self._runs)]
        return [Standing(folder) for folder in empty] + [run.standing(now) for run in self._runs.values()]

    def is_over(self, found: "Sequence[Standing]", now: float) -> bool:
        """Whether all is done, and in folders of several runs has been for a while."""
        if any(standing.state != "done" for standing in found):
            return False
        newest = max((standing.newest or 0.0 for standing in found), default=0.0)
        return all(folder in self._runs for folder in self._folders) or now - newest > QUIET


def _folders(config: WatchConfig) -> list[Path]:
    """The folders that are meant.

    Raises:
        ConfigError: a name is no folder and no path, and the key of none or of several runs.
    """
    from piva.records.run_files import find_run_or_shards

    paths = [name for name in config.names if "/" in name or Path(name).is_dir()]
    found = [Path(name) if name in paths else find_run_or_shards(name, config.runs) for name in config.names]
    return found or [config.runs]


def _in_lines(watch: Watch, now: float, config: WatchConfig) -> int:
    """Prints a line whenever a run has got on or stands otherwise, and one for each new error."""
    from reports.watch.picture import error, line, names_of

    said: dict[Path, object] = {}
    told: dict[Path, int] = {}
    while True:
        found = watch.standings(now)
        for standing, name in zip(found, names_of(found), strict=True):
            facts = (standing.state, standing.done, standing.planned, len(standing.errors), standing.remarks)
            for case in standing.errors[told.get(standing.path, 0) :]:
                print(f"{name}: {error(case)}", flush=True)
            told[standing.path] = len(standing.errors)
            if said.get(standing.path) != facts:
                said[standing.path] = facts
                print(line(standing, name, config.metrics), flush=True)
        if watch.is_over(found, now):
            return _code(found)
        time.sleep(config.every)
        now = watch.look()


def _code(found: "Sequence[Standing]") -> int:
    return SOME_FAILED if any(standing.failed for standing in found) else COMPLETE


def _is_in(run: Path, folder: Path) -> bool:
    return run == folder or folder in run.parents
