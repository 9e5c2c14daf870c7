import re

from piva.toybox import vocabulary as words
from piva.toybox.captions import SYNONYMS, caption
from piva.toybox.scene import Camera, Companion, Placement, Scene, sample_scene

PLACE = Placement(Camera(0.0, 20.0, 4.5))


def test_canonical_wording():
    scene = Scene("cube", "orange", PLACE, ground="snow")
    assert caption(scene) == "an orange cube on snow"
    full = scene.replace(
        size="large", pattern="striped", hat="blue", companion=Companion("sphere", "green"), time="night"
    )
    assert caption(full) == "a large striped orange cube with a blue hat next to a small green sphere on snow at night"
    assert caption(scene.replace(style="sketch", leaning=True)) == "a pencil sketch of a leaning orange cube on snow"
    assert caption(Scene("snowman", "white", PLACE, shiny=False)) == "a snowman on grass"


def test_different_scenes_have_different_canonical_captions():
    scenes = [sample_scene(i, "train") for i in range(500)]
    by_caption = {}
    for scene in scenes:
        seen = by_caption.setdefault(caption(scene), scene)
        assert seen.replace(placement=scene.placement) == scene


def test_paraphrases_are_deterministic_varied_and_say_the_same():
    scene = Scene("sphere", "red", PLACE, size="small", shiny=True, hat="white", ground="sand")
    wordings = {caption(scene, seed) for seed in range(200)}
    assert wordings == {caption(scene, seed) for seed in range(200)}
    assert len(wordings) > 40
    for wording in wordings:
        assert any(word in wording for word in SYNONYMS["shiny"])
        assert re.search(r"(with|wearing) a white hat", wording)
        others = set(words.COLORS) - {"red", "white"}
        assert not others & set(wording.split())


def test_paraphrases_sometimes_leave_out_the_ground_but_never_the_shape():
    scene = Scene("cone", "blue", PLACE, ground="stone")
    wordings = [caption(scene, seed) for seed in range(400)]
    without = sum("stone" not in wording for wording in wordings)
    assert 5 < without < 60
    assert all("cone" in wording for wording in wordings)
