"""From settings to a run over scenes that can start: its record with both keys, and the function that edits a scene."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.models import loaded
from benchmarks.running.making import Making, run_record
from benchmarks.running.plan import Plan, compose
from benchmarks.scenes.benchmark import SceneBenchmark, SceneEditCase
from benchmarks.scenes.scores import evaluation_ids
from benchmarks.scenes.work import Workshop
from piva.config import Overwrite, identity_values
from piva.errors import ConfigError
from piva.folders import cache_folder
from piva.instructed import SCENE_EDITORS, follows_instructions
from piva.modules.scene_settings import SceneEditSettings
from piva.records import RunRecord, read_cases
from piva.representations.radiance_field import RadianceField
from piva.scenes import editing, reconstruction
from piva.scenes.editing import SceneCase, SceneEditOutput, edit_scene

if TYPE_CHECKING:
    from benchmarks.scenes.runner import EditScene
    from piva.config import MetricFlags
    from piva.metrics.loading import Pictures
    from piva.metrics.scene_scorer import SceneScorer


def load_scene_scorer(device: str, flags: MetricFlags, pictures: Pictures) -> SceneScorer:
    """Every score of scenes asked for whose weights are there; says which are not. Raises as `loaded` does."""
    from piva.metrics.loading import load_scene

    return loaded(load_scene, device, flags, pictures)


def describe(
    benchmark: SceneBenchmark, root: Path, config: Any, prior: Any, scorer: SceneScorer, seed: int
) -> RunRecord:
    """The record of a run, with both keys; its folder may hold an earlier launch of it.

    Args:
        config: `piva.scenes.config.SceneRunConfig` with a `method`.
    """
    method = config.method
    data = {
        "scene": identity_values(config.scene), "scene_version": loop_version(method, benchmark.has_bounded(root)),
        "reconstruction": identity_values(config.reconstruction.here()),
        "reconstruction_version": reconstruction.VERSION, "downscale": config.downscale,
    }  # fmt: skip
    facts = config.prior.model_dump(mode="json") | {"name": prior.name, "fingerprint": prior.fingerprint}
    made = Making(
        method.name, method, facts, config.steps, seed, prior.image_size, data, scenes=_settings(benchmark, config)
    )
    return run_record(benchmark, root, made, evaluation_ids(scorer.spec, config.eval_views))


def loop_version(method: Any, bounded: bool) -> int:
    """Version of the loop that edits scenes with a method; `bounded`: some of them are."""
    if not follows_instructions(method):
        return editing.version_of(method, bounded)
    from piva.scenes import updating

    return updating.VERSION


def _settings(benchmark: SceneBenchmark, config: Any) -> dict[str, Any]:
    """What a reader wants to know of a run besides its method: settings, and which defaults are the benchmark's."""
    found = {
        "scene": config.scene.model_dump(mode="json"),
        "reconstruction": config.reconstruction.here().model_dump(mode="json"),
        "downscale": config.downscale,
        "eval_views": config.eval_views,
    }
    lam = benchmark.defaults.lam
    if lam is not None and "lam" in type(config.method).model_fields:
        found["method_defaults"] = {"lam": lam}
    return found


def plan_scenes(
    path: Path,
    benchmark: SceneBenchmark,
    record: RunRecord,
    cases: Sequence[SceneEditCase],
    overwrite: Overwrite = "only-missing",
) -> Plan[SceneEditCase]:
    """What remains of `cases`, given what the run's folder holds; each is edited alone. Raises as `compose`."""
    instructed = record.method in SCENE_EDITORS
    contents = partial(benchmark.contents, instructed=True) if instructed else benchmark.contents
    return compose(cases, 1, read_cases(path), record.score_key, path, contents, overwrite)


def check_editor(method: Any, prior: Any, settings: SceneEditSettings, cases: Sequence[SceneEditCase] = ()) -> None:
    """Raises ConfigError where an editor by instruction does not suit the settings, or an edit has no instruction."""
    if not follows_instructions(method):
        return
    from piva.scenes.updating import check_update

    check_update(method, settings, prior)
    without = [case.id for case in cases if not case.edit.instruction.strip()]
    if without:
        more = f" and {len(without) - 3} more" if len(without) > 3 else ""
        raise ConfigError(
            f"--method {method.name} follows instructions, which {', '.join(without[:3])}{more} lack: write an "
            "`instruction` for each into the list of edits, or choose others with --case"
        )


def workshop(config: Any, prior: Any) -> Workshop:
    """Where the run's scenes come from."""
    store = cache_folder() / "fields"
    return Workshop(config.reconstruction, store, prior.image_size, config.eval_views, prior.device, config.downscale)


def scene_editor(method: Any, prior: Any, settings: SceneEditSettings, steps: int, seed: int) -> EditScene:
    """The function that edits a scene with the run's method, prior and settings."""

    def edit(
        case: SceneCase,
        *,
        on_step: Callable[[dict[str, Any]], None],
        on_scene: Callable[[int, RadianceField], None],
        checkpoint: Path,
    ) -> SceneEditOutput:
        if follows_instructions(method):
            from piva.scenes.updating import update_scene

            return update_scene(
                prior, method, case, settings, steps=steps, seed=seed, on_step=on_step, on_scene=on_scene,
                checkpoint=checkpoint,
            )  # fmt: skip
        return edit_scene(
            prior, method, case, settings, steps=steps, seed=seed, on_step=on_step, on_scene=on_scene,
            psi_store=cache_folder() / "psi", checkpoint=checkpoint,
        )  # fmt: skip

    return edit
