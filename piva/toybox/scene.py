"""What a Toybox picture shows: a scene's attributes, where things stand, and how scenes are drawn by seed.

Frame: right-handed, y up, the ground is y = 0, the subject stands at the origin. Angles in degrees, azimuth 0 looks
along -z from +z and grows towards +x. One unit is about the height of a medium subject.
"""

from __future__ import annotations

import dataclasses
import hashlib
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from piva.toybox import vocabulary as words
from piva.toybox.light import Light

Split = Literal["train", "dev", "test"]
SPLITS: tuple[Split, ...] = ("train", "dev", "test")


@dataclass(frozen=True)
class Camera:
    """A pinhole camera that looks at a point above the origin."""

    azimuth_deg: float
    elevation_deg: float
    distance: float
    fov_deg: float = 34.0
    target_height: float = 0.6


@dataclass(frozen=True)
class Clutter:
    """An object that stands about, and that no caption mentions."""

    shape: str
    color: str
    size: float  # scene units that one unit of its shape takes
    azimuth_deg: float  # direction from the subject to it
    distance: float  # between the two


@dataclass(frozen=True)
class Placement:
    """Everything a caption doesn't mention: the same in a source scene and in its edits."""

    camera: Camera
    yaw_deg: float = 0.0  # of the subject
    sun_azimuth_deg: float = 40.0
    sun_elevation_deg: float = 50.0
    companion_azimuth_deg: float = 90.0  # direction from subject to companion
    lean_azimuth_deg: float = 90.0  # direction the subject leans in
    texture_phase: float = 0.0
    clutter: tuple[Clutter, ...] = ()
    light: Light | None = None  # instead of that of the time of day


@dataclass(frozen=True)
class Companion:
    """The second, small object."""

    shape: str
    color: str


@dataclass(frozen=True)
class Scene:
    """A subject, what it wears, what stands beside it, on what ground, when, and in which style."""

    shape: str
    color: str
    placement: Placement
    pattern: str = "plain"
    size: str = "medium"
    leaning: bool = False
    shiny: bool = False
    hat: str = words.NONE  # its colour
    companion: Companion | None = None
    ground: str = "grass"
    time: str = "day"
    style: str = "photo"

    def replace(self, **changes: object) -> Scene:
        """The same scene with `changes`; raises ValueError if the result is not in the vocabulary."""
        changed = dataclasses.replace(self, **changes)  # type: ignore[arg-type]
        if problem := invalidity(changed):
            raise ValueError(problem)
        return changed


def invalidity(scene: Scene) -> str | None:
    """Why a scene can't be told from another one in a picture, or None if it can."""
    if scene.shape == "snowman" and (scene.color != "white" or scene.pattern != "plain" or scene.shiny):
        return "a snowman is white, plain and matt"
    if scene.pattern != "plain" and scene.color == "white":
        return "a white pattern looks like a black one"
    if scene.leaning and scene.shape not in words.LEANING_SHAPES:
        return f"one can't see a {scene.shape} lean"
    if scene.shiny and (scene.time == "night" or scene.pattern != "plain"):
        return "gloss can't be told at night, or on a pattern"
    if scene.style == "sketch" and (scene.time != "day" or scene.shiny):
        return "a sketch shows neither light nor gloss"
    return None


def labels(scene: Scene) -> dict[str, int]:
    """Class index of every judged attribute (see `vocabulary.ATTRIBUTES`)."""
    return {name: words.ATTRIBUTES[name].index(value) for name, value in named_labels(scene).items()}


def named_labels(scene: Scene) -> dict[str, str]:
    """Class name of every judged attribute."""
    front = words.NONE
    if scene.shape == "snowman":
        turned = (scene.placement.yaw_deg - scene.placement.camera.azimuth_deg + 180.0) % 360.0 - 180.0
        front = "front" if abs(turned) < 90.0 else "away"
    return {
        "shape": scene.shape,
        "color": scene.color,
        "pattern": scene.pattern,
        "size": scene.size,
        "leaning": "yes" if scene.leaning else "no",
        "shiny": "yes" if scene.shiny else "no",
        "hat": scene.hat,
        "companion": scene.companion.shape if scene.companion else words.NONE,
        "companion_color": scene.companion.color if scene.companion else words.NONE,
        "ground": scene.ground,
        "time": scene.time,
        "style": scene.style,
        "front": front,
    }


def keyed_random(*key: object) -> random.Random:
    """A generator that depends on `key` alone."""
    digest = hashlib.sha256(repr(key).encode()).digest()
    return random.Random(int.from_bytes(digest[:8], "little"))


def sample_scene(seed: int, split: Split, accept: Callable[[Scene], bool] | None = None) -> Scene:
    """The scene number `seed` of `split`: the same on every machine, and in no other split.

    Args:
        seed: any integer.
        split: "train" and "dev" never show a subject of `vocabulary.HELD_OUT_PAIRS`; "test" does.
        accept: draws again until this holds.
    """
    if split not in SPLITS:
        raise ValueError(f"unknown split {split!r}: use one of {', '.join(SPLITS)}")
    rng = keyed_random("scene", split, seed)
    while True:
        scene = _draw(rng)
        held_out = (scene.color, scene.shape) in words.HELD_OUT_PAIRS
        if invalidity(scene) is None and not (held_out and split != "test") and (accept is None or accept(scene)):
            return scene


def _draw(rng: random.Random) -> Scene:
    shape = rng.choices(words.SHAPES, weights=(4, 4, 4, 4, 4, 3))[0]
    snowman = shape == "snowman"
    colors = list(words.COLORS)
    companion = None
    if rng.random() < 0.25:
        companion = Companion(rng.choice(words.COMPANION_SHAPES), rng.choice(colors))
    return Scene(
        shape=shape,
        color="white" if snowman else rng.choice(colors),
        pattern="plain" if snowman else rng.choices(words.PATTERNS, weights=(6, 2, 2))[0],
        size=rng.choices(tuple(words.SIZES), weights=(1, 2, 1))[0],
        leaning=rng.random() < 0.18,
        shiny=rng.random() < 0.2,
        hat=rng.choice(colors) if rng.random() < 0.3 else words.NONE,
        companion=companion,
        ground=rng.choice(tuple(words.GROUNDS)),
        time=rng.choices(words.TIMES, weights=(7, 1.5, 1.5))[0],
        style=rng.choices(words.STYLES, weights=(9, 1))[0],
        placement=_place(rng, shape),
    )


def _place(rng: random.Random, shape: str) -> Placement:
    camera = Camera(
        azimuth_deg=rng.uniform(0.0, 360.0), elevation_deg=rng.uniform(14.0, 30.0), distance=rng.uniform(4.5, 5.0)
    )
    offset = rng.uniform(-180.0, 180.0)
    if shape == "ring":  # seen from the side a ring is a bar
        offset = rng.uniform(-50.0, 50.0)
    elif shape == "snowman" and rng.random() < 0.6:
        offset = rng.uniform(-60.0, 60.0)
    side = rng.choice((-1.0, 1.0))
    return Placement(
        camera=camera,
        yaw_deg=camera.azimuth_deg + offset,
        sun_azimuth_deg=camera.azimuth_deg + rng.uniform(-75.0, 75.0),
        sun_elevation_deg=rng.uniform(35.0, 60.0),
        companion_azimuth_deg=camera.azimuth_deg + side * rng.uniform(65.0, 90.0),
        lean_azimuth_deg=camera.azimuth_deg + rng.choice((-1.0, 1.0)) * rng.uniform(70.0, 100.0),
        texture_phase=rng.uniform(0.0, 100.0),
    )
