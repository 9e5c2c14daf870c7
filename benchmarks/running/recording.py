"""From a case to its record: how it begins, what an edit cost, how it failed, and who is told."""

from __future__ import annotations

import errno
import math
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from torch import Tensor

from benchmarks.running.watching import Observer
from piva.errors import MachineError
from piva.records import CaseRecord, RunRecord, Stage

if TYPE_CHECKING:  # a plan tells an edit that was not scored yet from an error
    from benchmarks.running.plan import Plan, Plannable

DISK_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EFBIG)
UNSCORED = "the edit is kept, and was not scored yet: the same command scores it"


class Skipped(Exception):
    """Raised by an edit function that has nothing for a case: recorded as skipped, not as an error."""


class Writer(Protocol):
    """Where a run's images and records go: its `RunFolder`, or a worker's outbox."""

    @property
    def path(self) -> Path:
        """The run's folder."""

    def append(self, record: CaseRecord) -> None:
        """Keeps how a case ended."""

    def write_image(self, case_id: str, image: Any) -> tuple[str, str]:
        """(path below the folder, SHA-256 of the file) of a PIL image that is on the disk now."""


class Recording(Protocol):
    """A run that is open: where its records go, and who watches."""

    @property
    def folder(self) -> Writer: ...
    @property
    def record(self) -> RunRecord: ...
    @property
    def observers(self) -> tuple[Observer, ...]: ...


def begun(job: Recording, plan: Plan, case: Plannable, **known: Any) -> CaseRecord:
    """The case's record so far: the one of its edit where that is done, else a new one with what is `known`."""
    facts: dict[str, Any] = {
        "score_content": plan.contents[case.id].score,
        "score_key": job.record.score_key,
        "launch": len(job.record.launches) - 1,
        "status": "ok",
    }
    if case.id in plan.edited:
        cleared: dict[str, Any] = {
            "unscored": False,
            "stage": None,
            "error": None,
            "traceback": None,
            "metrics": {},
            "reasons": {},
        }
        return plan.edited[case.id].model_copy(update=facts | cleared)
    content = plan.contents[case.id].edit
    return CaseRecord(case_id=case.id, type_id=case.type_id, content=content, **known, **facts)


def note_costs(record: CaseRecord, output: Any) -> None:
    """Notes what an edit cost: `output` is what the edit of an image or of a scene gives."""
    record.seconds_edit, record.peak_bytes = output.seconds, output.peak_bytes
    record.unet_rows, record.unet_rows_backward = output.unet_rows, output.unet_rows_backward
    record.rows_cached, record.psi_rows = output.rows_cached, output.psi_rows
    record.aux_parameters, record.aux_bytes = output.aux_parameters, output.aux_bytes


def joined(*notes: str | None) -> str | None:
    """Notes of a case as one; what is in several is said once."""
    parts = [part for note in notes if note is not None for part in note.split("; ")]
    return "; ".join(dict.fromkeys(parts)) or None


def summary(history: Mapping[str, Sequence[float]]) -> dict[str, dict[str, float]]:
    """First, last and mean of every per-step scalar that stayed finite."""
    return {
        name: {"first": values[0], "last": values[-1], "mean": sum(values) / len(values)}
        for name, values in history.items()
        if values and all(math.isfinite(value) for value in values)
    }


def note_failure(record: CaseRecord, stage: Stage, problem: BaseException) -> None:
    """Notes where and why a case ended without a result.

    Raises:
        MachineError: the disk is full, or may only be read, which is no case's fault.
    """
    if isinstance(problem, OSError) and problem.errno in DISK_ERRORS:
        raise MachineError(f"the disk refuses: {problem}; what was recorded before is kept") from problem
    record.status = "skipped" if isinstance(problem, Skipped) else "error"
    record.stage, record.error = stage, f"{type(problem).__name__}: {problem}"
    record.traceback = "".join(traceback.format_exception(problem))


def unscored(record: CaseRecord) -> CaseRecord:
    """The record of an edit that is kept, to stand until the one with its scores."""
    return record.model_copy(update={"status": "error", "stage": "score", "error": UNSCORED, "unscored": True})


def close(job: Recording, record: CaseRecord, source: Tensor | None = None, edited: Tensor | None = None) -> None:
    """Writes a case's record, and tells the observers; pictures are [3, H, W]."""
    job.folder.append(record)
    tell(job, record, source, edited)


def tell(job: Recording, record: CaseRecord, source: Tensor | None = None, edited: Tensor | None = None) -> None:
    """Tells the observers of a case whose record is written."""
    for observer in job.observers:
        observer.case(record, source, edited)
