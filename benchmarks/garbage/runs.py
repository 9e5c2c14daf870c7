"""What lies in the folders of runs, and no record points to.

Nothing is garbage that a killed run goes on from, nothing in a run that is open, and nothing behind a link that leads
out of the folder.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from piva.records import (
    RUN_FILE,
    SCENES,
    CaseRecord,
    RunFolder,
    RunRecord,
    is_busy,
    read_cases,
    read_run,
    run_folders,
)
from piva.records.files import SHARDS
from piva.records.merge_plan import retire, why_it_stays
from piva.records.merging import Source, has_files, merged
from piva.records.run_files import is_temporary, shards_of, size_of, unnamed, with_shards, writer_is_gone

UNDER_WAY = "under-way"
SCENE_UNDER_WAY = ("checkpoint.safetensors", "course.json")


@dataclass(frozen=True)
class Garbage:
    """A file or folder that nobody needs."""

    path: Path
    why: str
    bytes: int
    shard_of: Path | None = None
    """The run, of a shard that is merged into it."""

    @classmethod
    def at(cls, path: Path, why: str, shard_of: Path | None = None) -> Garbage:
        return cls(path, why, size_of(path), shard_of)

    def remove(self) -> None:
        """A link goes, not what it leads to; what trackers left in a merged shard moves into the run."""
        if self.shard_of is not None:
            with RunFolder(self.path):
                retire(self.path, self.shard_of)
        elif self.path.is_dir() and not self.path.is_symlink():
            shutil.rmtree(self.path)
        else:
            self.path.unlink(missing_ok=True)


def run_folders_in(root: Path) -> list[Path]:
    """Every run folder below `root`, shards before their run; none behind a link that leads out."""
    runs = sorted({*run_folders(root), *with_shards(root)})
    found = [part for run in runs for part in [*shards_of(run), run] if (part / RUN_FILE).exists()]
    return [folder for folder in found if folder.resolve().is_relative_to(root.resolve())]


def find(run: Path) -> list[Garbage]:
    """What nobody needs in a run's folder, or a shard's, that is not open.

    Raises:
        ConfigError: the run is damaged: nobody can say what is needed.
    """
    record, cases = read_run(run), read_cases(run)
    found = [Garbage.at(path, "no record names it") for path in unnamed(run, cases) if not _goes_on(path)]
    found += [Garbage.at(path, "what was under way is recorded") for path in _leftover(run, record, cases)]
    found += [Garbage.at(path, "its writer is gone") for path in _temporary(run, {item.path for item in found})]
    found += [Garbage.at(shard, "it is merged into its run", run) for shard in shards_of(run) if _is_in(shard, run)]
    return [item for item in found if item.path.parent.resolve().is_relative_to(run.resolve())]


def remove(run: Path) -> list[Garbage]:
    """What was found while nobody else could open the run, and is gone.

    Raises:
        BusyError: somebody has it open.
        ConfigError: the run is damaged: nothing of it is touched.
    """
    with RunFolder(run):
        found = find(run)
        for item in found:
            item.remove()
    return found


def _goes_on(path: Path) -> bool:
    """Whether it is a scene's folder that a killed edit goes on from."""
    return path.parent.name == SCENES and any((path / name).exists() for name in SCENE_UNDER_WAY)


def _leftover(run: Path, record: RunRecord, cases: Mapping[str, CaseRecord]) -> Iterator[Path]:
    """Checkpoints, and scores so far, of cases that are recorded."""
    for case_id in cases:
        yield from (file for name in SCENE_UNDER_WAY if (file := run / SCENES / case_id / name).is_file())
    files = [file for file in sorted((run / UNDER_WAY).glob("*")) if not is_temporary(file.name)]
    if not files:
        return
    finished = _finished_batches(record, cases)
    for file in files:
        if finished is None or file.stem.partition("-")[0] in finished:
            yield file


def _finished_batches(record: RunRecord, cases: Mapping[str, CaseRecord]) -> set[str] | None:
    """Names of the batches, and of single cases, of which everything is recorded; None: of any batch."""
    planned = {case_id for launch in record.launches for case_id in launch.planned}
    if planned <= cases.keys():
        return None
    from benchmarks.pictures.under_way import checkpoint_of

    batches = [[case_id] for case_id in cases]
    for launch in record.launches:
        starts = range(0, len(launch.planned), launch.batch_size)
        batches += [launch.planned[start : start + launch.batch_size] for start in starts]
    return {checkpoint_of(Path(), batch).stem for batch in batches if cases.keys() >= set(batch)}


def _temporary(run: Path, known: set[Path]) -> Iterator[Path]:
    """Files, and folders of a merge, that a process was writing which is gone; outside shards."""
    for place, folders, files in os.walk(run):  # follows no links
        here = Path(place)
        gone = sorted(name for name in [*folders, *files] if writer_is_gone(name))
        yield from (here / name for name in gone)
        folders[:] = [name for name in folders if name not in gone and here / name not in known and name != SHARDS]


def _is_in(shard: Path, run: Path) -> bool:
    """Whether to merge a shard would change nothing, and nothing else speaks against removing it."""
    if is_busy(shard):
        return False
    ours, theirs = Source.read(run), Source.read(shard)
    kept = all(has_files(run, ours.cases[case_id]) for case_id in theirs.cases.keys() & ours.cases.keys())
    same = ours.record.edit_key == theirs.record.edit_key and ours.record.score_key == theirs.record.score_key
    return kept and same and why_it_stays(shard) is None and merged([ours]).files() == merged([ours, theirs]).files()
