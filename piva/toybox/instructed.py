"""Edits of any scene by instruction: what an editor that takes instructions is trained on.

PIE-Toybox's ten types, and what only the scene sets ask for: another hat, another companion, a snowman.
"""

from __future__ import annotations

import random
from collections.abc import Callable

from piva.toybox import vocabulary as words
from piva.toybox.edits import CHANGES, Change, Edit
from piva.toybox.scene import Companion, Scene, Split, keyed_random, sample_scene
from piva.toybox.scene_edits import instruction


def instructed_edit(seed: int, split: Split) -> Edit:
    """An edit of the scene number `seed` of a split: deterministic, valid, within the split's combinations."""
    source = sample_scene(seed, split)
    rng = keyed_random("instructed", split, seed)
    while True:
        type_id = rng.choice(tuple(KINDS) + 2 * RARE)
        change = KINDS[type_id](source, rng)
        if change is None:
            continue
        fields, said = change
        try:
            target = source.replace(**fields)
        except ValueError:
            continue
        held_out = (target.color, target.shape) in words.HELD_OUT_PAIRS and split != "test"
        if target != source and not held_out:
            return Edit(type_id, source, target, said)


def _said(scene: Scene, field: str, value: object) -> Change:
    return {field: value}, instruction(scene, {field: value})


def _any_shape(scene: Scene, rng: random.Random) -> Change | None:
    return _said(scene, "shape", rng.choice([shape for shape in words.SHAPES if shape != scene.shape]))


def _another_hat(scene: Scene, rng: random.Random) -> Change | None:
    if scene.hat == words.NONE:
        return None
    return _said(scene, "hat", rng.choice([color for color in words.COLORS if color != scene.hat]))


def _another_companion(scene: Scene, rng: random.Random) -> Change | None:
    if not scene.companion:
        return None
    shape = rng.choice((scene.companion.shape, *words.COMPANION_SHAPES))
    color = rng.choice([color for color in words.COLORS if color != scene.companion.color])
    return _said(scene, "companion", Companion(shape, color))


KINDS: dict[str, Callable[[Scene, random.Random], Change | None]] = CHANGES | {
    "shape": _any_shape,
    "hat": _another_hat,
    "companion": _another_companion,
}
"""Edit type -> how a scene is changed."""
RARE = ("3", "hat", "companion")
"""They need a hat or a companion, which few scenes have; drawn three times as often."""
