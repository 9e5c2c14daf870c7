"""What `piva run --dry-run` says of scenes: time, from edits recorded before, and room on the disk."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from benchmarks.costs.calibration import PNG_SHARE, RECORD_BYTES, Earlier
from benchmarks.running.plan import Plan
from benchmarks.scenes.benchmark import SceneEditCase
from piva.data.scene_files import NERFSTUDIO
from piva.provenance import Provenance
from piva.records import RunRecord
from piva.rendering.fields.settings import FieldSettings
from piva.rendering.space import Space
from piva.representations.radiance_field import RadianceField

MACHINE = ("device", "cpu", "threads")


def sentences(
    plan: Plan[SceneEditCase], record: RunRecord, config: Any, runs: Sequence[Earlier], here: Provenance, store: Path
) -> list[str]:
    """Lines for the terminal: time and disk of the plan's edits; none where there are none.

    Args:
        record: of the run, as `benchmarks.scenes.launch.describe` makes it.
        config: `piva.scenes.config.SceneRunConfig`.
        runs: what was recorded before.
        store: folder of finished fields.
    """
    if not plan.edits:
        return []
    fields, size = _fields(plan, config), edits_bytes(plan, record, config)
    kept = f"and up to {sum(fields.values()) / 1e6:,.1f} MB in {store}, for {len(fields)} reconstructions"
    return [
        _time(plan.edits * config.steps, step_seconds(runs, record, here)),
        f"disk  {size / 1e6:,.1f} MB: edited fields and views, turntables and sheets not counted; {kept}",
    ]


def edits_bytes(plan: Plan[SceneEditCase], record: RunRecord, config: Any) -> int:
    """Of edited fields and views; turntables and sheets not counted."""
    fields = _fields(plan, config)
    size = sum(fields[case.edit.folder] for batch in plan.batches for case in batch.cases)
    return size + plan.edits * view_bytes(config.eval_views, record.image_size or (0, 0))


def step_seconds(runs: Sequence[Earlier], record: RunRecord, here: Provenance) -> list[float]:
    """Seconds a step of edits on this machine that differ from the run's in scene, prompts, seed or steps alone."""
    return [
        case.seconds_step
        for run in runs
        if _kind(run.record) == _kind(record)
        for case in run.cases
        if case.seconds_step and _machine(run.record.launches[case.launch].provenance) == _machine(here)
    ]


def field_bytes(settings: FieldSettings, bounded: bool) -> int:
    """Of a field's file."""
    made = RadianceField(settings.suited(bounded), Space(torch.zeros(3), 1.0, bounded))
    return sum(value.numel() * value.element_size() for value in made.state_dict().values())


def view_bytes(views: int, size: tuple[int, int]) -> int:
    """Of the pictures of original and edit, and of the edit's record."""
    return round(2 * views * 3 * size[0] * size[1] * PNG_SHARE) + RECORD_BYTES


def _fields(plan: Plan[SceneEditCase], config: Any) -> dict[Path, int]:
    """Folder of a scene -> bytes of a field of it."""
    folders = {case.edit.folder for batch in plan.batches for case in batch.cases}
    return {folder: field_bytes(config.reconstruction.field, _is_bounded(folder)) for folder in folders}


def _time(steps: int, found: Sequence[float]) -> str:
    if not found:
        return "time  unknown: no edit with this method, its settings and this prior is recorded on this machine"
    seconds = steps * statistics.median(found)
    return (
        f"time  {seconds:,.0f} s ({seconds / 3600:.2f} h) of editing, loading, reconstruction and scoring not counted: "
        f"{statistics.median(found):.3g} s a step, the median of {len(found)} edits recorded before"
    )


def _kind(record: RunRecord) -> tuple[Any, ...]:
    """What decides how long a step takes, besides the machine."""
    scenes = record.scenes or {}
    field = scenes.get("reconstruction", {}).get("field")
    made = record.prior.get("fingerprint"), record.image_size, scenes.get("scene"), field
    return record.benchmark, record.method, record.method_version, record.settings, *made


def _machine(made: Provenance) -> tuple[Any, ...]:
    return tuple(getattr(made, name) for name in MACHINE)


def _is_bounded(folder: Path) -> bool:
    return not (folder / NERFSTUDIO).is_file()
