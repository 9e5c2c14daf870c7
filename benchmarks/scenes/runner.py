"""The loop of a run over scenes: open the scene -> edit -> keep the field -> render and score -> record, case by case.

What a case leaves lies below the run's folder, in scenes/<id>/:

    edited.safetensors     the edited field
    views/, turntable.mp4, views.png     `piva.scenes.evaluation.write_views`
    held_out.png           original, edit and true edit from held-out cameras, where the true edit is known
    by_view.json           the scores that the record's are means of
    by_object.json         the scores of each object, where it is known which pixel shows which
    checkpoint.safetensors, course.json     only while the edit is under way: a killed one goes on from here

As with pictures a case that fails is data. An edit is recorded as soon as its field is on the disk, with an error that
says that it has no scores yet; so whoever is killed while scoring has nothing to edit again.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor

from benchmarks.running.course import Course, growth
from benchmarks.running.fitting import is_out_of_memory, release
from benchmarks.running.plan import Plan
from benchmarks.running.recording import Writer, begun, close, note_costs, note_failure, summary, unscored
from benchmarks.running.watching import Observer, Stopped, Unwatched
from benchmarks.scenes.benchmark import SceneEditCase
from benchmarks.scenes.scores import WATCHED_VIEWS, Scored, Watch, score
from benchmarks.scenes.work import Scene, Workshop
from piva.data.problems import DataError
from piva.disk import disk, write_atomically
from piva.errors import ConfigError, PreflightError
from piva.keys import file_hash
from piva.metrics.scene_scorer import SceneScorer
from piva.records import SCENES, CaseRecord, RunRecord, Stage
from piva.records.files import BY_OBJECT_FILE
from piva.rendering.picture_grid import view_sheet
from piva.representations.radiance_field import RadianceField
from piva.scenes.editing import SceneCase, SceneEditOutput
from piva.scenes.evaluation import SHEET_FILE, TURNTABLE_FILE, write_views
from piva.tracking import Look, unseen

FIELD_FILE, BY_VIEW_FILE, HELD_OUT_FILE = "edited.safetensors", "by_view.json", "held_out.png"
CHECKPOINT_FILE, COURSE_FILE = "checkpoint.safetensors", "course.json"


class EditScene(Protocol):
    """Edits one scene; `piva.scenes.editing.edit_scene` with the run's method, prior and settings."""

    def __call__(
        self,
        case: SceneCase,
        *,
        on_step: Callable[[dict[str, Any]], None],
        on_scene: Callable[[int, RadianceField], None],
        checkpoint: Path,
    ) -> SceneEditOutput: ...


@dataclass(frozen=True)
class SceneJob:
    """All that a run needs besides its plan."""

    folder: Writer
    record: RunRecord
    workshop: Workshop
    edit: EditScene
    scorer: SceneScorer
    metrics_every: int
    """Steps between two looks at an edit on its way; 0: none."""
    observers: tuple[Observer, ...] = ()
    goes_on: Callable[[], bool] = Unwatched().goes_on
    """Asked before every scene and every edit of it; `Watch.goes_on` where one watches."""
    on_look: Callable[[Look], None] = unseen
    """Shown what was seen every `metrics_every` steps; it must not raise."""


def execute(job: SceneJob, plan: Plan[SceneEditCase], on_reconstruction: Callable[[str, int, int], None]) -> None:
    """Does what the plan says remains, scene after scene; every case asked for leaves a record.

    Raises:
        ConfigError: an edit finds the settings wrong.
        PreflightError: the disk or the device refuses. What was recorded before is kept.
        Stopped: the job does not go on.
    """
    every = [*plan.rescore, *(case for batch in plan.batches for case in batch.cases)]
    for case in every:
        if case.edit.fault is not None:
            fault = DataError(case.edit.folder.parent, [case.edit.fault])
            _fail(job, _begun(job, plan, case), "load", fault)
    for folder, cases in _in_turn(job, _by_scene([case for case in every if case.edit.fault is None])):
        records = [_begun(job, plan, case) for case in cases]
        _check_on(job)
        try:
            scene = job.workshop.open(folder, on_reconstruction)
        except Exception as problem:  # whatever is wrong with a scene is the result of its edits, and of no other's
            if isinstance(problem, (ConfigError, PreflightError)) and not isinstance(problem, DataError):
                raise
            for record in records:
                _fail(job, record, "load", problem)
            continue
        for case, record in zip(cases, records, strict=True):
            _check_on(job)
            _edit_and_score(job, scene, case, record, edited=case.id in plan.edited)


def _check_on(job: SceneJob) -> None:
    if not job.goes_on():
        raise Stopped


def _by_scene(cases: Sequence[SceneEditCase]) -> Iterator[tuple[Path, list[SceneEditCase]]]:
    """The cases of each scene, scenes in the order of their first case: only one is in memory at a time."""
    for folder in dict.fromkeys(case.edit.folder for case in cases):
        yield folder, [case for case in cases if case.edit.folder == folder]


def _in_turn(
    job: SceneJob, scenes: Iterator[tuple[Path, list[SceneEditCase]]]
) -> Iterator[tuple[Path, list[SceneEditCase]]]:
    """The scenes; one that another run reconstructs just now waits until the others are done."""
    waiting, put_off = list(scenes), []
    while waiting:
        folder, cases = waiting.pop(0)
        if waiting and job.workshop.is_taken(folder):
            put_off.append((folder, cases))
        else:
            yield folder, cases
    yield from put_off


def _begun(job: SceneJob, plan: Plan[SceneEditCase], case: SceneEditCase) -> CaseRecord:
    return begun(job, plan, case, scene=case.edit.scene, src=case.edit.source, tgt=case.edit.target)


def _edit_and_score(job: SceneJob, scene: Scene, case: SceneEditCase, record: CaseRecord, edited: bool) -> None:
    try:
        field = _kept_field(job, record, scene) if edited else _edit(job, scene, case, record)
    except (ConfigError, PreflightError):
        raise
    except Exception as problem:
        _fail(job, record, "edit", problem)
        return
    try:
        found = score(job.scorer, scene, case, field)
    except Exception as problem:
        _fail(job, record, "score", problem)
        return
    _note_scores(job, record, found)
    chosen = [k * len(found.views.edited) // WATCHED_VIEWS for k in range(WATCHED_VIEWS)]
    close(job, record, _strip(found.views.original[chosen]), _strip(found.views.edited[chosen]))


def _fail(job: SceneJob, record: CaseRecord, stage: Stage, problem: Exception) -> None:
    note_failure(record, stage, problem)
    if is_out_of_memory(problem):  # the next edit shall have what this one held
        release(problem)
    close(job, record)


def _kept_field(job: SceneJob, record: CaseRecord, scene: Scene) -> RadianceField:
    device = next(scene.field.parameters()).device
    return RadianceField.load(job.folder.path / str(record.field), device).eval().requires_grad_(False)


def _edit(job: SceneJob, scene: Scene, case: SceneEditCase, record: CaseRecord) -> RadianceField:
    """The edited field, which is on the disk and recorded.

    Raises:
        ValueError: the edit ran away; its last finite field is on the disk.
    """
    own = job.folder.path / SCENES / case.id
    course = Course(own / COURSE_FILE, record.content)
    watch = Watch(job.scorer, job.metrics_every, job.record.steps)

    def on_step(values: dict[str, Any]) -> None:
        for observer in job.observers:
            observer.step({**values, "cases": 1})

    def on_scene(step: int, field: RadianceField) -> None:
        if watch.is_due(step):
            started = time.monotonic()
            scores, views = watch.look(scene, case, field)
            job.on_look(Look(step, {case.id: _strip(views)}, {case.id: scores}))
            course.note(step, scores, time.monotonic() - started)

    checkpoint = own / CHECKPOINT_FILE
    output = job.edit(scene.to_edit(case), on_step=on_step, on_scene=on_scene, checkpoint=checkpoint)
    with disk(own):
        own.mkdir(parents=True, exist_ok=True)
        output.scene.save(own / FIELD_FILE)
    record.field, record.field_sha256 = f"{SCENES}/{case.id}/{FIELD_FILE}", file_hash(own / FIELD_FILE)
    note_costs(record, output)
    record.seconds_edit = output.seconds - course.seconds
    record.history, record.reconstruction = summary(output.history), scene.key
    record.note = output.note
    record.course = course.columns()
    record.lpips_growth = growth(record.course)
    if output.error is None:
        record.seconds_step = record.seconds_edit / job.record.steps
        job.folder.append(unscored(record))
    with disk(own):
        checkpoint.unlink(missing_ok=True)
    course.remove()
    if output.error is not None:
        raise ValueError(output.error)
    return output.scene


def _note_scores(job: SceneJob, record: CaseRecord, found: Scored) -> None:
    """Writes the views and the scores by view, and notes where they are."""
    relative = f"{SCENES}/{record.case_id}"
    own = job.folder.path / relative
    write_views(own, found.views)
    by_view = json.dumps(found.scores.by_view, allow_nan=False).encode()
    with disk(own):
        write_atomically(own / BY_VIEW_FILE, by_view + b"\n")
        if found.by_object:
            by_object = json.dumps(found.by_object, allow_nan=False).encode()
            write_atomically(own / BY_OBJECT_FILE, by_object + b"\n")
        if found.held_out:
            view_sheet(own / HELD_OUT_FILE, found.held_out)
    record.image, record.image_sha256 = f"{relative}/{SHEET_FILE}", file_hash(own / SHEET_FILE)
    record.turntable, record.by_view = f"{relative}/{TURNTABLE_FILE}", f"{relative}/{BY_VIEW_FILE}"
    record.metrics, record.reasons = dict(found.scores.values), dict(found.scores.reasons)


def _strip(views: Tensor) -> Tensor:
    """Views [V,3,H,W] side by side: [3,H,V*W]."""
    return torch.cat(list(views), dim=-1)
