import itertools

import pytest

from piva.toybox import vocabulary as words
from piva.toybox.scene import Camera, Companion, Placement, Scene, invalidity, labels, named_labels, sample_scene

PLACE = Placement(Camera(0.0, 20.0, 4.5))


def test_the_same_seed_gives_the_same_scene_and_splits_are_disjoint():
    drawn = {split: [sample_scene(i, split) for i in range(300)] for split in ("train", "dev", "test")}
    assert drawn["train"] == [sample_scene(i, "train") for i in range(300)]
    for a, b in itertools.combinations(drawn.values(), 2):
        assert not set(a) & set(b)


def test_held_out_combinations_occur_in_test_scenes_alone():
    def held_out(split):
        return sum((s.color, s.shape) in words.HELD_OUT_PAIRS for s in (sample_scene(i, split) for i in range(1000)))

    assert held_out("train") == held_out("dev") == 0
    assert held_out("test") > 50


def test_every_class_of_every_attribute_occurs():
    seen = {name: set() for name in words.ATTRIBUTES}
    for i in range(1500):
        for name, index in labels(sample_scene(i, "train")).items():
            seen[name].add(index)
    assert {name: len(found) for name, found in seen.items()} == {n: len(c) for n, c in words.ATTRIBUTES.items()}


@pytest.mark.parametrize(
    "changes",
    [
        {"shape": "snowman", "color": "red"},
        {"pattern": "striped", "color": "white"},
        {"shape": "sphere", "leaning": True},
        {"style": "sketch", "time": "night"},
    ],
)
def test_what_could_not_be_seen_is_refused(changes):
    scene = Scene("cube", "red", PLACE)
    with pytest.raises(ValueError, match=r"snowman|white pattern|lean|sketch"):
        scene.replace(**changes)
    assert invalidity(scene) is None


def test_labels_name_hat_companion_and_front():
    scene = Scene("snowman", "white", PLACE, hat="blue", companion=Companion("cone", "red"))
    named = named_labels(scene)
    assert (named["hat"], named["companion"], named["companion_color"], named["front"]) == (
        "blue",
        "cone",
        "red",
        "front",
    )
    away = Scene("snowman", "white", Placement(Camera(0.0, 20.0, 4.5), yaw_deg=170.0))
    assert named_labels(away)["front"] == "away"
    assert named_labels(Scene("cube", "red", PLACE))["front"] == "none"


def test_unknown_split_is_named():
    with pytest.raises(ValueError, match="unknown split 'validation'"):
        sample_scene(0, "validation")
