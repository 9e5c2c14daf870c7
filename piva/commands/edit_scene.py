"""`piva edit-scene SCENE --source ... --target ...`: reconstructs a captured scene, and edits it in 3D."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from piva.commands.arguments import parse, prompt_of, take, with_method
from piva.commands.run_settings import check_scene_method
from piva.commands.score_lines import print_scores
from piva.config import Color, MetricFlags, PriorConfig, Settings, identity, runtime
from piva.errors import COMPLETE, ConfigError, PreflightError
from piva.modules.reconstruction_settings import ReconstructionSettings
from piva.modules.scene_settings import SceneEditSettings

if TYPE_CHECKING:
    from piva.data.scenes import SceneCapture
    from piva.representations.radiance_field import RadianceField
    from piva.scenes.editing import SceneCase, SceneEditOutput

FIELD_FILE, RECORD_FILE, CHECKPOINT_FILE = "edited.safetensors", "edit.json", "checkpoint.safetensors"
PRINTED = (
    "clip_text", "clip_direction", "consistency_direction_pair", "consistency_edit_direction", "lpips", "psnr",
)  # fmt: skip


class EditSceneConfig(Settings):
    """What `piva edit-scene` does."""

    capture: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="SCENE")] = runtime()
    """Folder of the capture: nerfstudio's transforms.json, or NeRF-synthetic's transforms_train.json and its like. Or a
    scene of the Toybox's own sets, such as in2n-toybox/red-cube, which is drawn when it is not there."""

    source: Annotated[str, prompt_of("--source")] = identity()
    """What the scene shows."""

    target: Annotated[str, prompt_of("--target")] = identity()
    """What it should show."""

    instruction: str = identity("")
    """What to do, for methods that follow instructions (in2n); source and target then only score the edit."""

    steps: int = identity(300, ge=1)
    """Updates of the field (ours, for the Toybox prior; the paper: 15,000 with Stable Diffusion)."""

    seed: int = identity(0)
    """Of the draws of the edit."""

    downscale: int = identity(1, ge=1)
    """Make the captured pictures so many times smaller."""

    background: Color | None = identity(None)
    """Colour behind a scene whose pictures are transparent, red, green and blue in [0, 1];
    --reconstruction.field.background-color otherwise."""

    scene: SceneEditSettings = identity(default_factory=SceneEditSettings)

    reconstruction: ReconstructionSettings = identity(default_factory=ReconstructionSettings)

    prior: PriorConfig = identity(default_factory=PriorConfig)

    eval_views: int = runtime(120, ge=2)
    """Views rendered of original and edit along the evaluation path."""

    out: Path | None = runtime(None)
    """Folder to write to; edits/<scene>-<method>-<key> otherwise."""


ABOUT = """\
Edit a captured scene in 3D: reconstruct it (once; it is kept), edit the field, render and score the same views of both.
--method is one of {methods}; piva by default. Continues where it stopped.

example: piva edit-scene in2n-toybox/red-cube --source "a red cube on grass" --target "a blue cube on grass"
"""


def main(arguments: Sequence[str]) -> int:
    """Writes edited.safetensors, views/, turntable.mp4, views.png and edit.json."""
    from piva.instructed import SCENE_EDITORS, follows_instructions
    from piva.methods import METHODS

    names = METHODS | SCENE_EDITORS
    name, _ = take("--method", arguments)
    check_scene_method(name)
    kind, rest = with_method(EditSceneConfig, names, arguments if name else ["--method", "piva", *arguments])
    config: Any = parse(kind, "edit-scene", rest, ABOUT.format(methods=", ".join(names)))
    if follows_instructions(config.method) and not config.instruction.strip():
        raise ConfigError(f"--method {config.method.name} follows an instruction: give --instruction, what to do")
    from benchmarks.models import check_method, drop_text_encoder, load_prior
    from benchmarks.preflight.checks import check_disk
    from benchmarks.running.progress import Bar
    from benchmarks.scenes.benchmark import scene_folder
    from benchmarks.scenes.launch import check_editor, load_scene_scorer
    from piva.data.scenes import read_scene
    from piva.folders import cache_folder
    from piva.scenes.reconstruction import color_behind
    from piva.scenes.stored_fields import reconstructed

    capture = read_scene(scene_folder(config.capture), config.downscale)
    try:
        behind = color_behind(capture, config.reconstruction.field, config.background)
    except ValueError as problem:
        raise ConfigError(f"--background: {problem}") from problem
    prior = load_prior(config.prior, config.method)
    check_method(config.method, prior, config.steps)
    check_editor(config.method, prior, config.scene)
    if config.prior.drop_text_encoder:
        drop_text_encoder(prior, config.method, [(config.source, config.target)], [config.instruction])
    pictures = "toybox" if config.prior.model == "toybox" else "real"
    scorer = load_scene_scorer(str(prior.device), MetricFlags(), pictures)  # type: ignore[arg-type]
    with Bar(f"reconstructing {capture.name}", 1, config.reconstruction.steps) as bar:
        field, seconds = reconstructed(
            capture, config.reconstruction, cache_folder() / "fields", prior.device,
            lambda index, _: bar.step({"step": index, "cases": 1}),
        )  # fmt: skip
    print(f"reconstructed in {seconds:.0f} s" if seconds else "reconstructed before", file=sys.stderr)
    case, key = _case(config, capture, field, behind, prior)
    out = config.out or Path("edits") / f"{capture.name}-{config.method.name}-{key}"
    check_disk(out)
    output = _edit(config, prior, case, out)
    if output.error:
        raise PreflightError(
            f"the edit failed: {output.error}; try smaller --scene.lr-density, --scene.lr-color or --scene.lr-network"
        )
    _keep(config, prior, capture, case, output, scorer, out, key)
    (out / CHECKPOINT_FILE).unlink(missing_ok=True)
    return COMPLETE


def _case(
    config: Any, capture: "SceneCapture", field: "RadianceField", behind: Color | None, prior: Any
) -> "tuple[SceneCase, str]":
    """The scene to be edited, named by its content, and the edit's key."""
    import torch

    from benchmarks.running.making import weights_of
    from benchmarks.scenes.launch import loop_version
    from piva.config import identity_values
    from piva.instructed import follows_instructions
    from piva.keys import edit_key
    from piva.scenes.editing import SceneCase
    from piva.scenes.reconstruction import reconstruction_key

    facts = {
        "version": loop_version(config.method, capture.bounded),
        "field": reconstruction_key(capture, config.reconstruction), "source": config.source, "target": config.target,
        "background": behind, "scene": identity_values(config.scene),
    }  # fmt: skip
    if follows_instructions(config.method):
        facts["instruction"] = config.instruction
    key = edit_key(
        benchmark=facts, method=config.method.name, method_version=config.method.VERSION, settings=config.method,
        prior=weights_of(prior.fingerprint, config.method), steps=config.steps, seed=config.seed,
    )  # fmt: skip
    background = None if behind is None else torch.tensor(behind)
    train = capture.train
    case = SceneCase(
        capture.digest, field, train.cameras, config.source, config.target, background, config.instruction, train
    )
    return case, key


def _edit(config: Any, prior: Any, case: "SceneCase", out: Path) -> "SceneEditOutput":
    from benchmarks.running.progress import Bar
    from benchmarks.scenes.launch import scene_editor

    edit = scene_editor(config.method, prior, config.scene, config.steps, config.seed)
    with Bar(config.method.name, 1, config.steps) as bar:
        return edit(
            case, on_step=lambda values: bar.step({**values, "cases": 1}), on_scene=lambda step, field: None,
            checkpoint=out / CHECKPOINT_FILE,
        )  # fmt: skip


def _keep(
    config: Any, prior: Any, capture: "SceneCapture", case: "SceneCase", output: "SceneEditOutput", scorer: Any,
    out: Path, key: str,
) -> None:  # fmt: skip
    """Writes the field, the views and what they are worth; prints the scores."""
    from piva.disk import disk
    from piva.metrics.views import SceneInput
    from piva.rendering.paths import evaluation_path
    from piva.scenes.evaluation import SHEET_FILE, TURNTABLE_FILE, same_views, write_views

    with disk(out):
        output.scene.save(out / FIELD_FILE)
    cameras, closed = evaluation_path(capture, config.eval_views, prior.image_size)
    views = same_views(case.source, output.scene, cameras, closed, case.background)
    scored = SceneInput(
        source=views.original, edited=views.edited, src_prompt=case.src, tgt_prompt=case.tgt, closed=closed
    )
    scores = scorer.score(scored)
    write_views(out, views)
    _write_record(config, prior, output, scores, out, key)
    print_scores(scores.values, PRINTED)
    print("\n".join(str(out / name) for name in (FIELD_FILE, TURNTABLE_FILE, SHEET_FILE, RECORD_FILE)))


def _write_record(config: Any, prior: Any, output: "SceneEditOutput", scores: Any, out: Path, key: str) -> None:
    from piva.disk import disk, write_atomically
    from piva.provenance import collect

    costs = {name: value for name, value in vars(output).items() if name not in ("scene", "history", "case_id")}
    record = {
        "edit_key": key,
        "method": config.method.name,
        "config": config.model_dump(mode="json"),
        "prior": {"name": prior.name, "fingerprint": prior.fingerprint},
        **costs,
        "metrics": scores.values,
        "reasons": scores.reasons,
        "by_view": scores.by_view,
        "history": output.history,
        "provenance": collect(str(prior.device)).model_dump(),
    }
    with disk(out):
        write_atomically(out / RECORD_FILE, json.dumps(record, indent=2).encode() + b"\n")
