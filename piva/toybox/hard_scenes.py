"""IN2N-Toybox's hard scenes: five objects that hide each other, under plain, coloured or moving light.

A scene has a subject, mostly a small companion beside it, and clutter about them, five objects in all. Captions are in
the Toybox's grammar, which has words for a subject, its hat and one companion: clutter and coloured light go unsaid.
Every edit changes exactly one object, or adds one; what happens to the others is what the set is for.

day       the light that a caption without a time of day means
colored   one of `light.COLORED`
moving    the sun moves while the capture is made: training picture k of n is taken at the share k / (n - 1) of an
          afternoon (`light.HOURS` from noon on), from its first camera to its last, as someone walks around. Nothing
          else moves. Held-out pictures, those of the true edits among them, are at the reference light: the middle
          of the afternoon. The training pictures of a true edit have the capture's own moving light.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from piva.toybox import scene_cameras
from piva.toybox.light import COLORED, HOURS, light_at, sun_at
from piva.toybox.scene import Clutter, Companion, Placement
from piva.toybox.scene_edits import EditedScene, Lighting, Look, SceneSplit, edited_scene

REFERENCE = 0.5
"""Share of the afternoon at which scenes of moving light are scored against the truth."""


def in2n_toybox_hard() -> tuple[EditedScene, ...]:
    """Five objects on their ground and under their sky."""
    return tuple(_scene(name, row) for name, row in _HARD.items())


def in_the_afternoon(placement: Placement, share: float) -> Placement:
    """The same place when a share of the afternoon has passed; the sun is where it is at `REFERENCE`."""
    went, elevation = sun_at(share * HOURS)
    azimuth = placement.sun_azimuth_deg + went - sun_at(REFERENCE * HOURS)[0]
    return dataclasses.replace(
        placement, sun_azimuth_deg=azimuth, sun_elevation_deg=elevation, light=light_at(share * HOURS)
    )


@dataclass(frozen=True)
class _Row:
    split: SceneSplit
    path: scene_cameras.Path
    light: str  # day, moving, or one of COLORED
    look: Look
    clutter: tuple[tuple[str, str, float, float, float], ...]  # azimuths are counted from the path's middle
    changes: tuple[Look, Look, Look]  # appearance, addition, translation


def _scene(name: str, row: _Row) -> EditedScene:
    plain = edited_scene("in2n-toybox-hard", name, row.split, row.path, row.look, *row.changes)
    place = plain.source.placement
    clutter = tuple(
        Clutter(shape, color, size, place.camera.azimuth_deg + azimuth, distance)
        for shape, color, size, azimuth, distance in row.clutter
    )
    place = dataclasses.replace(place, clutter=clutter, light=COLORED.get(row.light))
    lighting: Lighting = "colored"
    if row.light == "day":
        lighting = "day"
    elif row.light == "moving":
        lighting, place = "moving", in_the_afternoon(place, REFERENCE)
    edits = tuple(dataclasses.replace(edit, target=edit.target.replace(placement=place)) for edit in plain.edits)
    return dataclasses.replace(plain, source=plain.source.replace(placement=place), edits=edits, light=lighting)


def _thing(shape: str, color: str, ground: str = "grass", **more: object) -> Look:
    return {"shape": shape, "color": color, "ground": ground, **more}


_HARD: dict[str, _Row] = {
    "red-cube": _Row(
        "dev", "arc", "day",
        _thing("cube", "red", size="small", companion=Companion("sphere", "blue")),
        (
            ("cylinder", "yellow", 0.8, 22.0, 0.92), ("cone", "green", 0.7, 170.0, 0.95),
            ("sphere", "white", 0.5, -38.0, 1.0),
        ),
        ({"color": "purple"}, {"hat": "black"}, {"shape": "cone"}),
    ),
    "blue-cylinder": _Row(
        "dev", "orbit", "rose",
        _thing("cylinder", "blue", "sand", companion=Companion("cube", "green")),
        (
            ("sphere", "orange", 0.6, 20.0, 0.9), ("cone", "white", 0.8, 150.0, 0.95),
            ("cylinder", "red", 0.6, 215.0, 0.9),
        ),
        ({"companion": Companion("cube", "yellow")}, {"hat": "white"}, {"shape": "sphere"}),
    ),
    "green-sphere": _Row(
        "dev", "orbit", "moving",
        _thing("sphere", "green", "stone"),
        (
            ("cylinder", "red", 0.8, 30.0, 0.9), ("cube", "blue", 0.5, 130.0, 0.95),
            ("cone", "purple", 0.7, 205.0, 0.95), ("sphere", "yellow", 0.5, 328.0, 0.95),
        ),
        ({"pattern": "checkered"}, {"companion": Companion("cone", "orange")}, {"shape": "cube"}),
    ),
    "yellow-cylinder": _Row(
        "test", "orbit", "day",
        _thing("cylinder", "yellow", companion=Companion("sphere", "blue")),
        (("cone", "green", 0.85, 15.0, 1.02), ("cube", "red", 0.5, 150.0, 0.9), ("cylinder", "white", 0.7, 205.0, 0.9)),
        ({"color": "purple"}, {"hat": "red"}, {"shape": "cube"}),
    ),
    "green-cube": _Row(
        "test", "arc", "day",
        _thing("cube", "green", "stone", size="small", companion=Companion("cone", "orange")),
        (
            ("cylinder", "blue", 0.85, 25.0, 0.9), ("sphere", "red", 0.6, -35.0, 0.95),
            ("cone", "yellow", 0.8, 165.0, 0.9),
        ),
        ({"companion": Companion("cone", "white")}, {"hat": "purple"}, {"shape": "sphere"}),
    ),
    "blue-sphere": _Row(
        "test", "orbit", "rose",
        _thing("sphere", "blue", "sand"),
        (
            ("cylinder", "green", 0.8, 35.0, 0.92), ("cone", "white", 0.75, 125.0, 0.98),
            ("cube", "yellow", 0.5, 200.0, 0.98), ("cylinder", "black", 0.6, 305.0, 0.9),
        ),
        ({"color": "red"}, {"companion": Companion("cube", "orange")}, {"shape": "cone"}),
    ),
    "snowman": _Row(
        "test", "arc", "teal",
        _thing("snowman", "white", companion=Companion("cube", "yellow")),
        (
            ("cone", "purple", 0.7, 28.0, 0.85), ("cylinder", "orange", 0.5, -30.0, 0.9),
            ("sphere", "black", 0.6, 175.0, 0.8),
        ),
        ({"companion": Companion("cube", "red")}, {"hat": "blue"}, {"shape": "cylinder"}),
    ),
    "orange-cone": _Row(
        "test", "orbit", "moving",
        _thing("cone", "orange", "stone", companion=Companion("cylinder", "green")),
        (
            ("cylinder", "white", 0.8, 10.0, 0.95), ("sphere", "blue", 0.6, 155.0, 1.0),
            ("cube", "purple", 0.5, 210.0, 1.0),
        ),
        ({"color": "yellow"}, {"hat": "black"}, {"companion": Companion("sphere", "green")}),
    ),
    "purple-cylinder": _Row(
        "test", "arc", "moving",
        _thing("cylinder", "purple", "snow"),
        (
            ("cone", "red", 0.8, 30.0, 1.0), ("cube", "green", 0.45, -28.0, 0.9),
            ("sphere", "orange", 0.6, 100.0, 0.95), ("cylinder", "blue", 0.8, 190.0, 0.9),
        ),
        ({"pattern": "striped"}, {"companion": Companion("sphere", "yellow")}, {"shape": "cube"}),
    ),
}  # fmt: skip
"""Azimuths of clutter keep clear of the companion's, which is 75 to 90 degrees off the middle of the path."""
