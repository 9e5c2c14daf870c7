"""Edit a batch of images: prior, method and inputs in, edited images out."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from piva.auxiliary.settings import AuxiliarySettings
from piva.auxiliary.stored import trained_psi
from piva.auxiliary.training import AuxiliaryTraining
from piva.case_history import cut
from piva.checkpoint import Checkpoint
from piva.config import identity_values
from piva.devices import begin_peak, peak_bytes
from piva.errors import ConfigError
from piva.keys import digest
from piva.modules.fitting import fit
from piva.modules.image_editing import GOES_ON, ImageEditing
from piva.noise import DrawPlan
from piva.priors import Adapter, Prior
from piva.representations.latent import LatentImages
from piva.scores import ScoreEngine, SourceRows


@dataclass(frozen=True, eq=False)
class EditInput:
    """One case."""

    case_id: str
    image: Tensor  # [3,H,W] in [0,1], of the prior's image_size
    src: str
    tgt: str
    depth: Tensor | None = None  # [1,H,W] inverse depth in [0,1], near = 1 (`piva.data.depth`); ControlNets read it


@dataclass(frozen=True, eq=False)
class EditOutput:
    """What became of it."""

    case_id: str
    image: Tensor  # [3,H,W] in [0,1], float32, on the CPU; with an error the last finite one, where there is one
    seconds: float  # of the batch, divided by its size
    unet_rows: int  # rows this case sent forward through the UNet, whether or not a gradient came back
    unet_rows_backward: int  # those of them a gradient came back through
    peak_bytes: int | None  # of the batch, as `piva.devices.peak_bytes` says it
    history: dict[str, list[float]]  # one value a step: t, direction_rms, drift_rms, rows, losses, ...
    error: str | None  # why the image is not the edit
    rows_cached: int = 0  # rows that came from the cache of source rows, in no other count
    aux_parameters: int = 0  # numbers that were trained for this case, in psi and phi together
    aux_bytes: int = 0  # of psi and phi of this case with AdamW's states, on the device
    psi_rows: int = 0  # rows a stored psi was trained on before the edit, in no other count: 0 once the store has it
    note: str | None = None  # what became of prompts that are too long


def edit_batch(
    prior: Prior,
    method: Any,
    inputs: Sequence[EditInput],
    *,
    steps: int,
    seed: int,
    on_step: Callable[[dict[str, Any]], None] | None = None,
    image_every: int = 0,
    cache: SourceRows | None = None,
    psi_store: Path | None = None,
    checkpoint: Path | None = None,
) -> list[EditOutput]:
    """The inputs edited together, each as it would be edited alone (within float tolerance).

    Args:
        method: settings of a method (`piva.methods`).
        steps: updates of the latent; 0 gives the VAE's round trip.
        seed: of all draws, together with the case ids.
        on_step: called with a dict a step: "step", "t", "direction_rms", "drift_rms", "rows_forward", "rows_backward",
            and what the method adds ("identity_rms", "psi_loss", "phi_loss"). Values are per case, [B]; those that are
            tensors lie on the device, and reading one waits for it.
        image_every: add "images" [B,3,H,W] to every so manyth of these dicts; 0 never.
        cache: source latents, and source rows of earlier edits with the same draws; worth having in a sweep.
        psi_store: folder where stored psi are kept between runs (aux.psi = stored).
        checkpoint: file to go on from, and to write now and then; removed at the end.

    Raises:
        ValueError: for an image that is not of the prior's size.
        ConfigError: for a t range the prior does not have, or a case without the depth that the auxiliaries read.
    """
    method.check_steps(steps, len(prior.abar))
    if method.auxiliaries and method.aux.camera:
        raise ConfigError("--method.aux.camera: a picture has no camera pose; scenes have")
    for case in inputs:
        if tuple(case.image.shape) != (3, *prior.image_size):
            raise ValueError(f"case {case.case_id}: image is {tuple(case.image.shape)}, not {(3, *prior.image_size)}")
    depth = _depth(method, inputs, prior)
    if not inputs:
        return []
    started = time.perf_counter()
    begin_peak(prior.device)
    sources = [source_digest(case.image) for case in inputs]
    z_src = _source_latents(prior, inputs, sources, cache)
    plan = _plan(prior, method, inputs, z_src, steps, seed)
    module, psi_rows = _module(prior, method, inputs, sources, plan, depth, cache, psi_store)
    key = digest(_identity(prior, method, inputs, sources, steps, seed))
    kept = Checkpoint(checkpoint, key, module, prior.device, lambda: _facts(module.engine, psi_rows))
    if kept.facts_found:
        psi_rows = kept.facts_found["psi_rows"]
        module.engine.count_on(kept.facts_found)
    before = kept.seconds
    module.on_step = _on_step(on_step, module, prior, image_every, kept)
    if steps:
        fit(module, range(kept.steps, steps), prior.device)
    images = prior.decode(module.representation().detach()).float().cpu()
    kept.remove()
    seconds = (before + time.perf_counter() - started) / len(inputs)
    return _outputs(inputs, module, psi_rows, images, seconds, peak_bytes(prior.device))


def source_digest(image: Tensor, depth: Tensor | None = None, aux: AuxiliarySettings | None = None) -> str:
    """SHA-256 of an image [3,H,W], and of its depth [1,H,W] where auxiliaries of these settings read it."""
    digest = hashlib.sha256(image.float().cpu().numpy().tobytes())
    if aux is not None and aux.reads_depth and depth is not None:
        digest.update(depth.float().cpu().numpy().tobytes())
    return digest.hexdigest()


def cut_note(prior: Prior, src: str, tgt: str) -> str | None:
    """What the prior did not read of two prompts that it has embedded."""
    named = (("source", src), ("target", tgt))
    return (
        "; ".join(f"the {name} {prior.cut_prompts[text]}" for name, text in named if text in prior.cut_prompts) or None
    )


def _depth(method: Any, inputs: Sequence[EditInput], prior: Prior) -> Tensor | None:
    """What the auxiliaries' ControlNets are shown, [B,1,H,W]; None where there are none."""
    if not method.auxiliaries or method.aux.kind == "lora":
        return None
    size = (1, *prior.image_size)
    if not method.aux.reads_depth:
        return torch.zeros(len(inputs), *size, device=prior.device)
    for case in inputs:
        if case.depth is None:
            raise ConfigError(
                f"case {case.case_id} has no depth, which --method.aux.kind {method.aux.kind} reads: give it, or take "
                "--method.aux.depth blank"
            )
        if tuple(case.depth.shape) != size:
            raise ValueError(f"case {case.case_id}: depth is {tuple(case.depth.shape)}, not {size}")
    return torch.stack([case.depth for case in inputs if case.depth is not None]).to(prior.device, torch.float32)


def _source_latents(
    prior: Prior, inputs: Sequence[EditInput], sources: Sequence[str], cache: SourceRows | None
) -> Tensor:
    """The images' latents [B,C,h,w]; one that `cache` holds is not encoded again."""
    keys = [(prior.fingerprint, source, 0, 0, "latent") for source in sources]
    found = [cache.get(key) if cache is not None else None for key in keys]
    missing = [i for i, known in enumerate(found) if known is None]
    if missing:
        images = torch.stack([inputs[i].image for i in missing])
        for i, latent in zip(missing, prior.encode(images.to(prior.device)), strict=True):
            found[i] = (latent,)
            if cache is not None:
                cache.put(keys[i], (latent,))
    return torch.stack([known[0] for known in found if known is not None])


def _plan(prior: Prior, method: Any, inputs: Sequence[EditInput], z_src: Tensor, steps: int, seed: int) -> DrawPlan:
    """Where the draws of the run come from."""
    case_ids, t_range = tuple(case.case_id for case in inputs), (method.t_min, method.t_max)
    return DrawPlan(seed, case_ids, *t_range, prior.abar.cpu(), z_src, method.t_law, steps)


def _module(
    prior: Prior,
    method: Any,
    inputs: Sequence[EditInput],
    sources: Sequence[str],
    plan: DrawPlan,
    depth: Tensor | None,
    cache: SourceRows | None,
    psi_store: Path | None,
) -> tuple[ImageEditing, list[int]]:
    """The loop with everything it needs: auxiliaries, engine, draws; and the rows a stored psi took each case now."""
    captions, z_src = [(case.src, case.tgt) for case in inputs], plan.like
    t_range = (method.t_min, method.t_max)
    adapters: dict[str, Adapter] = {}
    training, psi_rows = None, [0] * len(inputs)
    if method.auxiliaries:
        stored = method.aux.psi == "stored" and "psi" in method.auxiliaries
        if stored:
            shown = [source_digest(case.image, case.depth, method.aux) for case in inputs]
            adapters["psi"], psi_rows = trained_psi(
                prior, method.aux, captions, z_src, shown, t_range, psi_store, depth
            )
        adapters |= {
            n: prior.adapter(method.aux, plan.seed, plan.case_ids) for n in method.auxiliaries if n not in adapters
        }
        trainable = {n: adapter for n, adapter in adapters.items() if not (stored and n == "psi")}
        training = AuxiliaryTraining(method.aux, trainable, plan, half=prior.half)
    keys = [(source, plan.seed, case_id) for source, case_id in zip(sources, plan.case_ids, strict=True)]
    engine = ScoreEngine(prior, captions, adapters, training, cache, keys, depth)
    module = ImageEditing(method, LatentImages(z_src), engine, plan, adapters, training)  # type: ignore[arg-type]
    return module, psi_rows


def _on_step(
    on_step: Callable[[dict[str, Any]], None] | None,
    module: ImageEditing,
    prior: Prior,
    image_every: int,
    kept: Checkpoint,
) -> Callable[[dict[str, Any]], None]:
    """What the loop calls after each step: the caller's function, with images now and then; and the checkpoint."""

    def call(line: dict[str, Any]) -> None:
        if on_step is not None:
            due = image_every and (line["step"] + 1) % image_every == 0
            on_step(line | {"images": prior.decode(module.representation().detach())} if due else line)
        kept.step_done(line["step"] + 1)

    return call


def _identity(
    prior: Prior, method: Any, inputs: Sequence[EditInput], sources: Sequence[str], steps: int, seed: int
) -> dict[str, Any]:
    """Everything that the edit of these cases together depends on."""
    shown = [source_digest(case.image, case.depth, getattr(method, "aux", None)) for case in inputs]
    return {
        "prior": prior.fingerprint, "method": method.name, "method_version": method.VERSION,
        "settings": identity_values(method), "steps": steps, "seed": seed,
        "cases": [(case.case_id, case.src, case.tgt, digest_) for case, digest_ in zip(inputs, shown, strict=True)],
    }  # fmt: skip


def _facts(engine: ScoreEngine, psi_rows: Sequence[int]) -> dict[str, Any]:
    """What the outputs tell of the steps that are done, besides their log."""
    return {"psi_rows": list(psi_rows), **engine.counts()}


def _outputs(
    inputs: Sequence[EditInput],
    module: ImageEditing,
    psi_rows: Sequence[int],
    images: Tensor,
    seconds: float,
    peak_bytes: int | None,
) -> list[EditOutput]:
    stopped = [None if step == GOES_ON else step for step in module.stopped_at.tolist()]
    history = [cut(values, step) for values, step in zip(module.history.by_case(len(inputs)), stopped, strict=True)]
    forward, backward = module.engine.rows_forward, module.engine.rows_backward
    aux_parameters, aux_bytes = _auxiliary_size(module)
    return [
        EditOutput(
            case_id=case.case_id, image=images[i], seconds=seconds, peak_bytes=peak_bytes,
            unet_rows=forward[i] + backward[i], unet_rows_backward=backward[i],
            history=history[i], error=_error(images[i], stopped[i]), psi_rows=psi_rows[i],
            rows_cached=module.engine.rows_cached[i], aux_parameters=aux_parameters // len(inputs),
            aux_bytes=aux_bytes // len(inputs), note=cut_note(module.engine.prior, case.src, case.tgt),
        )
        for i, case in enumerate(inputs)
    ]  # fmt: skip


def _auxiliary_size(module: ImageEditing) -> tuple[int, int]:
    """Numbers that train, and bytes of the auxiliaries with their optimiser's states; of all cases together."""
    training = module.training_of_auxiliaries
    if training is None:
        return 0, 0
    states = [] if training.optimizer is None else training.optimizer.state.values()
    held = [*module.auxiliaries.parameters(), *(value for state in states for value in state.values())]
    return sum(p.numel() for p in training.parameters), sum(x.numel() * x.element_size() for x in held)


def _error(image: Tensor, stopped_at: int | None) -> str | None:
    """A sentence when the edit ran away."""
    if stopped_at is not None:
        return f"the latent left the finite numbers at step {stopped_at}"
    return None if torch.isfinite(image).all() else "the image is not finite"
