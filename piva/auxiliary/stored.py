"""Stored psi: it depends on the source alone, so it is trained once per image and prompt, before any edit, and kept.

Every lambda, step count and seed of a sweep then uses the same weights. What it depends on is its key: the prior, the
source image (and its depth, where psi reads that), the prompt, the recipe. The key takes the place of seed and case in
the draws.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import torch
from torch import Tensor

from piva.auxiliary import controlnet
from piva.auxiliary.settings import AuxiliarySettings
from piva.auxiliary.training import AuxiliaryTraining
from piva.folders import write_once
from piva.noise import DrawPlan
from piva.priors import Adapter, Prior
from piva.scores import ScoreEngine

_RECIPE_VERSION = 2


def psi_key(prior: Prior, source: str, src: str, settings: AuxiliarySettings, t_range: tuple[int, int]) -> str:
    """24 hexadecimal digits of everything that psi of one case depends on.

    Args:
        source: digest of its image, and of its depth where psi reads that.
    """
    recipe = settings.model_dump(include={"rank", "alpha", "lr", "weight_decay", "psi_steps", "target_modules"})
    if settings.kind != "lora":
        given = settings.controlnet and controlnet.fingerprint(settings.controlnet, settings.controlnet_revision)
        recipe |= {"kind": settings.kind, "controlnet": given, "depth": settings.depth}
    if settings.camera:
        recipe |= {"camera": True}
    facts = [_RECIPE_VERSION, prior.fingerprint, source, src, recipe, t_range]
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:24]


def trained_psi(
    prior: Prior,
    settings: AuxiliarySettings,
    captions: Sequence[tuple[str, str]],
    z_src: Tensor,
    sources: Sequence[str],
    t_range: tuple[int, int],
    store: Path | None,
    depth: Tensor | None = None,
) -> tuple[Adapter, list[int]]:
    """psi of every case, from `store` or trained now (and put there), and the UNet rows with backward it took now.

    Args:
        captions: (src, tgt) of every case.
        z_src: [B,C,h,w] source latents.
        sources: digests of the source images: latents differ in their last bits with the batch they are encoded in.
        t_range: smallest and largest timestep trained on.
        store: folder of finished psi, one folder per key in peft's or diffusers' form; None keeps nothing.
        depth: [B,1,H,W], for a psi that reads it.
    """
    keys = [psi_key(prior, source, src, settings, t_range) for source, (src, _) in zip(sources, captions, strict=True)]
    psi = prior.adapter(settings, 0, keys)
    known = {key: _read(store / key, psi) for key in set(keys) if store and (store / key).is_dir()}
    rows = [0] * len(keys)
    missing = [i for i, key in enumerate(keys) if key not in known and keys.index(key) == i]
    if missing:
        new_keys = [keys[i] for i in missing]
        shown = depth[missing] if depth is not None else None
        new_captions = [captions[i] for i in missing]
        trained, new_rows = _train(prior, settings, new_captions, z_src[missing], t_range, new_keys, shown)
        for n, (case, key) in enumerate(zip(missing, new_keys, strict=True)):
            known[key], rows[case] = trained.weights(n), new_rows[n]
            if store is not None:
                keep(store / key, psi, known[key])
    for case, key in enumerate(keys):
        psi.set_weights(case, known[key])
    return psi.requires_grad_(False), rows


def _train(
    prior: Prior,
    settings: AuxiliarySettings,
    captions: Sequence[tuple[str, str]],
    z_src: Tensor,
    t_range: tuple[int, int],
    keys: Sequence[str],
    depth: Tensor | None,
) -> tuple[Adapter, list[int]]:
    """psi after psi_steps steps of the diffusion loss on the source latents, one fresh draw a step; and rows taken."""
    psi = prior.adapter(settings, 0, keys)
    plan = DrawPlan(0, tuple(keys), *t_range, prior.abar.cpu(), z_src)
    training = AuxiliaryTraining(settings, {"psi": psi}, plan, half=prior.half)
    engine = ScoreEngine(prior, captions, {"psi": psi}, depth=depth)
    with torch.enable_grad():
        for step in range(settings.psi_steps):
            training.fresh_pass(engine, z_src, z_src, step, "psi/")
    return psi, engine.rows_backward


def _read(folder: Path, psi: Adapter) -> dict[str, Tensor]:
    """One case's weights; `piva gc` sees by the folder's time that they are in use."""
    with suppress(OSError):  # somebody else's cache
        os.utime(folder)
    return psi.read(folder)


def keep(folder: Path, psi: Adapter, weights: dict[str, Tensor]) -> None:
    """Write one case's folder so that it is there whole or not at all, whoever else writes it."""
    write_once(folder, lambda draft: psi.save(draft, weights))
