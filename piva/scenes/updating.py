"""Edit a scene by dataset update: an InstructPix2Pix prior, a field and its photographs in, the edited field out."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from piva.case_history import cut
from piva.checkpoint import Checkpoint
from piva.config import identity_values
from piva.devices import begin_peak, peak_bytes
from piva.errors import ConfigError, PreflightError
from piva.instructed.in2n import IN2N
from piva.instructed.sampler import InstructedSampler
from piva.keys import digest
from piva.modules.dataset_update import DatasetUpdate, Perceptual
from piva.modules.image_editing import GOES_ON
from piva.modules.scene_settings import SceneEditSettings
from piva.priors.instruct_pix2pix import InstructPix2PixPrior
from piva.rendering.fields.settings import WHITE
from piva.representations.radiance_field import RadianceField
from piva.scenes.editing import SceneCase, SceneEditOutput
from piva.scenes.loop import History, do_steps
from piva.scenes.reconstruction import cropped_views

VERSION = 1
"""Raised when the same scene and settings give another edit."""


def check_update(method: IN2N, settings: SceneEditSettings, prior: Any) -> None:
    """Raises ConfigError for settings that a dataset update cannot follow.

    Args:
        prior: anything with `abar` and `image_size`.
    """
    least = int(len(prior.abar) * method.noise_min)
    if least < method.sampler_steps:
        raise ConfigError(
            f"--method.sampler-steps {method.sampler_steps}: the least noise, --method.noise-min {method.noise_min:g}, "
            f"leaves {least} timesteps"
        )
    if method.patch > min(prior.image_size):
        size = "x".join(map(str, prior.image_size))
        raise ConfigError(f"--method.patch {method.patch}: the pictures are {size}")
    if settings.cameras != "train":
        raise ConfigError("--scene.cameras orbit: in2n replaces captured pictures, which random cameras do not have")
    for name in ("anchor", "roughness", "opacity"):
        if getattr(settings, name):
            raise ConfigError(f"--scene.{name}: in2n has no such term beside L1 and LPIPS")


def update_scene(
    prior: InstructPix2PixPrior,
    method: IN2N,
    case: SceneCase,
    settings: SceneEditSettings,
    *,
    steps: int,
    seed: int,
    on_step: Callable[[dict[str, Any]], None] | None = None,
    on_scene: Callable[[int, RadianceField], None] | None = None,
    checkpoint: Path | None = None,
    perceptual: Perceptual | None = None,
) -> SceneEditOutput:
    """The scene edited; the source's field stays as it is. Arguments as of `piva.scenes.editing.edit_scene`, and:

    Args:
        case: with its instruction and its photographs.
        settings: rates of the field's numbers and room to grow; views and regularisers are of no use here.
        perceptual: LPIPS of stacks of pictures; None loads the one that the method names.

    Raises:
        ConfigError: the case has no instruction, or settings do not suit.
        PreflightError: LPIPS' weights are not there.
    """
    if not case.instruction.strip():
        raise ConfigError(f"{case.case_id} has no instruction, which in2n follows: give one")
    check_update(method, settings, prior)
    begin_peak(prior.device)
    if perceptual is None and method.lpips_weight:
        perceptual = load_perceptual(method, prior)
    module = _module(prior, method, case, settings, steps, seed, perceptual)
    history = History()
    key = digest(_identity(prior, method, case, settings, steps, seed, module.captured))
    kept = Checkpoint(
        checkpoint, key, module, prior.device, lambda: {"lines": history.read(), "rows": module.sampler.rows}
    )
    if kept.facts_found:
        history.known, module.sampler.rows = kept.facts_found["lines"], kept.facts_found["rows"]

    do_steps(module, kept, history, steps, on_step, on_scene)
    return _output(case, prior, module, history.read(), kept.seconds)


def load_perceptual(method: IN2N, prior: Any) -> Perceptual:
    """LPIPS with the network that the method names. Raises PreflightError where its weights are not there."""
    from piva.metrics import lpips
    from piva.toybox.models.perceptual import load_lpips

    name = method.lpips
    if name == "auto":
        name = "toybox" if prior.name.startswith("toybox") else "alex"
    try:
        net: Any = load_lpips(prior.device) if name == "toybox" else lpips.load_net(name, prior.device)
    except FileNotFoundError as problem:
        raise PreflightError(f"{problem}; or take --method.lpips-weight 0") from problem

    def perceptual(seen: Tensor, pictures: Tensor) -> Tensor:
        with torch.no_grad():
            wanted = lpips.features(net, pictures)
        return lpips.distance(lpips.layer_maps(net, lpips.features(net, seen), wanted))

    return perceptual


def _module(
    prior: InstructPix2PixPrior,
    method: IN2N,
    case: SceneCase,
    settings: SceneEditSettings,
    steps: int,
    seed: int,
    perceptual: Perceptual | None,
) -> DatasetUpdate:
    if case.captured is None:
        raise ValueError(f"{case.case_id} comes without its photographs")
    white = torch.tensor(WHITE)
    captured = cropped_views(case.captured, white if case.background is None else case.background, prior.image_size)
    captured = captured.to(prior.device)
    behind = None if case.background is None else case.background.to(prior.device)
    return DatasetUpdate(
        method, settings, steps, case.source.clone_frozen().to(prior.device).requires_grad_(True),
        captured.cameras, captured.images, behind,
        InstructedSampler(prior, method.guidance, method.guidance_image, method.sampler_steps), case.instruction,
        perceptual if method.lpips_weight else None, seed, case.case_id,
    )  # fmt: skip


def _identity(
    prior: InstructPix2PixPrior,
    method: IN2N,
    case: SceneCase,
    settings: SceneEditSettings,
    steps: int,
    seed: int,
    captured: Tensor,
) -> dict[str, Any]:
    """Everything that the edit depends on."""
    return {
        "version": VERSION, "prior": prior.fingerprint, "method": method.name, "method_version": method.VERSION,
        "settings": identity_values(method), "scene_settings": identity_values(settings), "steps": steps, "seed": seed,
        "case": case.case_id, "source": case.digest(), "instruction": case.instruction,
        "captured": hashlib.sha256(captured.cpu().numpy().tobytes()).hexdigest(),
    }  # fmt: skip


def _output(
    case: SceneCase, prior: InstructPix2PixPrior, module: DatasetUpdate, history: dict[str, list[float]], seconds: float
) -> SceneEditOutput:
    stopped_at = None if int(module.stopped_at) == GOES_ON else int(module.stopped_at)
    error = None if stopped_at is None else f"the field's gradient left the finite numbers at step {stopped_at}"
    long = prior.cut_prompts.get(case.instruction)
    return SceneEditOutput(
        case_id=case.case_id, scene=module.scene.eval().requires_grad_(False), seconds=seconds,
        unet_rows=module.sampler.rows, unet_rows_backward=0, rows_cached=0, psi_rows=0, aux_parameters=0, aux_bytes=0,
        peak_bytes=peak_bytes(prior.device), history=cut(history, stopped_at), error=error,
        note=f"the instruction {long}" if long else None,
    )  # fmt: skip
