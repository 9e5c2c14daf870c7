"""The loop of a run: load -> edit -> write the image -> score -> append the record, batch after batch.

A case that fails is data: it is recorded with its stage and traceback, and fails alone. A batch that does not fit in
memory is halved. Every image is scored as it was written (8 bits a channel), so that scoring again later gives the same
numbers.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from benchmarks.pictures import under_way
from benchmarks.running.course import growth
from benchmarks.running.fitting import Fitting, Outcome
from benchmarks.running.plan import Batch, Plan
from benchmarks.running.recording import Skipped as Skipped
from benchmarks.running.recording import Writer, begun, close, joined, note_costs, note_failure, summary, tell, unscored
from benchmarks.running.watching import Observer, Stopped, Unwatched
from piva.data.images import read_image, to_eight_bits, to_pil
from piva.data.pie_bench import Case, load_image, load_mask, load_true_edit
from piva.editing import EditInput, EditOutput
from piva.errors import ConfigError, PreflightError
from piva.interrupts import finishing
from piva.metrics.batch import ScoreInput
from piva.records import CaseRecord, RunRecord, Stage
from piva.tracking import Look, unseen

OnStep = Callable[[dict[str, Any]], None]
Edit = Callable[[Sequence[EditInput], OnStep], Sequence[EditOutput]]
RESCORE_TOGETHER = 16


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
    """Asked before every batch; `Watch.goes_on` where one watches."""
    on_look: Callable[[Look], None] = unseen
    """Shown edits on their way, where the edit function shows them; it must not raise."""
    metrics_every: int = 0
    """Steps between two looks at which cases are scored on their way; 0: never."""
    image_every: int = 0
    """Steps between two looks at which they are only shown; 0: never."""
    costs_known: bool = True
    """False where images were made elsewhere: time and rows are then unknown, not zero."""
    edits: Fitting = field(default_factory=Fitting)
    """How many are edited together where memory is short; another job of the same run may go on with it."""
    scores: Fitting = field(default_factory=lambda: Fitting("scoring"))
    """How many are scored together."""


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
    closed: bool = False
    """Whether its record is written."""

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
        if not job.goes_on():
            raise Stopped
        works = _load(job, plan, plan.rescore[start : start + RESCORE_TOGETHER], wanted=None)
        for work in works:
            work.edited = read_image(job.folder.path / str(work.record.image))
        _score(job, works)
    for batch in plan.batches:
        if not job.goes_on():
            raise Stopped
        _edit_batch(job, plan, batch)


def _load(job: Job, plan: Plan, cases: Iterable[Case], wanted: frozenset[str] | None) -> list[Work]:
    """The cases whose source can be read; the others' errors are recorded."""
    works = []
    for case in cases:
        record = begun(job, plan, case, source_size=None if case.fault else case.image_size, src=case.src, tgt=case.tgt)
        try:
            source = to_eight_bits(load_image(case, job.image_size(case)))
        except Exception as problem:  # whatever is wrong with one file is that case's result
            if wanted is None or case.id in wanted:
                note_failure(record, "load", problem)
                close(job, record)
            continue
        works.append(Work(case, record, source))
        record.resized = works[-1].size != tuple(case.image_size)
    return works


def _edit_batch(job: Job, plan: Plan, batch: Batch) -> None:
    """Edits a whole batch, and records the cases of it that are wanted.

    Raises:
        ConfigError, PreflightError: the settings or the machine are at fault; every case would fail alike.
    """
    works = _load(job, plan, batch.cases, batch.wanted)
    outcomes = job.edits.done(works, lambda some: _edit(job, some), ends=(ConfigError, PreflightError))
    edited: list[Work] = []
    try:
        with finishing():
            for work, outcome in zip(works, outcomes, strict=True):
                if work.case.id in batch.wanted and _kept(job, work, outcome):
                    edited.append(work)
        _score(job, edited)
    except KeyboardInterrupt:
        with finishing():
            for work in edited:
                if not work.closed:
                    job.folder.append(unscored(work.record))
        raise


def _edit(job: Job, works: Sequence[Work]) -> Sequence[EditOutput]:
    """One output for each case; raises what the edit function raises."""
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
    return [output for _, output in zip(works, outputs, strict=True)]


def _kept(job: Job, work: Work, outcome: Outcome[EditOutput]) -> bool:
    """Whether there is an edit, which is then on the disk; what failed is recorded, with its last finite image."""
    work.record.note, output = outcome.note, outcome.result
    if isinstance(output, Exception):
        _fail(job, work, "edit", output)
        return False
    work.record.note = joined(outcome.note, output.note)
    problem = _wrong(output, work)
    if problem is None:
        _keep(job, work, output, outcome.together)
    if output.error is not None or problem is not None:
        _fail(job, work, "edit", ValueError(output.error or problem))
        return False
    return True


def _wrong(output: EditOutput, work: Work) -> str | None:
    """What is wrong with an edited image, if anything."""
    if output.image.shape != work.source.shape:
        return f"the edit is {list(output.image.shape)}, its source {list(work.source.shape)}"
    return None if bool(torch.isfinite(output.image).all()) else "the edit has values that are not finite"


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


def _score(job: Job, works: Sequence[Work]) -> None:
    """Scores edited cases together, or one by one where that fails, and appends their records."""
    outcomes = job.scores.done(works, lambda some: _scores(job, some))
    for work, outcome in zip(works, outcomes, strict=True):
        record, score = work.record, outcome.result
        record.note = joined(record.note, outcome.note)
        if isinstance(score, Exception):
            _fail(job, work, "score", score)
            continue
        record.metrics, record.reasons = dict(score.values), dict(score.reasons)
        _close(job, work)


def _scores(job: Job, works: Sequence[Work]) -> list[Any]:
    return list(job.scorer.score_batch([work.score_input(_edited(work)) for work in works]))


def _edited(work: Work) -> Tensor:
    assert work.edited is not None
    return work.edited


def _fail(job: Job, work: Work, stage: Stage, problem: BaseException) -> None:
    note_failure(work.record, stage, problem)
    _close(job, work)


def _close(job: Job, work: Work) -> None:
    job.folder.append(work.record)
    work.closed = True
    tell(job, work.record, work.source, work.edited)
