"""Settings of `piva run` on a benchmark of scenes; importing them loads no torch."""

from pathlib import Path
from typing import Annotated, Literal

import tyro

from piva.config import ExecutionFlags, MetricFlags, PriorConfig, Tracker, identity, runtime
from piva.modules.reconstruction_settings import ReconstructionSettings
from piva.modules.scene_settings import SceneEditSettings


class SceneRunConfig(ExecutionFlags, MetricFlags):
    """What `piva run` does on scenes: one run for each seed, with one method, on one benchmark."""

    root: Path | None = runtime(None)
    """Folder of the benchmark: edits.yaml or edits.json, and the captures that it names. noe-toybox and in2n-toybox
    write their own when none is given."""

    split: Literal["dev", "test"] | None = identity(None)
    """Of noe-toybox and in2n-toybox: choose settings on dev, report on test. That of --root where one is given, else
    test."""

    steps: int = identity(ge=1)
    """Updates of the field."""

    preset: Literal["authors"] | None = runtime(None)
    """Steps and settings as the method's authors had them (`piva list presets`); flags that are given win."""

    seeds: Annotated[tuple[int, ...], tyro.conf.arg(aliases=["--seed"])] = identity((0,), min_length=1)
    """One run for each."""

    scene: SceneEditSettings = identity(default_factory=SceneEditSettings)

    reconstruction: ReconstructionSettings = identity(default_factory=ReconstructionSettings)

    downscale: int = identity(1, ge=1)
    """Make the captured pictures so many times smaller."""

    prior: PriorConfig = identity(default_factory=PriorConfig)

    eval_views: int = identity(ge=2)
    """Views of original and edit that are rendered and scored, along the evaluation path."""

    metrics_every: int = runtime(ge=0)
    """Score a few views every so many steps while an edit is made, so that late drift shows; 0: never."""

    limit: int | None = runtime(None, ge=1)
    """At most this many edits, spread over the groups."""

    case: tuple[str, ...] = runtime(())
    """Only the edits with these ids."""

    type: tuple[str, ...] = runtime(())
    """Only these groups of edits: appearance, addition, translation."""

    out: Path = runtime(Path("runs"))
    """Folder that holds all runs."""

    tracker: Tracker = runtime("wandb")
    """Mirror of the run: W&B (offline where no key is set), TensorBoard, a CSV of per-step values, or none."""

    tags: tuple[str, ...] = runtime(())
    """Tags of the run in W&B, besides split and prior."""

    dry_run: bool = runtime(False)
    """Say what would be done, and do nothing."""
