"""Plain-English captions of Toybox scenes: one canonical wording, and paraphrases so that models learn no template."""

from __future__ import annotations

import random
from collections.abc import Callable

from piva.toybox import vocabulary as words
from piva.toybox.scene import Scene, keyed_random

SYNONYMS: dict[str, tuple[str, ...]] = {
    "sphere": ("sphere", "sphere", "ball"),
    "cube": ("cube", "cube", "box"),
    "cylinder": ("cylinder",),
    "cone": ("cone",),
    "ring": ("ring", "ring", "torus"),
    "snowman": ("snowman",),
    "small": ("small", "little"),
    "large": ("large", "big"),
    "striped": ("striped",),
    "checkered": ("checkered", "checkered", "checked"),
    "shiny": ("shiny", "shiny", "glossy"),
    "leaning": ("leaning", "leaning", "tilted"),
    "grass": ("on grass", "on grass", "on the grass", "standing on grass"),
    "sand": ("on sand", "on sand", "on the sand", "standing on sand"),
    "snow": ("on snow", "on snow", "on the snow", "in the snow"),
    "stone": ("on stone", "on stone", "on a stone floor", "standing on stone"),
    "sunset": ("at sunset", "at sunset", "in the evening sun"),
    "night": ("at night", "at night", "in the dark"),
    "sketch": ("a pencil sketch of", "a pencil sketch of", "a pencil drawing of"),
    "photo": ("a photo of", "a picture of"),
    "hat": ("with", "with", "wearing"),
    "beside": ("next to", "next to", "beside"),
}
"""Key -> wordings; the first is the canonical one."""

OMIT_GROUND, OMIT_COLOR, SAY_PHOTO = 0.06, 0.03, 0.12


def caption(scene: Scene, seed: int | None = None) -> str:
    """What the scene shows, in words.

    Args:
        scene: the scene.
        seed: None for the canonical wording, which names everything; an integer for a paraphrase, which may leave out
            the ground or the colour.
    """
    rng = None if seed is None else keyed_random("caption", seed)

    def say(key: str) -> str:
        return SYNONYMS[key][0] if rng is None else rng.choice(SYNONYMS[key])

    def happens(chance: float) -> bool:
        return rng is not None and rng.random() < chance

    subject = " ".join([*_adjectives(scene, say, rng, happens(OMIT_COLOR)), say(scene.shape)])
    phrase = f"{article(subject)} {subject}"
    if scene.hat != words.NONE:
        phrase += f" {say('hat')} {article(scene.hat)} {scene.hat} hat"
    if scene.companion:
        phrase += f" {say('beside')} a {say('small')} {scene.companion.color} {say(scene.companion.shape)}"
    if not happens(OMIT_GROUND):
        phrase += f" {say(scene.ground)}"
    if scene.time != "day":
        phrase += f" {say(scene.time)}"
    if scene.style == "sketch":
        return f"{say('sketch')} {phrase}"
    return f"{say('photo')} {phrase}" if happens(SAY_PHOTO) else phrase


def _adjectives(scene: Scene, say: Callable[[str], str], rng: random.Random | None, omit_color: bool) -> list[str]:
    first = [say(scene.size)] if scene.size != "medium" else []
    middle = [say(word) for word, holds in (("leaning", scene.leaning), ("shiny", scene.shiny)) if holds]
    if scene.pattern != "plain":
        middle.append(say(scene.pattern))
    if rng is not None:
        rng.shuffle(middle)
    color = [] if scene.shape == "snowman" or omit_color else [scene.color]
    return first + middle + color


def article(phrase: str) -> str:
    """What comes before it: "a" or "an"."""
    return "an" if phrase[0] in "aeiou" else "a"
