import dataclasses
import math
from collections import Counter
from itertools import pairwise

import pytest
import torch

from piva.toybox import vocabulary as words
from piva.toybox.captions import caption
from piva.toybox.hard_scenes import REFERENCE, in2n_toybox_hard, in_the_afternoon
from piva.toybox.light import COLORED
from piva.toybox.parts import COMPANION, HAT, SUBJECT, changed_objects
from piva.toybox.render import render
from piva.toybox.scene_cameras import cameras_along
from piva.toybox.scene_captures import Shots

SCENES = {scene.id: scene for scene in in2n_toybox_hard()}
GIRTH = {"sphere": 0.5, "cube": 0.41 * 2**0.5, "cylinder": 0.33, "cone": 0.52, "ring": 0.55, "snowman": 0.36}
"""How far a shape of size 1 reaches from its axis."""


def objects(scene):
    """(x, z, girth) of each object that stands on the ground."""
    place, size = scene.placement, words.SIZES[scene.size]
    found = [(0.0, 0.0, GIRTH[scene.shape] * size)]
    around = [(piece.azimuth_deg, piece.distance, GIRTH[piece.shape] * piece.size) for piece in place.clutter]
    if scene.companion:
        around.append((place.companion_azimuth_deg, 0.42 + 0.55 * size, GIRTH[scene.companion.shape] * 0.46))
    for azimuth, away, girth in around:
        found.append((math.sin(math.radians(azimuth)) * away, math.cos(math.radians(azimuth)) * away, girth))
    return found


def test_lights_and_groups_are_spread_over_both_splits():
    assert Counter((scene.split, scene.light) for scene in SCENES.values()) == {
        **{("dev", light): 1 for light in ("day", "colored", "moving")},
        **{("test", light): 2 for light in ("day", "colored", "moving")},
    }
    assert {scene.path for scene in SCENES.values()} == {"orbit", "arc"}


@pytest.mark.parametrize("scene", SCENES.values(), ids=SCENES)
def test_five_objects_stand_clear_of_each_other_and_one_changes(scene):
    assert len(objects(scene.source)) == 5
    for shown in (scene.source, *(edit.target for edit in scene.edits)):
        standing = objects(shown)
        for index, (x, z, girth) in enumerate(standing):
            for other_x, other_z, other_girth in standing[:index]:
                assert math.hypot(x - other_x, z - other_z) > girth + other_girth
    asked = {"appearance": {SUBJECT, COMPANION}, "addition": {HAT, COMPANION}, "translation": {SUBJECT, COMPANION}}
    for edit in scene.edits:
        (changed,) = changed_objects(scene.source, edit.target)
        assert changed in asked[edit.group]
    assert changed_objects(scene.source, scene.source) == set()


@pytest.mark.parametrize("scene", SCENES.values(), ids=SCENES)
def test_captions_say_nothing_of_clutter_and_light(scene):
    plain = dataclasses.replace(scene.source.placement, clutter=(), light=None)
    assert caption(scene.source) == caption(scene.source.replace(placement=plain))
    assert caption(SCENES["snowman"].source) == "a snowman next to a small yellow cube on grass"


def test_instructions_for_a_companion_that_is_there():
    said = {edit.id: edit.instruction for scene in SCENES.values() for edit in scene.edits}
    assert said["green-cube-appearance"] == "Make the small cone white"
    assert said["orange-cone-translation"] == "Turn the small cylinder into a green sphere"
    assert said["blue-sphere-addition"] == "Put a small orange cube next to the sphere"


def test_the_world_s_own_light_is_the_reference():
    for scene in SCENES.values():
        place = scene.source.placement
        if scene.light == "moving":
            again = in_the_afternoon(place, REFERENCE)
            assert again.sun_azimuth_deg == pytest.approx(place.sun_azimuth_deg)
            assert dataclasses.replace(again, sun_azimuth_deg=place.sun_azimuth_deg) == place
        else:
            assert place.light == (None if scene.light == "day" else place.light)
            assert (place.light in COLORED.values()) == (scene.light == "colored")


@pytest.mark.parametrize("moves", [False, True])
def test_a_sun_that_moves_changes_light_and_shadow_from_frame_to_frame_and_nothing_else(moves):
    world = SCENES["orange-cone"].source
    camera = world.placement.camera  # stands still here, so that only the sun is left to change anything
    shots = Shots(world, {"train": [camera] * 5, "test": [camera] * 2}, 32, False, sun_moves=moves)
    frames, held_out = shots.draw("train"), shots.draw("test")
    steps = [float((a.float() - b.float()).abs().mean()) for a, b in pairwise(frames)]
    assert torch.equal(held_out[0], held_out[1])
    assert torch.equal(frames[2], held_out[0])  # the middle of the afternoon
    assert all(step > 2 for step in steps) if moves else steps == [0.0] * 4
    suns = [dataclasses.replace(world.placement, camera=camera), in_the_afternoon(world.placement, 1.0)]
    early, late = (render([world.replace(placement=place)], 32) for place in suns)
    assert torch.equal(early.owner, late.owner)
    assert torch.equal(early.depth, late.depth)


def test_objects_hide_each_other_in_most_views():
    for scene in (SCENES["green-cube"], SCENES["blue-sphere"]):
        cameras = cameras_along(scene.path, scene.source.placement.camera.azimuth_deg, "train", 8)
        places = [dataclasses.replace(scene.source.placement, camera=camera) for camera in cameras]
        whole = render([scene.source.replace(placement=place) for place in places], 32).masks["subject"]
        bare = [dataclasses.replace(place, clutter=()) for place in places]
        free = render([scene.source.replace(placement=place, companion=None) for place in bare], 32).masks["subject"]
        hidden = 1 - whole.flatten(1).sum(1) / free.flatten(1).sum(1)
        assert (hidden > 0.1).sum() >= 4
        assert hidden.max() < 1
