"""A scene as primitives: which signed-distance shapes stand where, in which colour.

A group of scenes with the same `signature` has the same kind of primitive in every slot, so that the renderer
evaluates slot by slot, all scenes at once.
"""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from piva.toybox import vocabulary as words
from piva.toybox.scene import Clutter, Scene

SUBJECT, HAT, COMPANION = 0, 1, 2
OBJECTS = ("subject", "hat", "companion")
"""Every scene's; behind them come its pieces of clutter."""

Vec = tuple[float, float, float]
LEAN_DEG = 24.0
LEAN_LIFT = {"cube": 0.18, "cylinder": 0.13, "cone": 0.2, "snowman": 0.03}
"""How far a leaning object is raised, so that its lower edge doesn't sink into the ground."""
STRIPE_PERIOD, CHECKER_CELL = 0.34, 0.26


@dataclass(frozen=True)
class Part:
    """One primitive in its object's frame (the object stands on y = 0, scaled to size 1)."""

    kind: str  # sphere | cube | cylinder | cone | ring, or "lying " and one of these
    center: Vec
    dims: Vec  # see `sdf`
    color: str
    pattern: str = "plain"


def _body(shape: str, color: str, pattern: str) -> tuple[list[Part], float]:
    """Primitives of a unit-size object, and the height a hat sits at."""
    if shape == "sphere":
        return [Part("sphere", (0, 0.5, 0), (0.5, 0, 0), color, pattern)], 0.95
    if shape == "cube":
        return [Part("cube", (0, 0.41, 0), (0.41, 0.41, 0.41), color, pattern)], 0.82
    if shape == "cylinder":
        return [Part("cylinder", (0, 0.52, 0), (0.33, 0.52, 0), color, pattern)], 1.04
    if shape == "cone":
        return [Part("cone", (0, 0.55, 0), (0.52, 0.55, 0.02), color, pattern)], 0.98
    if shape == "ring":
        return [Part("ring", (0, 0.55, 0), (0.38, 0.17, 0), color, pattern)], 1.08
    return [  # a snowman looks along +z
        Part("sphere", (0, 0.34, 0), (0.36, 0, 0), color),
        Part("sphere", (0, 0.86, 0), (0.25, 0, 0), color),
        Part("sphere", (-0.105, 0.93, 0.215), (0.05, 0, 0), "black"),
        Part("sphere", (0.105, 0.93, 0.215), (0.05, 0, 0), "black"),
        Part("lying ring", (0, 0.66, 0), (0.17, 0.065, 0), "red"),  # a scarf
        Part("lying cone", (0, 0.84, 0.34), (0.06, 0.13, 0.015), "orange"),
    ], 1.06


def _hat(color: str, height: float) -> list[Part]:
    return [
        Part("cylinder", (0, height + 0.03, 0), (0.34, 0.035, 0), color),
        Part("cylinder", (0, height + 0.19, 0), (0.2, 0.16, 0), color),
    ]


def object_names(scene: Scene) -> tuple[str, ...]:
    """What a scene's objects are called, by index; those that it has not got among them."""
    return (*OBJECTS, *(f"clutter-{k + 1}" for k in range(len(scene.placement.clutter))))


def signature(scene: Scene) -> tuple[str | bool, ...]:
    """Scenes with the same signature can be rendered in one group."""
    companion = scene.companion.shape if scene.companion else words.NONE
    return scene.shape, scene.hat != words.NONE, companion, *(piece.shape for piece in scene.placement.clutter)


@dataclass
class PartGroup:
    """The primitives of B scenes of one signature, K slots each."""

    kinds: list[str]  # [K]
    objects: list[int]  # [K] index into `object_names`
    center: Tensor  # [B, K, 3] world
    to_local: Tensor  # [B, K, 3, 3] world -> primitive axes
    scale: Tensor  # [B, K] world length of one local unit
    dims: Tensor  # [B, K, 3] local
    color: Tensor  # [B, K, 3] linear albedo
    partner: Tensor  # [B, K, 3] the pattern's second colour
    pattern: Tensor  # [B, K] index into vocabulary.PATTERNS
    shiny: Tensor  # [B, K] 1 where it reflects
    bound_center: Tensor  # [B, 3] of a sphere around all
    bound_radius: Tensor  # [B]


def _rotation_y(deg: float) -> np.ndarray:
    c, s = math.cos(math.radians(deg)), math.sin(math.radians(deg))
    return np.array([[c, 0.0, s], [0.0, 1.0, 0.0], [-s, 0.0, c]])


def _lean(direction_deg: float, angle_deg: float) -> np.ndarray:
    """Tilts +y by `angle_deg` towards the azimuth `direction_deg`."""
    turn = _rotation_y(direction_deg)
    c, s = math.cos(math.radians(angle_deg)), math.sin(math.radians(angle_deg))
    pitch = np.array([[1.0, 0.0, 0.0], [0.0, c, -s], [0.0, s, c]])
    return turn @ pitch @ turn.T


LYING = _lean(0.0, 90.0)  # primitive -> object axes of a nose (points along +z) and a scarf (a ring around +y)


@dataclass(frozen=True)
class _Pose:
    rotation: np.ndarray  # [3, 3] object -> world
    origin: np.ndarray  # [3]
    scale: float


def _subject_pose(scene: Scene) -> _Pose:
    place, scale = scene.placement, words.SIZES[scene.size]
    rotation = _rotation_y(place.yaw_deg)
    if not scene.leaning:
        return _Pose(rotation, np.zeros(3), scale)
    lift = np.array([0.0, LEAN_LIFT[scene.shape] * scale, 0.0])
    return _Pose(_lean(place.lean_azimuth_deg, LEAN_DEG) @ rotation, lift, scale)


def _companion_pose(scene: Scene) -> _Pose:
    azimuth = math.radians(scene.placement.companion_azimuth_deg)
    away = 0.42 + 0.55 * words.SIZES[scene.size]
    origin = np.array([math.sin(azimuth) * away, 0.0, math.cos(azimuth) * away])
    return _Pose(_rotation_y(scene.placement.yaw_deg + 20.0), origin, 0.46)


def _clutter_pose(piece: Clutter) -> _Pose:
    azimuth = math.radians(piece.azimuth_deg)
    origin = np.array([math.sin(azimuth) * piece.distance, 0.0, math.cos(azimuth) * piece.distance])
    return _Pose(_rotation_y(piece.azimuth_deg), origin, piece.size)


def _scene_parts(scene: Scene) -> list[tuple[Part, int, _Pose]]:
    pose = _subject_pose(scene)
    body, top = _body(scene.shape, scene.color, scene.pattern)
    parts = [(part, SUBJECT, pose) for part in body]
    if scene.hat != words.NONE:
        parts += [(part, HAT, pose) for part in _hat(scene.hat, top)]
    if scene.companion:
        small, _ = _body(scene.companion.shape, scene.companion.color, "plain")
        parts += [(part, COMPANION, _companion_pose(scene)) for part in small]
    for k, piece in enumerate(scene.placement.clutter):
        body, _ = _body(piece.shape, piece.color, "plain")
        parts += [(part, len(OBJECTS) + k, _clutter_pose(piece)) for part in body]
    return parts


def changed_objects(source: Scene, target: Scene) -> set[int]:
    """Indices of the objects that look or stand differently in two scenes, or that only one of them has."""
    before, after = _looks(source), _looks(target)
    return {index for index in before.keys() | after.keys() if before.get(index) != after.get(index)}


def _looks(scene: Scene) -> dict[int, list]:
    """All that is drawn of each object."""
    found: dict[int, list] = defaultdict(list)
    for part, index, pose in _scene_parts(scene):
        gloss = scene.shiny and index == SUBJECT
        found[index].append((part, pose.rotation.tolist(), pose.origin.tolist(), pose.scale, gloss))
    return found


def assemble(scenes: list[Scene]) -> PartGroup:
    """The primitives of scenes that share one signature."""
    all_parts = [_scene_parts(scene) for scene in scenes]
    flat = [entry for parts in all_parts for entry in parts]
    first = all_parts[0]

    def table(rows: list) -> Tensor:
        array = torch.from_numpy(np.asarray(rows))
        array = array.float() if array.is_floating_point() else array
        return array.reshape(len(scenes), len(first), *array.shape[1:])

    center = table([pose.rotation @ (pose.scale * np.array(part.center)) + pose.origin for part, _, pose in flat])
    scale = table([pose.scale for *_, pose in flat])
    dims = table([[float(value) for value in part.dims] for part, *_ in flat])
    reach = dims[..., :2].sum(-1) * scale  # [B, K] every primitive lies within this of its centre
    low, high = (center - reach[..., None]).amin(1), (center + reach[..., None]).amax(1)
    bound_center = (low + high) / 2
    shiny = [
        float(scene.shiny and obj == SUBJECT)
        for scene, parts in zip(scenes, all_parts, strict=True)
        for _, obj, _ in parts
    ]
    return PartGroup(
        kinds=[part.kind.removeprefix("lying ") for part, *_ in first],
        objects=[obj for _, obj, _ in first],
        center=center,
        to_local=table(
            [(pose.rotation @ LYING if part.kind.startswith("lying ") else pose.rotation).T for part, _, pose in flat]
        ),
        scale=scale,
        dims=dims,
        color=table([words.COLORS[part.color] for part, *_ in flat]),
        partner=table([words.COLORS[words.pattern_partner(part.color)] for part, *_ in flat]),
        pattern=table([words.PATTERNS.index(part.pattern) for part, *_ in flat]),
        shiny=table(shiny),
        bound_center=bound_center,
        bound_radius=((center - bound_center[:, None]).norm(dim=-1) + reach).amax(1),
    )
