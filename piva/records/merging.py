"""Run folders of one run become one: shards, or copies from several machines.

What comes out depends on the set of sources alone: in any order, all at once or in steps, or twice, the bytes of
run.json and cases.jsonl are the same. To that end the result of a merge, merged again with anything, counts like what
it was made of: launches are a set, in the order of their starts; of a case the best record stays, by a total order;
the rest of run.json is that of the source with the latest launch.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from piva.disk import disk
from piva.errors import ConfigError
from piva.interrupts import finishing
from piva.keys import canonical, flat
from piva.records.files import CASES_FILE, RUN_FILE, replace_both
from piva.records.folder import RunFolder
from piva.records.model import SCENES, CaseRecord, Launch, RunRecord
from piva.records.reading import read_cases, read_run
from piva.records.run_files import is_temporary, named_files

_RANK = {"error": 0, "skipped": 1, "ok": 2}
_OF_THE_END = {"ended", "seconds", "peak_bytes"}
"""What a launch knows only when it has ended."""
_CHUNK = 2**20
DIFFERENCES_SHOWN = 8


@dataclass(frozen=True)
class Source:
    """A run folder as it was read."""

    path: Path
    record: RunRecord
    cases: Mapping[str, CaseRecord]

    @classmethod
    def read(cls, path: Path) -> Source:
        """Raises ConfigError where a record is damaged, or names a launch that there is not."""
        source = cls(path, read_run(path), read_cases(path))
        for case in source.cases.values():
            if not 0 <= case.launch < len(source.record.launches):
                raise ConfigError(f"{path}: case {case.case_id} is of launch {case.launch}, which {RUN_FILE} lacks")
        return source


@dataclass(frozen=True)
class Merged:
    """One run, made of several sources."""

    record: RunRecord
    cases: Mapping[str, CaseRecord]
    """In the order of their ids."""
    sources: Mapping[str, tuple[Path, ...]]
    """For each case the folders that have this very record."""
    disagreeing: tuple[str, ...]
    """Cases whose image or prompts were not the same in all sources."""

    def files(self) -> tuple[bytes, bytes]:
        """(run.json, cases.jsonl)."""
        lines = [case.model_dump_json(exclude_none=True).encode() + b"\n" for case in self.cases.values()]
        return self.record.model_dump_json(indent=2).encode() + b"\n", b"".join(lines)


def merged(sources: Sequence[Source]) -> Merged:
    """What the sources come to together.

    Raises:
        ConfigError: they are not of one run; names what differs.
    """
    check_same_run(sources)
    launches = _launches(sources)
    order = {identity: index for index, (identity, _) in enumerate(launches)}
    best: dict[str, tuple[Any, CaseRecord, list[Path]]] = {}
    contents: dict[str, set[str]] = {}
    for source in sources:
        places = [order[_identity(launch)] for launch in source.record.launches]
        for case in source.cases.values():
            launch = places[case.launch]
            place = _place(case, launch, source.record.score_key)
            contents.setdefault(case.case_id, set()).add(case.content)
            known = best.get(case.case_id)
            if known is None or place > known[0]:
                best[case.case_id] = (place, case.model_copy(update={"launch": launch}), [source.path])
            elif place == known[0]:
                known[2].append(source.path)
    record = max((source.record for source in sources), key=_of_record)
    chosen = sorted(best.items())
    return Merged(
        record.model_copy(update={"launches": [launch for _, launch in launches]}),
        {case_id: case for case_id, (_, case, _) in chosen},
        {case_id: tuple(paths) for case_id, (_, _, paths) in chosen},
        tuple(case_id for case_id, seen in sorted(contents.items()) if len(seen) > 1),
    )


def check_same_run(sources: Sequence[Source]) -> None:
    """Raises ConfigError unless all have the same keys; names the settings, or the metrics, that differ."""
    first = sources[0]
    for other in sources[1:]:
        if other.record.edit_key != first.record.edit_key:
            differing = differences(first.record, other.record)
            raise ConfigError(f"{first.path} and {other.path} are different runs: {_listed(differing)}")
        if other.record.score_key != first.record.score_key:
            differing = _differing(first.record.metrics, other.record.metrics)
            same = f"{first.path} and {other.path} are the same edits with different scores"
            raise ConfigError(f"{same}: {_listed(differing)}; piva score makes them the same")


def differences(a: RunRecord, b: RunRecord) -> list[str]:
    """What makes the keys of two runs different, each as `name: value and value`."""
    if a.key_facts is not None and b.key_facts is not None:
        return _differing(flat(a.key_facts), flat(b.key_facts))
    names = {
        "benchmark",
        "benchmark_version",
        "split",
        "method",
        "method_version",
        "settings",
        "steps",
        "seed",
        "scenes",
    }
    ours, theirs = (flat(record.model_dump(mode="json", include=names)) for record in (a, b))
    prints = ({"prior": record.prior.get("fingerprint")} for record in (a, b))
    return _differing(*(facts | own for facts, own in zip((ours, theirs), prints, strict=True)))


def _differing(a: Mapping[str, Any], b: Mapping[str, Any]) -> list[str]:
    names = sorted(a.keys() | b.keys())
    return [f"{name}: {a.get(name)} and {b.get(name)}" for name in names if a.get(name) != b.get(name)]


def _listed(differing: Sequence[str]) -> str:
    more = len(differing) - DIFFERENCES_SHOWN
    return "; ".join([*differing[:DIFFERENCES_SHOWN], *([f"and {more} more"] if more > 0 else [])])


def _launches(sources: Iterable[Source]) -> list[tuple[str, Launch]]:
    """(identity, launch) of each launch once, by its start; one that is known to have ended, with its end."""
    found: dict[str, Launch] = {}
    for source in sources:
        for launch in source.record.launches:
            identity = _identity(launch)
            found[identity] = max((found.get(identity, launch), launch), key=_of_launch)
    return sorted(found.items(), key=lambda item: (item[1].started, item[0]))


def _identity(launch: Launch) -> str:
    """A launch as it was when it began."""
    return canonical(launch.model_dump(mode="json", exclude=_OF_THE_END)).decode()


def _of_launch(launch: Launch) -> tuple[bool, bytes]:
    return launch.ended is not None, canonical(launch.model_dump(mode="json"))


def _of_record(record: RunRecord) -> tuple[Any, ...]:
    latest = max(((launch.started, _identity(launch)) for launch in record.launches), default=("", ""))
    return latest, canonical(record.model_dump(mode="json", exclude={"launches"}))


def _place(case: CaseRecord, launch: int, score_key: str) -> tuple[Any, ...]:
    """The order of records of one case: ok over skipped over error; present scores; a kept image; the later launch."""
    content = canonical(case.model_dump(mode="json", exclude={"launch"}))
    return _RANK[case.status], case.score_key == score_key, len(named_files(case)), launch, content


def write(target: RunFolder, found: Merged) -> bool:
    """Writes the merged run into its folder, with all files of its cases; true if that changed anything.

    Files come to lie beside their place first, each with its hash checked; then they are moved there, and run.json and
    cases.jsonl at last, both in one moment. So a merge that fails leaves the run as it was.

    Raises:
        ConfigError: no source has a case's file as it was recorded.
        PreflightError: the disk refuses.
    """
    path = target.path
    staged = path / f".merge.{os.getpid()}.tmp"
    try:
        with disk(path):
            for case_id, case in found.cases.items():
                _stage(path, staged, case, found.sources[case_id])
            with finishing():
                return _put(staged, path, found)
    finally:
        shutil.rmtree(staged, ignore_errors=True)


def _put(staged: Path, target: Path, found: Merged) -> bool:
    """Moves files to their places and writes the records; true if anything changed."""
    changed, contents = _move(staged, target), found.files()
    files = (target / RUN_FILE, target / CASES_FILE)
    if tuple(file.read_bytes() if file.exists() else None for file in files) == contents:
        return changed
    replace_both(target, staged, *contents)
    return True


def _stage(target: Path, staged: Path, case: CaseRecord, sources: Sequence[Path]) -> None:
    """Copies the files of a case, unless they are in the target already.

    Raises:
        ConfigError: no source has them as they were recorded.
    """
    named = named_files(case)
    if not named or has_files(target, case):
        return
    for source in sources:
        if source != target and has_files(source, case):
            break
    else:
        files = ", ".join(file.path for file in named)
        places = ", ".join(map(str, sources))
        raise ConfigError(f"{case.case_id}: {files} is not as it was recorded in {places}; piva check run says more")
    for relative in _files(source, case):
        copy = staged / relative
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source / relative, copy)
    if not has_files(staged, case):
        raise ConfigError(f"{source}: the files of {case.case_id} changed while they were copied")


def _files(source: Path, case: CaseRecord) -> list[Path]:
    """All files of a case, below its source: its image, or all of its scene's folder."""
    if case.field is None:
        return [Path(file.path) for file in named_files(case)]
    below = (source / SCENES / case.case_id).rglob("*")
    return [file.relative_to(source) for file in sorted(below) if file.is_file() and not is_temporary(file.name)]


def has_files(folder: Path, case: CaseRecord) -> bool:
    """Whether a folder has all the files that the record names, with their hashes."""
    for file in named_files(case):
        path = folder / file.path
        if not path.is_file() or (file.sha256 is not None and sha256_of(path) != file.sha256):
            return False
    return True


def sha256_of(path: Path) -> str:
    """Of a file of any size."""
    found = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            found.update(chunk)
    return found.hexdigest()


def _move(staged: Path, target: Path) -> bool:
    """Moves every staged file to its place; true if there was any."""
    files = [file for file in sorted(staged.rglob("*")) if file.is_file()]
    for file in files:
        place = target / file.relative_to(staged)
        place.parent.mkdir(parents=True, exist_ok=True)
        with file.open("rb") as content:
            os.fsync(content.fileno())
        file.replace(place)
    return bool(files)
