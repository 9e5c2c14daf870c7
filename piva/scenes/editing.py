"""Edit a scene: prior, method and a reconstructed field in, the edited field out."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from piva.auxiliary.stored import keep, psi_key
from piva.auxiliary.training import AuxiliaryTraining
from piva.case_history import cut
from piva.checkpoint import Checkpoint
from piva.config import identity_values
from piva.data.scenes import Views
from piva.devices import begin_peak, peak_bytes
from piva.editing import cut_note
from piva.keys import digest
from piva.modules.image_editing import GOES_ON
from piva.modules.scene_editing import SceneEditing, SourceViews
from piva.modules.scene_settings import SceneEditSettings
from piva.noise import DrawPlan
from piva.priors import Adapter, Prior
from piva.rendering.cameras import Cameras
from piva.rendering.view_plan import CapturedViews, OrbitViews, ViewPlan
from piva.representations.radiance_field import RadianceField
from piva.scenes.loop import History, do_steps
from piva.scores import ScoreEngine, SourceRows

VERSION = 1
"""Raised when the same scene and settings give another edit."""
VERSION_MENDED = 2
"""The same where psi is stored, whose draws were those of whichever edit came first, and where auxiliaries read the
depth of a bounded scene, whose background was no farther than where rays leave the cube, or miss it."""


@dataclass(frozen=True, eq=False)
class SceneCase:
    """A scene to be edited."""

    case_id: str
    source: RadianceField
    cameras: Cameras
    """The captured ones; the edit sees the middle of their pictures, in the prior's size."""
    src: str
    tgt: str
    background: Tensor | None = None  # [3] behind transparent pixels; None: the field's own
    instruction: str = ""  # what editors by instruction read
    captured: Views | None = None  # the photographs, which dataset updates replace

    def digest(self) -> str:
        """SHA-256 of the field, the cameras and the background: what source views depend on."""
        found = hashlib.sha256()
        tensors = {**self.source.state_dict(), "c2w": self.cameras.c2w, "focal": self.cameras.focal}
        tensors |= {"center": self.cameras.center}
        tensors |= {"distortion": self.cameras.distortion} if self.cameras.distortion is not None else {}
        tensors |= {"behind": self.background} if self.background is not None else {}
        for name, value in tensors.items():
            found.update(f"{name}{tuple(value.shape)}".encode() + value.detach().cpu().contiguous().numpy().tobytes())
        return found.hexdigest()


@dataclass(frozen=True, eq=False)
class SceneEditOutput:
    """What became of it."""

    case_id: str
    scene: RadianceField  # with an error the last finite one
    seconds: float  # of the edit, all launches together
    unet_rows: int  # rows that went forward through the UNet, whether or not a gradient came back
    unet_rows_backward: int  # those of them a gradient came back through
    rows_cached: int  # rows that came from the cache of source rows, in no other count
    psi_rows: int  # rows a stored psi was trained on before the edit, in no other count: 0 once the store has it
    aux_parameters: int  # numbers that were trained, in psi and phi together
    aux_bytes: int  # of psi and phi with AdamW's states, on the device
    peak_bytes: int | None  # as `piva.devices.peak_bytes` says it
    history: dict[str, list[float]] = field(default_factory=dict)  # one value a step, the mean over its views
    error: str | None = None  # why the field is not the edit
    note: str | None = None  # what became of prompts that are too long


def version_of(method: Any, bounded: bool) -> int:
    """Version of the loop with a method, in scenes that are bounded or not (`piva.data.scenes.SceneCapture`)."""
    return VERSION_MENDED if _stores_psi(method) or (bounded and _reads_depth(method)) else VERSION


def edit_scene(
    prior: Prior,
    method: Any,
    case: SceneCase,
    settings: SceneEditSettings,
    *,
    steps: int,
    seed: int,
    on_step: Callable[[dict[str, Any]], None] | None = None,
    on_scene: Callable[[int, RadianceField], None] | None = None,
    cache: SourceRows | None = None,
    psi_store: Path | None = None,
    checkpoint: Path | None = None,
) -> SceneEditOutput:
    """The scene edited; the source's field stays as it is.

    Args:
        method: settings of a method (`piva.methods`); its `step_size` is not used, Adam's rates are.
        steps: updates of the field.
        seed: of all draws, together with the case id.
        on_step: called with a dict a step, as `piva.editing.edit_batch` does; values are per view, [V].
        on_scene: called after each step with the number of steps done and the field as it is.
        cache: source rows of earlier edits with the same draws; worth having in a sweep.
        psi_store: folder where stored psi are kept between runs (aux.psi = stored).
        checkpoint: file to go on from, and to write now and then, and at the end; whoever has kept the field removes
            it.

    Raises:
        ConfigError: for settings that do not suit the prior.
    """
    method.check_steps(steps, len(prior.abar))
    begin_peak(prior.device)
    module, psi_rows = _module(prior, method, case, settings, steps, seed, cache, psi_store)
    history = History()
    key = digest(_identity(prior, method, case, settings, steps, seed))
    kept = Checkpoint(checkpoint, key, module, prior.device, lambda: _facts(history, module.engine, psi_rows))
    if kept.facts_found:
        history.known, psi_rows = kept.facts_found["lines"], kept.facts_found["psi_rows"]
        module.engine.count_on(kept.facts_found)

    do_steps(module, kept, history, steps, on_step, on_scene)
    return _output(case, module, history.read(), psi_rows, kept.seconds)


def _module(
    prior: Prior,
    method: Any,
    case: SceneCase,
    settings: SceneEditSettings,
    steps: int,
    seed: int,
    cache: SourceRows | None,
    psi_store: Path | None,
) -> tuple[SceneEditing, int]:
    """The loop with everything it needs, and the rows a stored psi took now."""
    height, width = prior.image_size
    views = _views(prior, case, settings, seed, case.case_id)
    background = None if case.background is None else case.background.to(prior.device)
    source = SourceViews(case.source.clone_frozen().to(prior.device), prior, background, case.digest())
    plan = _draws(prior, method, settings, seed, case.case_id, method.t_law, steps)
    engine = ScoreEngine(prior, [(case.src, case.tgt)] * settings.views, cache=cache)
    scene = case.source.clone_frozen().to(prior.device).requires_grad_(True)
    if method.auxiliaries and method.aux.kind != "lora":
        engine.depth = torch.zeros(settings.views, 1, height, width, device=prior.device)  # blank
    adapters: dict[str, Adapter] = {n: prior.adapter(method.aux, seed, (case.case_id,)) for n in method.auxiliaries}
    engine.adapters = dict(adapters)
    psi_rows, trainable = 0, dict(adapters)
    training = None
    if _stores_psi(method):
        trainable.pop("psi")
    if method.auxiliaries:
        engine.training = training = AuxiliaryTraining(method.aux, trainable, plan, half=prior.half)
    module = SceneEditing(
        method, settings, steps, scene, source, views, engine, plan, adapters, training, _reads_depth(method),  # type: ignore[arg-type]
    )  # fmt: skip
    if _stores_psi(method):
        psi_rows = _take_stored_psi(module, case, psi_store)
    return module, psi_rows


def _stores_psi(method: Any) -> bool:
    return "psi" in method.auxiliaries and method.aux.psi == "stored"


def _reads_depth(method: Any) -> bool:
    return bool(method.auxiliaries) and method.aux.reads_depth


def _views(prior: Prior, case: SceneCase, settings: SceneEditSettings, seed: int, name: str) -> ViewPlan:
    """Which cameras a step looks through, drawn by seed and name."""
    height, width = prior.image_size
    cameras = case.cameras.cropped(width, height).to(prior.device)
    kind = CapturedViews if settings.cameras == "train" else OrbitViews
    return kind(cameras, settings.views, seed, name)


def _draws(
    prior: Prior, method: Any, settings: SceneEditSettings, seed: int, name: str, t_law: str = "uniform", steps: int = 1
) -> DrawPlan:
    """Timesteps and noise of the views, drawn by seed and name."""
    like = torch.zeros(settings.views, *prior.latent_shape, device=prior.device)
    names = tuple(f"{name}/view-{v}" for v in range(settings.views))
    return DrawPlan(seed, names, method.t_min, method.t_max, prior.abar.cpu(), like, t_law, steps)


def _take_stored_psi(module: SceneEditing, case: SceneCase, store: Path | None) -> int:
    """Gives psi the weights of the store, or trains it on source views now; the rows with backward that this took.

    As in 2D its key takes the place of seed and case in the draws: whichever edit comes first, psi is the same.
    """
    engine, settings = module.engine, module.settings
    method: Any = module.method
    prior, psi, aux = engine.prior, engine.adapters["psi"], method.aux
    source = f"{VERSION_MENDED}/{module.source.digest}/{settings.views}/{settings.cameras}/{prior.image_size}"
    key = psi_key(prior, source, case.src, aux, (method.t_min, method.t_max))
    rows = 0
    if store is not None and (store / key).is_dir():
        psi.set_weights(0, psi.read(store / key))
    else:
        psi.set_weights(0, prior.adapter(aux, 0, (key,)).weights(0))
        views, draws = _views(prior, case, settings, 0, key), _draws(prior, method, settings, 0, key)
        training = AuxiliaryTraining(aux, {"psi": psi}, draws, half=prior.half)
        with torch.enable_grad():
            for step in range(aux.psi_steps):
                z_src = module.look_at_source(views.at(step), step)
                training.fresh_pass(engine, z_src, z_src, step, "psi/")
        rows = sum(engine.rows_backward)
        engine.rows_backward = [0] * len(engine.captions)
        if store is not None:
            keep(store / key, psi, psi.weights(0))
    psi.requires_grad_(False)
    return rows


def _identity(
    prior: Prior, method: Any, case: SceneCase, settings: SceneEditSettings, steps: int, seed: int
) -> dict[str, Any]:
    """Everything that the edit depends on."""
    return {
        "version": version_of(method, case.source.space.bounded), "prior": prior.fingerprint, "method": method.name,
        "method_version": method.VERSION, "settings": identity_values(method),
        "scene_settings": identity_values(settings), "steps": steps, "seed": seed, "case": case.case_id,
        "source": case.digest(), "src": case.src, "tgt": case.tgt,
    }  # fmt: skip


def _facts(history: History, engine: ScoreEngine, psi_rows: int) -> dict[str, Any]:
    """What the output tells of the steps that are done."""
    return {"lines": history.read(), "psi_rows": psi_rows, **engine.counts()}


def _output(
    case: SceneCase, module: SceneEditing, history: dict[str, list[float]], psi_rows: int, seconds: float
) -> SceneEditOutput:
    engine, training = module.engine, module.training_of_auxiliaries
    forward, backward = sum(engine.rows_forward), sum(engine.rows_backward)
    states = training.optimizer.state.values() if training is not None and training.optimizer is not None else []
    held = [*module.auxiliaries.parameters(), *(value for state in states for value in state.values())]
    stopped_at = None if int(module.stopped_at) == GOES_ON else int(module.stopped_at)
    error = None if stopped_at is None else f"the field's gradient left the finite numbers at step {stopped_at}"
    return SceneEditOutput(
        case_id=case.case_id, scene=module.scene.eval().requires_grad_(False), seconds=seconds,
        unet_rows=forward + backward, unet_rows_backward=backward, rows_cached=sum(engine.rows_cached),
        psi_rows=psi_rows, aux_parameters=sum(p.numel() for p in training.parameters) if training else 0,
        aux_bytes=sum(x.numel() * x.element_size() for x in held), peak_bytes=peak_bytes(engine.prior.device),
        history=cut(history, stopped_at), error=error, note=cut_note(engine.prior, case.src, case.tgt),
    )  # fmt: skip
