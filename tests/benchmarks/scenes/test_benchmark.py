"""Benchmarks of scenes: where they are, what their cases know, and what a case's hashes depend on."""

import json
import shutil
from pathlib import Path

import pytest
from scene_world import write_scenes

from benchmarks.in2n import IN2N_TOYBOX
from benchmarks.noe import NOE, NOE_TOYBOX
from benchmarks.scenes.benchmark import SceneBenchmark, SceneDefaults, toybox_scene
from piva.errors import ConfigError
from piva.toybox.scene_sets import write


@pytest.fixture(scope="module")
def toybox(tmp_path_factory):
    folder = tmp_path_factory.mktemp("toybox") / "dev"
    write(folder, "noe-toybox", "dev", size=16, train_views=3, test_views=2)
    return folder


def fresh(benchmark=NOE):
    """The same benchmark without the digests of folders that other tests made."""
    return SceneBenchmark(benchmark.name, benchmark.defaults, benchmark.toybox, benchmark.pictures)


def test_the_toybox_knows_its_worlds(toybox):
    cases = {case.id: case for case in NOE_TOYBOX.cases(toybox)}
    assert NOE_TOYBOX.split(toybox) == "dev"
    assert {case.type_id for case in cases.values()} == {"appearance", "addition", "translation"}
    blue = cases["red-cube-appearance"]
    changed = {name for name, value in blue.target.attributes.items() if value != blue.source.attributes[name]}
    assert changed == {"color"}
    assert (blue.target.has_front, blue.target.closed) == (False, True)
    leaning, cube = cases["snowman-on-grass-appearance"], cases["snowman-on-grass-translation"]
    assert (leaning.target.has_front, cube.source.has_front, cube.target.has_front) == (True, True, False)


def test_selected_cases(toybox):
    assert [case.type_id for case in NOE_TOYBOX.cases(toybox, types=["addition"])] == ["addition"] * 4
    assert [case.id for case in NOE_TOYBOX.cases(toybox, ids=["red-cube-addition"])] == ["red-cube-addition"]
    with pytest.raises(ConfigError, match=r"--case red-cube-additon: unknown case .* did you mean 'red-cube-addition'"):
        NOE_TOYBOX.cases(toybox, ids=["red-cube-additon"])
    with pytest.raises(ConfigError, match="--type colour"):
        NOE_TOYBOX.cases(toybox, types=["colour"])


def test_folders_that_are_refused(toybox, tmp_path):
    for benchmark, root, split, sentence in (
        (NOE, None, None, "noe needs --root"),
        (NOE, tmp_path / "none", None, "there is no such folder"),
        (NOE, tmp_path, None, "there is no edits.yaml or edits.json"),
        (NOE_TOYBOX, toybox, "test", "--root .* holds the dev split"),
        (IN2N_TOYBOX, toybox, "dev", "no finished in2n-toybox of version"),
    ):
        with pytest.raises(ConfigError, match=sentence):
            benchmark.locate(root, split)
    assert NOE_TOYBOX.locate(toybox, None) == toybox
    facts = json.loads((toybox / "dataset.json").read_bytes())
    for content, sentence in (([1], "cannot be read"), (facts | {"captures": []}, "no finished noe-toybox")):
        shutil.copy(toybox / "edits.json", tmp_path)
        (tmp_path / "dataset.json").write_text(json.dumps(content))
        with pytest.raises(ConfigError, match=sentence):
            NOE_TOYBOX.locate(tmp_path, "dev")


def test_a_case_is_another_when_its_scene_prompt_or_background_is(tmp_path):
    root = write_scenes(tmp_path, truth=True)

    def hashes():
        return fresh().contents(fresh().cases(root)[0])

    def edits(**changes):
        (entry,) = json.loads((root / "edits.json").read_bytes())
        (root / "edits.json").write_text(json.dumps([entry | changes]))

    first = hashes()
    assert hashes() == first
    edits(instruction="make it a box")
    assert hashes() == first
    found = {first.edit}
    for change in ({"target": "a cone"}, {"background": [0, 0, 0]}):
        edits(**change)
        found.add(hashes().edit)
        assert hashes().score == first.score
    (root / "scene-0/train/0.png").write_bytes((root / "scene-0/train/1.png").read_bytes())
    found.add(hashes().edit)
    assert len(found) == 4
    before = hashes()
    (root / "truth/scene-0-0/test/0.png").write_bytes((root / "scene-0/test/0.png").read_bytes())
    assert hashes().edit == before.edit
    assert hashes().score != before.score


def test_a_scene_that_cannot_be_read_has_a_hash_too(tmp_path):
    root = write_scenes(tmp_path)
    whole = fresh().contents(fresh().cases(root)[0]).edit
    (root / "scene-0/transforms_train.json").write_text("{")
    assert fresh().contents(fresh().cases(root)[0]).edit != whole


def test_a_scene_of_a_toybox_set_is_drawn_where_it_is_asked_for(tmp_path, monkeypatch):
    import piva.toybox.scene_sets as sets

    asked = []
    monkeypatch.setenv("PIVA_CACHE", str(tmp_path))
    monkeypatch.setattr(sets, "write", lambda folder, name, split: asked.append((folder, name, split)))

    folder = tmp_path / f"noe-toybox-v{sets.VERSION}" / "dev"
    assert toybox_scene(Path("noe-toybox/red-cube")) == folder / "red-cube"
    assert asked == [(folder, "noe-toybox", "dev")]
    assert toybox_scene(Path("noe-toybox/no-such-scene")) is None
    assert toybox_scene(Path("elsewhere/red-cube")) is None


def test_the_paper_s_defaults():
    assert NOE.defaults == SceneDefaults(15_000, 120, 1000, lam=0.4)
    assert NOE_TOYBOX.defaults.lam is None
