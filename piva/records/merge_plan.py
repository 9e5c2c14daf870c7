"""What `piva merge` is asked for: which run folders become one, and where."""

from __future__ import annotations

import os
import shutil
from collections.abc import Collection, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from piva.records.files import CASES_FILE, RUN_FILE, SHARDS
from piva.records.folder import RunFolder
from piva.records.lock import BusyError, is_busy
from piva.records.merging import Merged, Source, check_same_run, merged, write
from piva.records.model import IMAGES, SCENES
from piva.records.reading import read_run, run_folders
from piva.records.run_files import find_run_or_shards, is_temporary, shards_of, with_shards

MIRRORS = ("wandb", "tensorboard", "steps.csv")
"""What trackers leave in a run's folder: nothing that a merge reads, but nobody's to throw away."""
_ITS_OWN = {RUN_FILE, CASES_FILE, IMAGES, SCENES, "under-way", "run.lock", *MIRRORS}


@dataclass(frozen=True)
class Merge:
    """Run folders that become one."""

    target: Path
    sources: tuple[Path, ...]

    @property
    def shards(self) -> list[Path]:
        """Those of them that lie below the target."""
        return [source for source in self.sources if source.parent.parent == self.target]


def merges(names: Sequence[str], runs: Path, out: Path | None) -> list[Merge]:
    """What is to become one, of runs (folders, or beginnings of keys below `runs`) and folders of runs.

    Runs that are named become one, and so do those of the same key in several folders of runs. A run and its shards
    become one in its own place, unless `out` is given; else they go to `out`, or to `runs`.

    Raises:
        ConfigError: there is no such run, or runs that are named are not the same.
    """
    named: list[Path] = []
    groups: dict[str, list[Path]] = {}
    for name in names:
        below = _runs_in(Path(name))
        if not below:
            named.append(find_run_or_shards(name, runs).resolve())
        for run in below:
            groups.setdefault(_key(run), []).append(run.resolve())
    if named:
        check_same_run([Source.read(part) for run in named for part in _parts(run)])
        groups[_key(named[0])] = named + groups.get(_key(named[0]), [])
    return [_merge(list(dict.fromkeys(found)), runs, out, in_place=found == named) for found in groups.values()]


def _runs_in(folder: Path) -> list[Path]:
    """The runs in a folder of runs, or in one benchmark's part of it; none in a run's own."""
    if (folder / RUN_FILE).exists() or shards_of(folder):
        return []
    deep = {*run_folders(folder), *with_shards(folder)}
    flat = {file.parent for file in folder.glob(f"*/{RUN_FILE}")}
    flat |= {file.parents[2] for file in folder.glob(f"*/{SHARDS}/*/{RUN_FILE}")}
    return sorted(deep or flat)


def _parts(run: Path) -> Iterator[Path]:
    """The run itself, where it has records of its own, and its shards."""
    if (run / RUN_FILE).exists():
        yield run
    yield from shards_of(run)


def _key(run: Path) -> str:
    return read_run(next(_parts(run))).edit_key


def _merge(found: Sequence[Path], runs: Path, out: Path | None, in_place: bool) -> Merge:
    if len(found) == 1 and out is None and in_place:
        target = found[0]
    else:
        record = read_run(next(_parts(found[0])))
        target = (out or runs).resolve() / record.place
    sources = [part for run in dict.fromkeys([*found, target]) for part in _parts(run)]
    return Merge(target, tuple(sources))


def carry_out(merge: Merge, keep_shards: bool) -> tuple[Merged, bool, list[str]]:
    """(what became of it, whether that changed anything, why shards stay that could have gone).

    Raises:
        BusyError: a process writes to the target or to a source.
        ConfigError: the sources are not of one run, or damaged; nothing is changed.
        PreflightError: the disk refuses.
    """
    check_same_run([Source.read(source) for source in merge.sources])
    for source in merge.sources:
        if is_busy(source):
            raise BusyError(f"a process is writing to {source}; wait for it or stop it")
    with ExitStack() as open_runs:
        target = open_runs.enter_context(RunFolder(merge.target))
        for shard in merge.shards:
            open_runs.enter_context(RunFolder(shard))  # nobody goes on with it meanwhile
        found = merged([Source.read(source) for source in merge.sources])
        changed = write(target, found)
        ended_well = {case_id for case_id, case in found.cases.items() if case.status == "ok"}
        staying = {shard: why_it_stays(shard, ended_well) for shard in merge.shards if not keep_shards}
        for shard, why in staying.items():
            if why is None:
                retire(shard, merge.target)
    return found, changed, [why for why in staying.values() if why is not None]


def why_it_stays(shard: Path, ended_well: Collection[str] = ()) -> str | None:
    """What speaks against removing a shard whose records are all in the run; None: nothing.

    Args:
        ended_well: ids of cases of the run, which are nobody's to do any more.
    """
    source = Source.read(shard)
    left = {case_id for launch in source.record.launches for case_id in launch.planned} - source.cases.keys()
    if left.difference(ended_well):
        return f"{shard} stays: {len(left.difference(ended_well))} of its cases are left to do"
    strange = [file.name for file in shard.iterdir() if file.name not in _ITS_OWN and not is_temporary(file.name)]
    return f"{shard} stays: merges know nothing of {', '.join(sorted(strange))} in it" if strange else None


def retire(shard: Path, run: Path) -> None:
    """Removes a shard; what trackers left in it moves into the run."""
    for name in MIRRORS:
        _move_into(shard / name, run, shard.name)
    gone = run / f".{shard.name}.{os.getpid()}.tmp"  # a name that `piva gc` knows, should we be killed
    shard.rename(gone)
    shutil.rmtree(gone)
    if not any(shard.parent.iterdir()):
        shard.parent.rmdir()


def _move_into(mirror: Path, run: Path, shard: str) -> None:
    """Moves a tracker's file or folder into the run's own; what is there already is not overwritten."""
    place = run / mirror.name
    if mirror.is_dir() and place.is_dir():
        for part in sorted(mirror.iterdir()):
            beside = place / part.name
            part.rename(beside if not beside.is_symlink() and not beside.exists() else place / f"{shard}-{part.name}")
    elif mirror.exists():
        mirror.rename(place if not place.exists() else run / f"{mirror.stem}-{shard}{mirror.suffix}")
