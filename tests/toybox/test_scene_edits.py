import dataclasses

import pytest

from piva.toybox import vocabulary as words
from piva.toybox.captions import caption
from piva.toybox.scene import invalidity
from piva.toybox.scene_edits import GROUPS, in2n_toybox, noe_toybox
from piva.toybox.scene_sets import SETS

NAMES = ("noe-toybox", "in2n-toybox")
ALL = [scene for name in NAMES for scene in SETS[name].scenes()]
FIELDS = {
    "appearance": {"color", "pattern", "shiny", "leaning", "ground", "time", "hat"},
    "addition": {"hat", "companion"},
    "translation": {"shape"},
}


@pytest.mark.parametrize("name", NAMES)
def test_each_set_has_scenes_enough(name):
    scenes = SETS[name].scenes()
    splits = [scene.split for scene in scenes]
    assert (splits.count("dev"), splits.count("test")) == (4, 8)
    snowmen = [scene.split for scene in scenes if scene.source.shape == "snowman"]
    assert (snowmen.count("dev"), snowmen.count("test")) == (1, 2)
    assert any(edit.target.shape == "snowman" for scene in scenes for edit in scene.edits)
    ids = [edit.id for scene in scenes for edit in scene.edits]
    assert len(set(ids)) == len(ids) == 36
    assert scenes == SETS[name].scenes()


@pytest.mark.parametrize("scene", ALL, ids=lambda scene: scene.id)
def test_each_scene_has_a_valid_edit_of_each_group(scene):
    assert tuple(edit.group for edit in scene.edits) == GROUPS
    for edit in scene.edits:
        assert invalidity(edit.target) is None
        assert edit.target.placement == scene.source.placement
        changed = {
            field.name
            for field in dataclasses.fields(edit.target)
            if getattr(edit.target, field.name) != getattr(scene.source, field.name)
        }
        assert len(changed) == 1
        assert changed <= FIELDS[edit.group]
        if edit.group == "addition":
            assert getattr(scene.source, *changed) in (None, words.NONE)
        assert caption(edit.target) != caption(scene.source)
        assert " a o" not in edit.instruction
    if scene.split == "dev":
        shown = {(world.color, world.shape) for world in (scene.source, *(edit.target for edit in scene.edits))}
        assert not shown & words.HELD_OUT_PAIRS


def test_what_the_two_sets_show():
    for scene in noe_toybox():
        assert scene.path == "orbit"
        assert scene.source.companion is None
        assert scene.source.time == "day"
    for scene in in2n_toybox():
        assert (scene.source.hat != words.NONE) + (scene.source.companion is not None) == 1
    paths = [scene.path for scene in in2n_toybox()]
    assert (paths.count("orbit"), paths.count("arc")) == (6, 6)


def test_on_an_arc_a_front_is_seen():
    for scene in in2n_toybox():
        place = scene.source.placement
        if scene.path == "arc" and scene.source.shape == "snowman":
            assert abs(place.yaw_deg - place.camera.azimuth_deg) <= 40


def test_instructions():
    said = {edit.id: edit.instruction for scene in noe_toybox() for edit in scene.edits}
    assert said["red-cube-addition"] == "Put a yellow hat on the cube"
    assert said["hatted-snowman-appearance"] == "Make its hat yellow"
    assert said["hatted-snowman-addition"] == "Put a small blue sphere next to the snowman"
    assert said["white-cylinder-translation"] == "Turn the cylinder into a snowman"
