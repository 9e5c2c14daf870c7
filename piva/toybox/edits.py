"""Edits of Toybox scenes in the ten types of PIE-Bench: the changed scene is known, and so is the ideal picture.

| type | PIE-Bench | here |
|---|---|---|
| 0 | random | two of the changes below at once |
| 1 | change object | another shape |
| 2 | add object | a hat, or a second object |
| 3 | delete object | the hat, or the second object, is gone |
| 4 | change content | another pattern |
| 5 | change pose | leans, or stands upright again |
| 6 | change colour | another colour |
| 7 | change material | shiny, or matt again |
| 8 | change background | another ground, or another time of day |
| 9 | change style | a pencil sketch, or a photo again |
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from difflib import SequenceMatcher

from piva.toybox import vocabulary as words
from piva.toybox.captions import caption
from piva.toybox.scene import Companion, Scene, Split, keyed_random, sample_scene

Change = tuple[dict[str, object], str]
"""Fields of the scene to replace, and the instruction."""


@dataclass(frozen=True)
class Edit:
    """A source scene, the scene after the edit, and the words."""

    type_id: str
    source: Scene
    target: Scene
    instruction: str

    @property
    def prompts(self) -> tuple[str, str]:
        """Source and target prompt with PIE-Bench's brackets around the words that differ."""
        return bracket(caption(self.source), caption(self.target))


def sample_edit(type_id: str, index: int, split: Split) -> Edit:
    """The edit number `index` of one type and split: deterministic, valid, within the split's combinations.

    Raises:
        ValueError: an unknown type.
    """
    if type_id not in CHANGES:
        raise ValueError(f"unknown edit type {type_id!r}: use one of {', '.join(CHANGES)}")
    rng = keyed_random("edit", split, type_id, index)
    while True:
        source = sample_scene(rng.randrange(1 << 40), split)
        change = CHANGES[type_id](source, rng)
        if change is None:
            continue
        fields, instruction = change
        try:
            target = source.replace(**fields)
        except ValueError:
            continue
        held_out = (target.color, target.shape) in words.HELD_OUT_PAIRS and split != "test"
        if target != source and not held_out:
            return Edit(type_id, source, target, instruction)


def bracket(src: str, tgt: str) -> tuple[str, str]:
    """Marks the words that differ, as PIE-Bench does: `a [red] cube`, `a [blue] cube`."""
    marked: tuple[list[str], list[str]] = ([], [])
    for same, *texts in _word_runs(src, tgt):
        for side, text in zip(marked, texts, strict=True):
            if text:
                side.append(text if same else f"[{text}]")
    return " ".join(marked[0]), " ".join(marked[1])


def blended_word(src: str, tgt: str) -> str:
    """PIE-Bench's `src tgt` pair: the first word that was replaced and its replacement, or ""."""
    for same, old, new in _word_runs(src, tgt):
        if not same and old and new:
            return f"{old.split()[-1]} {new.split()[-1]}"
    return ""


def _word_runs(src: str, tgt: str) -> list[tuple[bool, str, str]]:
    """Runs of equal and of differing words, in order; `a` and `an` count as the same word."""
    src_words, tgt_words = src.split(), tgt.split()
    src_plain, tgt_plain = (["a" if word == "an" else word for word in side] for side in (src_words, tgt_words))
    runs = SequenceMatcher(None, src_plain, tgt_plain, autojunk=False).get_opcodes()
    return [(kind == "equal", " ".join(src_words[a:b]), " ".join(tgt_words[c:d])) for kind, a, b, c, d in runs]


def _another(rng: random.Random, values: object, current: object) -> str:
    return rng.choice([value for value in values if value != current])  # type: ignore[attr-defined]


def _shape(scene: Scene, rng: random.Random) -> Change | None:
    if scene.shape == "snowman":
        return None
    new = _another(rng, [shape for shape in words.SHAPES if shape != "snowman"], scene.shape)
    fields = {"shape": new, "leaning": scene.leaning and new in words.LEANING_SHAPES}
    if fields["leaning"] != scene.leaning:
        return None
    return fields, f"Turn the {scene.shape} into a {new}"


def _addition(scene: Scene, rng: random.Random) -> Change | None:
    color = rng.choice(tuple(words.COLORS))
    if rng.random() < 0.6:
        return None if scene.hat != words.NONE else ({"hat": color}, f"Put a {color} hat on the {scene.shape}")
    shape = rng.choice(words.COMPANION_SHAPES)
    if scene.companion:
        return None
    return {"companion": Companion(shape, color)}, f"Put a small {color} {shape} next to the {scene.shape}"


def _deletion(scene: Scene, rng: random.Random) -> Change | None:
    if rng.random() < 0.6:
        return None if scene.hat == words.NONE else ({"hat": words.NONE}, f"Take the {scene.shape}'s hat away")
    return ({"companion": None}, f"Remove the small {scene.companion.shape}") if scene.companion else None


def _pattern(scene: Scene, rng: random.Random) -> Change | None:
    if scene.shape == "snowman":
        return None
    new = _another(rng, words.PATTERNS, scene.pattern)
    return {"pattern": new}, f"Make the {scene.shape} {new}"


def _pose(scene: Scene, rng: random.Random) -> Change | None:
    if scene.shape not in words.LEANING_SHAPES:
        return None
    if scene.leaning and rng.random() < 0.5:  # about one in four cases straightens up
        return None
    verb = "stand upright" if scene.leaning else "lean"
    return {"leaning": not scene.leaning}, f"Make the {scene.shape} {verb}"


def _color(scene: Scene, rng: random.Random) -> Change | None:
    if scene.shape == "snowman":
        return None
    new = _another(rng, words.COLORS, scene.color)
    return {"color": new}, f"Make the {scene.shape} {new}"


def _material(scene: Scene, rng: random.Random) -> Change | None:
    return {"shiny": not scene.shiny}, f"Make the {scene.shape} {'matt' if scene.shiny else 'shiny'}"


def _background(scene: Scene, rng: random.Random) -> Change | None:
    if rng.random() < 0.7:
        new = _another(rng, words.GROUNDS, scene.ground)
        return {"ground": new}, f"Put the {scene.shape} on {new}"
    new = _another(rng, words.TIMES, scene.time)
    return {"time": new}, "Make it day" if new == "day" else f"Show it at {new}"


def _style(scene: Scene, rng: random.Random) -> Change | None:
    if scene.style == "sketch":
        return {"style": "photo"}, "Turn the sketch into a photo"
    return {"style": "sketch"}, "Turn it into a pencil sketch"


def _two_changes(scene: Scene, rng: random.Random) -> Change | None:
    first, second = (change(scene, rng) for change in rng.sample((_shape, _addition, _pattern, _color, _background), 2))
    if first is None or second is None:
        return None
    return {**first[0], **second[0]}, f"{first[1]}, and {second[1][0].lower()}{second[1][1:]}"


CHANGES: dict[str, Callable[[Scene, random.Random], Change | None]] = {
    "0": _two_changes,
    "1": _shape,
    "2": _addition,
    "3": _deletion,
    "4": _pattern,
    "5": _pose,
    "6": _color,
    "7": _material,
    "8": _background,
    "9": _style,
}
