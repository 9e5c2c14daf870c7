"""The list of edits: what is read, and one sentence for each thing that is wrong."""

import json

import pytest

from piva.data.edits import find_edits, read_edits
from piva.data.problems import DataError

BEAR = {"scene": "bear", "source": "a bear", "target": "a polar bear", "type": "translation"}


@pytest.fixture
def root(tmp_path):
    for name in ("bear", "truth/bear-polar"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "transforms.json").write_text("{}")
    return tmp_path


def written(root, entries, name="edits.json"):
    (root / name).write_text(json.dumps(entries))
    return root / name


def test_json_and_yaml_are_read_alike(root):
    full = BEAR | {"id": "bear-polar", "truth": "truth/bear-polar", "background": [1, 0.5, 0], "instruction": "paint"}
    (edit,) = read_edits(written(root, [full]))
    assert (edit.id, edit.scene, edit.type, edit.background) == ("bear-polar", "bear", "translation", (1, 0.5, 0))
    assert (edit.folder, edit.truth) == (root / "bear", root / "truth/bear-polar")
    lines = "\n".join(f"  {key}: {json.dumps(value)}" for key, value in full.items())
    (root / "edits.yaml").write_text("-\n" + lines)
    assert read_edits(root / "edits.yaml") == [edit]
    assert find_edits(root) == root / "edits.yaml"
    assert find_edits(root / "bear") is None


def test_edits_without_an_id_are_named_by_scene_and_place(root):
    assert [edit.id for edit in read_edits(written(root, [BEAR, BEAR]))] == ["bear-1", "bear-2"]


def test_an_id_made_of_a_folder_is_one_that_records_take(root):
    for name in ("a..b", "ü"):
        (root / name).mkdir()
        (root / name / "transforms.json").write_text("{}")
    entries = [BEAR | {"scene": "a..b"}, BEAR | {"scene": "ü"}]
    assert [edit.id for edit in read_edits(written(root, entries))] == ["a-b-1", "scene-2"]


@pytest.mark.parametrize(
    ("entry", "sentence"),
    [
        (BEAR | {"scene": "wolf"}, r"edits.json: \[0\].scene: 'wolf' holds no scene"),
        (BEAR | {"scene": "../bear"}, r"scene: '../bear' is no path inside the folder"),
        (BEAR | {"truth": "truth"}, r"truth: 'truth' holds no scene"),
        (BEAR | {"type": "colour"}, r"edits.json: \[0\]: type: Input should be 'appearance', 'addition' or"),
        (BEAR | {"id": "a/b"}, r"\[0\]: id: "),
        (BEAR | {"id": "a..b"}, r"\[0\]: id: "),
        (BEAR | {"targte": "x"}, r"\[0\]: targte: "),
        (BEAR | {"background": [2, 0, 0]}, r"\[0\]: background\[0\]: "),
    ],
)
def test_what_is_wrong_is_said(root, entry, sentence):
    with pytest.raises(DataError, match=sentence):
        read_edits(written(root, [entry]))


def test_every_problem_is_listed(root):
    entries = [BEAR | {"id": "a"}, BEAR | {"id": "a"}, BEAR | {"scene": "wolf"}]
    with pytest.raises(DataError) as found:
        read_edits(written(root, entries))
    assert found.value.problems == (
        "edits.json: [2].scene: 'wolf' holds no scene",
        "edits.json: 2 edits are called 'a'",
    )


@pytest.mark.parametrize("text", ["", "{}", "[", "- a\n  b: ["])
def test_a_file_that_is_no_list(root, text):
    (root / "edits.yaml").write_text(text)
    with pytest.raises(DataError, match=r"edits.yaml (is no list of edits|is not YAML)"):
        read_edits(root / "edits.yaml")
