"""The scenes of Noe-Toybox and IN2N-Toybox and their edits: what is shown, from where, and what changes.

An edit belongs to one of the three groups of Piva's 3D experiments. Appearance changes how something looks (colour,
pattern, gloss, pose, ground, time of day), addition puts something there, translation turns the subject into another
one. Every scene has one edit of each.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Literal, TypeAlias

from piva.toybox import scene_cameras
from piva.toybox import vocabulary as words
from piva.toybox.captions import article
from piva.toybox.scene import Camera, Companion, Placement, Scene, invalidity, keyed_random

SceneSplit = Literal["dev", "test"]
Group = Literal["appearance", "addition", "translation"]
GROUPS: tuple[Group, ...] = ("appearance", "addition", "translation")
Lighting = Literal["day", "colored", "moving"]
"""A sun that moves does so while the training pictures are taken: an afternoon passes from the first to the last."""
Look: TypeAlias = dict[str, object]
"""Fields of a `Scene`."""


@dataclass(frozen=True)
class KnownEdit:
    """An edit of which the result is known."""

    id: str
    group: Group
    target: Scene
    instruction: str


@dataclass(frozen=True)
class EditedScene:
    """A scene, the path its cameras stand on, and its edits."""

    id: str
    split: SceneSplit
    source: Scene  # its camera stands in the middle of the path
    path: scene_cameras.Path
    edits: tuple[KnownEdit, ...]  # one for each of GROUPS
    light: Lighting | None = None  # None: that of the time of day


def noe_toybox() -> tuple[EditedScene, ...]:
    """Single objects, small enough for [-1.5, 1.5]^3, seen from all around."""
    return tuple(edited_scene("noe-toybox", name, split, "orbit", *row) for name, (split, *row) in _NOE.items())


def in2n_toybox() -> tuple[EditedScene, ...]:
    """A subject with a hat or a companion, on its ground and under its sky."""
    return tuple(edited_scene("in2n-toybox", name, *row) for name, row in _IN2N.items())


def _thing(shape: str, color: str, ground: str = "grass", **more: object) -> Look:
    return {"shape": shape, "color": color, "ground": ground, **more}


# What the source shows, and what the edits of the three groups change.
_NOE: dict[str, tuple[SceneSplit, Look, Look, Look, Look]] = {
    "red-cube": ("dev", _thing("cube", "red"), {"color": "blue"}, {"hat": "yellow"}, {"shape": "sphere"}),
    "blue-cylinder": (
        "dev",
        _thing("cylinder", "blue", "sand"),
        {"pattern": "striped"},
        {"hat": "red"},
        {"shape": "cone"},
    ),
    "hatted-yellow-sphere": (
        "dev",
        _thing("sphere", "yellow", "stone", hat="purple"),
        {"color": "green"},
        {"companion": Companion("cube", "red")},
        {"shape": "cube"},
    ),
    "snowman-on-grass": ("dev", _thing("snowman", "white"), {"leaning": True}, {"hat": "blue"}, {"shape": "cube"}),
    "purple-cube": ("test", _thing("cube", "purple"), {"color": "orange"}, {"hat": "white"}, {"shape": "cylinder"}),
    "green-cone": (
        "test",
        _thing("cone", "green", "sand"),
        {"pattern": "checkered"},
        {"hat": "red"},
        {"shape": "sphere"},
    ),
    "snowman-on-sand": (
        "test",
        _thing("snowman", "white", "sand"),
        {"leaning": True},
        {"hat": "green"},
        {"shape": "cone"},
    ),
    "hatted-snowman": (
        "test",
        _thing("snowman", "white", "stone", hat="red"),
        {"hat": "yellow"},
        {"companion": Companion("sphere", "blue")},
        {"shape": "cylinder"},
    ),
    "white-cylinder": ("test", _thing("cylinder", "white"), {"color": "red"}, {"hat": "blue"}, {"shape": "snowman"}),
    "orange-sphere": ("test", _thing("sphere", "orange", "snow"), {"shiny": True}, {"hat": "green"}, {"shape": "cube"}),
    "small-striped-cube": (
        "test",
        _thing("cube", "blue", "stone", size="small", pattern="striped"),
        {"color": "red"},
        {"hat": "yellow"},
        {"shape": "cylinder"},
    ),
    "hatted-black-cone": (
        "test",
        _thing("cone", "black", "sand", hat="red"),
        {"color": "yellow"},
        {"companion": Companion("cube", "green")},
        {"shape": "cylinder"},
    ),
}

_IN2N: dict[str, tuple[SceneSplit, scene_cameras.Path, Look, Look, Look, Look]] = {
    "red-cube": (
        "dev",
        "orbit",
        _thing("cube", "red", companion=Companion("sphere", "blue")),
        {"ground": "snow"},
        {"hat": "yellow"},
        {"shape": "sphere"},
    ),
    "blue-cylinder": (
        "dev",
        "arc",
        _thing("cylinder", "blue", "sand", hat="white"),
        {"color": "green"},
        {"companion": Companion("cone", "red")},
        {"shape": "cube"},
    ),
    "purple-sphere": (
        "dev",
        "arc",
        _thing("sphere", "purple", "stone", hat="yellow"),
        {"pattern": "checkered"},
        {"companion": Companion("cylinder", "green")},
        {"shape": "cone"},
    ),
    "snowman-on-grass": (
        "dev",
        "orbit",
        _thing("snowman", "white", companion=Companion("cone", "green")),
        {"time": "sunset"},
        {"hat": "purple"},
        {"shape": "cylinder"},
    ),
    "orange-cylinder": (
        "test",
        "orbit",
        _thing("cylinder", "orange", companion=Companion("cube", "blue")),
        {"ground": "snow"},
        {"hat": "black"},
        {"shape": "cone"},
    ),
    "yellow-cube": (
        "test",
        "orbit",
        _thing("cube", "yellow", "snow", size="large", hat="blue"),
        {"color": "red"},
        {"companion": Companion("sphere", "green")},
        {"shape": "sphere"},
    ),
    "snowman-on-stone": (
        "test",
        "arc",
        _thing("snowman", "white", "stone", hat="red"),
        {"ground": "grass"},
        {"companion": Companion("cube", "yellow")},
        {"shape": "cone"},
    ),
    "snowman-on-sand": (
        "test",
        "orbit",
        _thing("snowman", "white", "sand", companion=Companion("sphere", "orange")),
        {"time": "night"},
        {"hat": "green"},
        {"shape": "cube"},
    ),
    "green-sphere": (
        "test",
        "arc",
        _thing("sphere", "green", "stone", companion=Companion("cube", "red")),
        {"shiny": True},
        {"hat": "white"},
        {"shape": "cylinder"},
    ),
    "blue-ring": (
        "test",
        "arc",
        _thing("ring", "blue", companion=Companion("cylinder", "yellow")),
        {"color": "red"},
        {"hat": "purple"},
        {"shape": "cube"},
    ),
    "white-cone": (
        "test",
        "orbit",
        _thing("cone", "white", companion=Companion("sphere", "red")),
        {"time": "sunset"},
        {"hat": "blue"},
        {"shape": "snowman"},
    ),
    "small-striped-cylinder": (
        "test",
        "arc",
        _thing("cylinder", "red", "sand", size="small", pattern="striped", hat="black"),
        {"ground": "stone"},
        {"companion": Companion("sphere", "purple")},
        {"shape": "sphere"},
    ),
}


def edited_scene(
    set_name: str, name: str, split: SceneSplit, path: scene_cameras.Path, look: Look, *changes: Look
) -> EditedScene:
    """A scene of a set, and its edits of GROUPS; where things stand depends on the names alone.

    Raises:
        ValueError: the scene or an edit is not in the vocabulary.
    """
    rng = keyed_random("scene set", set_name, name)
    source = Scene(placement=_place(rng, str(look["shape"]), path), **look)  # type: ignore[arg-type]
    if problem := invalidity(source):
        raise ValueError(f"{set_name}, {name}: {problem}")
    edits = tuple(
        KnownEdit(f"{name}-{group}", group, source.replace(**change), instruction(source, change))
        for group, change in zip(GROUPS, changes, strict=True)
    )
    return EditedScene(name, split, source, path, edits)


def _place(rng: random.Random, shape: str, path: scene_cameras.Path) -> Placement:
    """Where things stand. On an arc, as in the models' training pictures: nothing hides, and fronts can be seen."""
    center = rng.uniform(0.0, 360.0)
    turn = rng.uniform(-180.0, 180.0)
    if path == "arc":
        turn *= {"ring": 20.0 / 180.0, "snowman": 40.0 / 180.0}.get(shape, 1.0)
    return Placement(
        camera=Camera(center, elevation_deg=22.0, distance=4.75),
        yaw_deg=center + turn,
        sun_azimuth_deg=center + rng.uniform(-75.0, 75.0),
        sun_elevation_deg=rng.uniform(45.0, 60.0),
        companion_azimuth_deg=center + rng.choice((-1.0, 1.0)) * rng.uniform(75.0, 90.0),
        lean_azimuth_deg=center + rng.choice((-1.0, 1.0)) * rng.uniform(70.0, 100.0),
        texture_phase=rng.uniform(0.0, 100.0),
    )


def instruction(source: Scene, change: Look) -> str:
    """What to do, for editors that take instructions."""
    ((field, new),) = change.items()
    thing = f"the {source.shape}"
    if field == "hat" and source.hat != words.NONE:
        return f"Make its hat {new}"
    if isinstance(new, Companion) and source.companion:
        small = f"the small {source.companion.shape}"
        same = new.shape == source.companion.shape
        return f"Make {small} {new.color}" if same else f"Turn {small} into a {new.color} {new.shape}"
    if isinstance(new, Companion):
        return f"Put a small {new.color} {new.shape} next to {thing}"
    return {
        "shape": f"Turn {thing} into a {new}",
        "color": f"Make {thing} {new}",
        "pattern": f"Make {thing} {new}",
        "shiny": f"Make {thing} shiny",
        "leaning": f"Make {thing} lean",
        "hat": f"Put {article(str(new))} {new} hat on {thing}",
        "ground": f"Put {thing} on {new}",
        "time": f"Show it at {new}",
    }[field]
