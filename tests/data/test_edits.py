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


def test_what_is_wrong_with_an_entry_is_its_edit_s_fault_where_that_is_asked_for(root):
    entries = [
        BEAR | {"id": "sound"},
        BEAR | {"id": "colour", "type": "colour", "target": 7},
        {"scene": "wolf", "source": "a wolf"},
        BEAR | {"id": "out", "scene": "../bear"},
        "no edit",
        BEAR | {"scene": "wolf", "id": "left to whoever opens it".replace(" ", "-")},
        BEAR | {"id": "x" * 101},
        BEAR | {"id": "truth", "truth": "nowhere"},
    ]
    edits = {edit.id: edit for edit in read_edits(written(root, entries), lenient=True)}
    assert list(edits) == [
        "sound", "colour", "wolf-3", "out", "scene-5", "left-to-whoever-opens-it", "bear-7", "truth",
    ]  # fmt: skip
    assert [id_ for id_, edit in edits.items() if edit.fault is None] == ["sound", "left-to-whoever-opens-it"]
    colour, wolf, odd = edits["colour"], edits["wolf-3"], edits["scene-5"]
    assert (colour.source, colour.target, colour.type, colour.folder) == ("a bear", "", "?", root / "colour")
    assert colour.fault.startswith("edits.json: [1]: target: ")
    assert "; edits.json: [1]: type: " in colour.fault
    assert (wolf.source, wolf.target, wolf.type) == ("a wolf", "", "?")
    assert (odd.scene, odd.source, odd.type) == ("", "", "?")
    assert edits["out"].folder == root / "out"
    assert edits["out"].fault == "edits.json: [3].scene: '../bear' is no path inside the folder"
    assert edits["truth"].truth is None
    assert edits["truth"].fault == "edits.json: [7].truth: 'nowhere' holds no scene"


def test_of_entries_with_the_same_id_one_edit_is_left_which_cannot_be_made(root):
    entries = [BEAR | {"id": id_} for id_ in ("a", "b", "a", "B", "con", "c")]
    edits = {edit.id: edit.fault for edit in read_edits(written(root, entries), lenient=True)}
    assert edits == {
        "a": "edits.json: 2 edits are called 'a'",
        "b": "edits.json: 2 edits are called 'b' and 'B'",
        "B": "edits.json: 2 edits are called 'b' and 'B'",
        "con": "edits.json: 'con' is a name that Windows keeps for itself",
        "c": None,
    }


def test_a_key_that_is_given_twice_is_one_entry_s_fault(root):
    (root / "edits.yaml").write_text(
        "".join(f"- {json.dumps(BEAR)}\n" for _ in range(2)).replace("}", ', "type": 1}', 1)
    )
    twice, sound = read_edits(root / "edits.yaml", lenient=True)
    assert twice.fault.startswith("edits.yaml: [0].type appears more than once; edits.yaml: [0]: type: ")
    assert (sound.id, sound.fault) == ("bear-2", None)


def test_a_long_name_of_a_scene_is_cut_in_its_edit_s_id(root):
    (edit,) = read_edits(written(root, [BEAR | {"scene": "w" * 200}]), lenient=True)
    assert edit.id == "w" * 98 + "-1"


@pytest.mark.parametrize("text", ["", "{}", "[", "- a\n  b: ["])
def test_a_file_that_is_no_list(root, text):
    (root / "edits.yaml").write_text(text)
    with pytest.raises(DataError, match=r"edits.yaml (is no list of edits|is not YAML)"):
        read_edits(root / "edits.yaml")
