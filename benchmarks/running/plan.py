"""What a run has to do: the cases asked for, in fixed batches, minus what is recorded.

Batches are composed from the full plan. A resumed run therefore edits in the same batches as one that was never
interrupted, and makes the same images bit for bit; it records only what was missing.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Generic, Protocol, TypeVar

from piva.config import Overwrite
from piva.data.pie_bench import Case
from piva.errors import ConfigError
from piva.keys import content_hash, digest, file_hash
from piva.records import CaseRecord
from piva.records.run_files import archived


class Plannable(Protocol):
    """What a plan asks of a case."""

    @property
    def id(self) -> str: ...
    @property
    def type_id(self) -> str: ...


C = TypeVar("C", bound=Plannable)


@dataclass(frozen=True)
class Contents:
    """Hashes of one case: what its edit depends on, and what its scores depend on besides."""

    edit: str
    score: str
    readable: bool = True
    """False: what it depends on is gone or broken, and these are hashes of what is wrong with it."""


@dataclass(frozen=True)
class Batch(Generic[C]):
    """Cases that are edited together; `wanted` are the ids that still have to be recorded."""

    cases: tuple[C, ...]
    wanted: frozenset[str]


@dataclass(frozen=True)
class Plan(Generic[C]):
    """The cases asked for, and what remains to be done for them."""

    cases: tuple[C, ...]
    contents: Mapping[str, Contents]
    batches: tuple[Batch[C], ...]
    rescore: tuple[C, ...] = ()
    """Edited already, but scored with other metrics or against another mask."""
    edited: Mapping[str, CaseRecord] = field(default_factory=dict)
    """The records of the cases to rescore."""
    done: tuple[str, ...] = ()
    retry: tuple[str, ...] = ()
    """Ids of failed cases that are tried again."""
    left: tuple[str, ...] = ()
    """Ids of failed cases that are left as they are."""

    @property
    def remains(self) -> bool:
        """Whether there is anything to do."""
        return bool(self.batches or self.rescore)

    @property
    def edits(self) -> int:
        """Number of cases that have to be edited and recorded."""
        return sum(len(batch.wanted) for batch in self.batches)

    @property
    def wanted(self) -> frozenset[str]:
        """Their ids."""
        return frozenset(id_ for batch in self.batches for id_ in batch.wanted)

    def only(self, ids: Collection[str]) -> Plan[C]:
        """What it says of these cases; a batch counts where any case that is wanted of it does."""
        return replace(
            self,
            cases=tuple(case for case in self.cases if case.id in ids),
            batches=tuple(batch for batch in self.batches if not batch.wanted.isdisjoint(ids)),
            rescore=tuple(case for case in self.rescore if case.id in ids),
            done=tuple(id_ for id_ in self.done if id_ in ids),
            retry=tuple(id_ for id_ in self.retry if id_ in ids),
            left=tuple(id_ for id_ in self.left if id_ in ids),
        )

    def part(self, batches: Sequence[Batch[C]], rescore: Sequence[C] = ()) -> Plan[C]:
        """Only these batches and cases to score: a plan of its own, and no more than a worker needs to be sent."""
        cases = {case.id: case for case in (*(case for batch in batches for case in batch.cases), *rescore)}
        return Plan(
            cases=tuple(cases.values()),
            contents={id_: self.contents[id_] for id_ in cases},
            batches=tuple(batches),
            rescore=tuple(rescore),
            edited={case.id: self.edited[case.id] for case in rescore},
        )


def spread(cases: Sequence[C], limit: int | None) -> list[C]:
    """At most `limit` cases, taken from the edit types in turn, so that any beginning covers all types."""
    by_type: dict[str, list[C]] = {}
    for case in cases:
        by_type.setdefault(case.type_id, []).append(case)
    rounds = max((len(group) for group in by_type.values()), default=0)
    ordered = [group[k] for k in range(rounds) for _, group in sorted(by_type.items()) if k < len(group)]
    return ordered[:limit]


def contents(case: Case) -> Contents:
    """Hashes of a case, for its record."""
    if case.fault is not None:
        return unreadable(case.fault)
    try:
        true_edit = None if case.true_edit_path is None else file_hash(case.true_edit_path)
        return Contents(
            edit=content_hash(case.image_path, case.src, case.tgt),
            score=content_hash(case.image_path, list(case.mask_rle), true_edit, case.labels),
        )
    except OSError as problem:  # gone since it was listed
        return unreadable(str(problem))


def unreadable(why: str) -> Contents:
    """Of a case that cannot be read: it is another one once what is wrong with it changes."""
    wrong = digest({"unreadable": why})
    return Contents(edit=wrong, score=wrong, readable=False)


def compose(
    cases: Sequence[C],
    batch_size: int,
    records: Mapping[str, CaseRecord],
    score_key: str,
    folder: Path,
    hashed: Callable[[C], Contents] = contents,  # type: ignore[assignment]
    overwrite: Overwrite = "only-missing",
) -> Plan[C]:
    """The plan for `cases` (already in order), given what `folder` has recorded.

    A case that is tried again is tried alone, which is how it was last tried: a failing batch is taken apart.

    Args:
        hashed: what a case's edit and scores depend on.
        overwrite: what of it is done again. only-missing: nothing, failed cases included; but a case that has changed
            counts as missing, and scores by other metrics do. An archived case is done until other scores need its
            image. retry-errors: failed cases. always: all. never: nothing, and nothing is added to it.

    Raises:
        ConfigError: `never`, and some of the cases are recorded.
    """
    if overwrite == "never":
        _check_fresh(cases, records, folder)
    hashes = {case.id: hashed(case) for case in cases}
    states = {case.id: _state(records.get(case.id), hashes[case.id], score_key, folder, overwrite) for case in cases}
    batches = []
    for start in range(0, len(cases), batch_size):
        members = tuple(cases[start : start + batch_size])
        new = frozenset(case.id for case in members if states[case.id] == "new")
        if new:
            batches.append(Batch(members, new))
        batches += [Batch((case,), frozenset([case.id])) for case in members if states[case.id] == "failed"]
    return Plan(
        cases=tuple(cases),
        contents=hashes,
        batches=tuple(batches),
        rescore=tuple(case for case in cases if states[case.id] == "rescore"),
        edited={case.id: records[case.id] for case in cases if states[case.id] == "rescore"},
        done=tuple(case.id for case in cases if states[case.id] == "done"),
        retry=tuple(case.id for case in cases if states[case.id] == "failed"),
        left=tuple(case.id for case in cases if states[case.id] == "left"),
    )


def _check_fresh(cases: Sequence[C], records: Mapping[str, CaseRecord], folder: Path) -> None:
    known = [case.id for case in cases if case.id in records]
    if known:
        raise ConfigError(
            f"--overwrite never: {folder} has records of {len(known)} of these {len(cases)} cases, {known[0]} among "
            "them; without the flag the command does what is missing"
        )


def _state(record: CaseRecord | None, hashes: Contents, score_key: str, folder: Path, overwrite: Overwrite) -> str:
    """new, failed, rescore, done, or left."""
    if overwrite == "always":
        return "new"
    state = _standing(record, hashes, score_key, folder)
    if overwrite != "retry-errors" and record is not None and record.failed:
        scored_alike = record.score_key == score_key and record.score_content == hashes.score
        if state == "failed" or (state == "rescore" and scored_alike):
            return "left"
    return state


def _standing(record: CaseRecord | None, hashes: Contents, score_key: str, folder: Path) -> str:
    """What there is of a case: new, failed, rescore or done."""
    if record is not None and record.status == "ok" and not hashes.readable:
        return "done" if record.score_key == score_key else "rescore"  # what was made while it could be read is kept
    if record is None or record.content != hashes.edit:
        return "new"
    if record.status == "error" and record.stage == "edit":
        return "failed"  # whatever it left: of a case that ran away the last finite image is kept
    scored = record.status == "ok" and record.score_key == score_key and record.score_content == hashes.score
    if not _has_edit(record, folder):
        if scored and archived(record):
            return "done"
        return "failed" if record.status == "error" else "new"
    return "done" if scored else "rescore"


def _has_edit(record: CaseRecord, folder: Path) -> bool:
    """Whether what the edit made is there as it was recorded: a scene's field, or an image."""
    file, wanted = record.field or record.image, record.field_sha256 or record.image_sha256
    return file is not None and (folder / file).is_file() and file_hash(folder / file) == wanted
