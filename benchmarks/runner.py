"""The loop of a run: load -> edit -> write the image -> score -> append the record, batch after batch.

A case that fails is data: it is recorded with its stage and traceback, and fails alone. Every image is scored as it
was written (8 bits a channel), so that scoring again later gives the same numbers.
"""

import math
import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor

from benchmarks import under_way
from benchmarks.course import growth
from benchmarks.plan import Batch, Plan, Plannable
from benchmarks.watching import Observer, Stopped, Unwatched
from piva.data.images import read_image, to_eight_bits, to_pil
from piva.data.pie_bench import Case, load_image, load_mask, load_true_edit
from piva.editing import EditInput, EditOutput
from piva.errors import ConfigError, PreflightError
from piva.metrics.batch import ScoreInput
from piva.records import CaseRecord, RunRecord, Stage
from piva.tracking import Look, unseen

OnStep = Callable[[dict[str, Any]], None]
Edit = Callable[[Sequence[EditInput], OnStep], Sequence[EditOutput]]
RESCORE_TOGETHER = 16


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


@dataclass(frozen=True)
class Job:
    """All that a run needs besides its plan."""

    folder: Writer
    record: RunRecord
    image_size: Callable[[Case], tuple[int, int]]
    """(H, W) that a case is edited and scored at."""
    edit: Edit
    scorer: Any
    """`piva.metrics.scorer.Scorer`, or what scores like it."""
    observers: tuple[Observer, ...] = ()
    goes_on: Callable[[], bool] = Unwatched().goes_on
    """Asked before every batch of edits; `Watch.goes_on` where one watches."""
    on_look: Callable[[Look], None] = unseen
    """Shown edits on their way, where the edit function shows them; it must not raise."""
    metrics_every: int = 0
    """Steps between two looks at which cases are scored on their way; 0: never."""
    image_every: int = 0
    """Steps between two looks at which they are only shown; 0: never."""
    costs_known: bool = True
    """False where images were made elsewhere: time and rows are then unknown, not zero."""


@dataclass
class Work:
    """One case on its way: filled in stage by stage."""

    case: Case
    record: CaseRecord
    source: Tensor
    """[3, H, W] in [0, 1]."""
    edited: Tensor | None = None
    seconds_looked: float = 0.0
    """What scoring it on its way took, which is no part of the edit."""

    @property
    def size(self) -> tuple[int, int]:
        """(H, W) that the case is edited and scored at."""
        return int(self.source.shape[-2]), int(self.source.shape[-1])

    def score_input(self, edited: Tensor) -> ScoreInput:
        """What the scorer is given of this case, and of an edit [3,H,W] of it."""
        true_edit = load_true_edit(self.case, self.size)
        return ScoreInput(
            src_image=self.source,
            edited=edited,
            src_prompt=self.case.src,
            tgt_prompt=self.case.tgt,
            mask=load_mask(self.case, self.size),
            true_edit=None if true_edit is None else to_eight_bits(true_edit),
            labels=self.case.labels,
        )


def execute(job: Job, plan: Plan) -> None:
    """Does what the plan says remains; every case asked for leaves a record.

    Raises:
        ConfigError: an edit finds the settings wrong.
        PreflightError: the disk or the device refuses. What was recorded before is kept.
        Stopped: the job does not go on.
    """
    for start in range(0, len(plan.rescore), RESCORE_TOGETHER):
        works = _load(job, plan, plan.rescore[start : start + RESCORE_TOGETHER], wanted=None)
        for work in works:
            work.edited = read_image(job.folder.path / str(work.record.image))
        _score(job, works)
    for batch in plan.batches:
        if not job.goes_on():
            raise Stopped
        _edit_batch(job, plan, batch)
    under_way.clear(job.folder.path)


def _load(job: Job, plan: Plan, cases: Iterable[Case], wanted: frozenset[str] | None) -> list[Work]:
    """The cases whose source can be read; the others' errors are recorded."""
    works = []
    for case in cases:
        record = begun(job, plan, case, source_size=None if case.fault else case.image_size, src=case.src, tgt=case.tgt)
        try:
            source = to_eight_bits(load_image(case, job.image_size(case)))
        except Exception as problem:  # whatever is wrong with one file is that case's result
            if wanted is None or case.id in wanted:
                _fail(job, record, "load", problem)
            continue
        works.append(Work(case, record, source))
        record.resized = works[-1].size != tuple(case.image_size)
    return works


def begun(job: Recording, plan: Plan, case: Plannable, **known: Any) -> CaseRecord:
    """The case's record so far: the one of its edit where that is done, else a new one with what is `known`."""
    facts: dict[str, Any] = {
        "score_content": plan.contents[case.id].score,
        "score_key": job.record.score_key,
        "launch": len(job.record.launches) - 1,
        "status": "ok",
    }
    if case.id in plan.edited:
        cleared: dict[str, Any] = {"stage": None, "error": None, "traceback": None, "metrics": {}, "reasons": {}}
        return plan.edited[case.id].model_copy(update=facts | cleared)
    content = plan.contents[case.id].edit
    return CaseRecord(case_id=case.id, type_id=case.type_id, content=content, **known, **facts)


def _edit_batch(job: Job, plan: Plan, batch: Batch) -> None:
    """Edits a whole batch, and records the cases of it that are wanted.

    Raises:
        ConfigError, PreflightError: the settings or the machine are at fault; every case would fail alike.
    """
    works = _load(job, plan, batch.cases, batch.wanted)
    if not works:
        return
    together = len(works)
    try:
        outputs = _edit(job, works)
    except (ConfigError, PreflightError):
        raise
    except Exception as problem:  # one case may spoil a batch: each is tried alone, and fails alone
        outputs = [problem] if together == 1 else [_edit_alone(job, work) for work in works]
        together = 1
    edited = []
    for work, output in zip(works, outputs, strict=True):
        if work.case.id not in batch.wanted:
            continue
        if isinstance(output, Exception):
            _fail(job, work.record, "edit", output)
        else:
            _keep(job, work, output, together)
            edited.append(work)
    _score(job, edited)


def _edit(job: Job, works: Sequence[Work]) -> list[EditOutput | Exception]:
    """One output for each case, or what is wrong with it; raises what the edit function raises."""
    inputs = [EditInput(work.case.id, work.source, work.case.src, work.case.tgt) for work in works]
    looks = under_way.Looks(job.folder.path, works, job.scorer, job.metrics_every, job.image_every, job.on_look)

    def on_step(values: dict[str, Any]) -> None:
        numbers = {name: value for name, value in values.items() if name != "images"}
        for observer in job.observers:
            observer.step({**numbers, "cases": len(inputs)})
        if "images" in values:
            looks.at(values["step"] + 1, values["images"])

    outputs = job.edit(inputs, on_step)
    for work, course in zip(works, looks.courses, strict=True):
        work.seconds_looked, work.record.course = course.seconds, course.columns()
        work.record.lpips_growth = growth(work.record.course)
    looks.close()
    return [_wrong(output, work) or output for work, output in zip(works, outputs, strict=True)]


def _edit_alone(job: Job, work: Work) -> EditOutput | Exception:
    try:
        return _edit(job, [work])[0]
    except (ConfigError, PreflightError):
        raise
    except Exception as problem:
        return problem


def _wrong(output: EditOutput, work: Work) -> Exception | None:
    """What is wrong with an edited image, if anything."""
    if output.error is not None:
        return ValueError(output.error)
    if output.image.shape != work.source.shape:
        return ValueError(f"the edit is {list(output.image.shape)}, its source {list(work.source.shape)}")
    return None if bool(torch.isfinite(output.image).all()) else ValueError("the edit has values that are not finite")


def _keep(job: Job, work: Work, output: EditOutput, together: int) -> None:
    """Writes the image; the record names it only when it is on the disk."""
    work.edited = to_eight_bits(output.image)
    record = work.record
    record.image, record.image_sha256 = job.folder.write_image(work.case.id, to_pil(work.edited))
    if job.costs_known:
        note_costs(record, output)
        record.seconds_edit = output.seconds - work.seconds_looked
    record.batch = together
    record.history = summary(output.history)


def note_costs(record: CaseRecord, output: Any) -> None:
    """Notes what an edit cost: `output` is what the edit of an image or of a scene gives."""
    record.seconds_edit, record.peak_bytes = output.seconds, output.peak_bytes
    record.unet_rows, record.unet_rows_backward = output.unet_rows, output.unet_rows_backward
    record.rows_cached, record.psi_rows = output.rows_cached, output.psi_rows
    record.aux_parameters, record.aux_bytes = output.aux_parameters, output.aux_bytes


def summary(history: Mapping[str, Sequence[float]]) -> dict[str, dict[str, float]]:
    """First, last and mean of every per-step scalar that stayed finite."""
    return {
        name: {"first": values[0], "last": values[-1], "mean": sum(values) / len(values)}
        for name, values in history.items()
        if values and all(math.isfinite(value) for value in values)
    }


def _score(job: Job, works: Sequence[Work]) -> None:
    """Scores edited cases together, or one by one where that fails, and appends their records."""
    try:
        inputs = [work.score_input(_edited(work)) for work in works]
        scores: list[Any] = list(job.scorer.score_batch(inputs)) if inputs else []
    except Exception:  # one case may spoil a batch: each is scored alone, and fails alone, with its traceback
        scores = [_score_alone(job, work) for work in works]
    for work, score in zip(works, scores, strict=True):
        if isinstance(score, Exception):
            _fail(job, work.record, "score", score, work)
            continue
        work.record.metrics, work.record.reasons = dict(score.values), dict(score.reasons)
        _append(job, work.record, work)


def _score_alone(job: Job, work: Work) -> Any:
    try:
        return job.scorer.score_batch([work.score_input(_edited(work))])[0]
    except Exception as problem:
        return problem


def _edited(work: Work) -> Tensor:
    assert work.edited is not None
    return work.edited


def _fail(job: Job, record: CaseRecord, stage: Stage, problem: BaseException, work: Work | None = None) -> None:
    note_failure(record, stage, problem)
    _append(job, record, work)


def note_failure(record: CaseRecord, stage: Stage, problem: BaseException) -> None:
    """Notes where and why a case ended without a result."""
    record.status = "skipped" if isinstance(problem, Skipped) else "error"
    record.stage, record.error = stage, f"{type(problem).__name__}: {problem}"
    record.traceback = "".join(traceback.format_exception(problem))


def _append(job: Job, record: CaseRecord, work: Work | None) -> None:
    close(job, record, work.source if work else None, work.edited if work else None)


def close(job: Recording, record: CaseRecord, source: Tensor | None = None, edited: Tensor | None = None) -> None:
    """Writes a case's record, and tells the observers; pictures are [3, H, W]."""
    job.folder.append(record)
    for observer in job.observers:
        observer.case(record, source, edited)
