"""The reader of lists of edits: whatever YAML or JSON it is given, edits or sentences come out."""

import re

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st
from json_values import ANY_JSON, STEADY, can_be_shown, spoiled, text_of

from piva.data.edits import read_edits
from piva.data.problems import DataError

EDITS = [
    {"scene": "bear", "source": "a bear", "target": "a polar bear", "type": "translation", "id": "polar"},
    {
        "scene": "bear", "source": "a bear", "target": "a bear with a hat", "type": "addition", "instruction": "a hat",
        "background": [1, 0.5, 0], "truth": "bear",
    },
]  # fmt: skip
ODD = ["!!timestamp x", "!!int x", "!!int ''", "!!float x", "!!bool x", "!!binary x", "!!python/object:os.system x"]
ODD += [
    "2020-13-45",
    "&a [*a]",
    "{<<: 1}",
    "*nowhere",
    "&b {x: *b}",
    "? [1]\n: 2",
    "!!set {a, b}",
    "=",
    "1:99",
    "\t- a",
]
TAGS = st.sampled_from(ODD)


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    folder = tmp_path_factory.mktemp("edits")
    (folder / "bear").mkdir()
    (folder / "bear/transforms.json").write_text("{}")
    return folder.resolve()


def edits_or_sentences(file) -> None:
    for lenient in (False, True):
        try:
            edits = read_edits(file, lenient)
        except DataError as problem:
            can_be_shown(problem)
            continue
        sound = [edit.id.lower() for edit in edits if edit.fault is None]
        assert len(set(sound)) == len(sound)
        assert lenient or len(sound) == len(edits)
        ids_and_folders(edits, file)


def ids_and_folders(edits, file) -> None:
    assert len({edit.id for edit in edits}) == len(edits)
    for edit in edits:
        assert re.fullmatch(r"[A-Za-z0-9._-]{1,100}", edit.id)
        assert ".." not in edit.id
        assert edit.folder.is_relative_to(file.parent)
        if edit.fault is not None:
            can_be_shown(DataError(file.parent, [edit.fault]))


@STEADY
@given(ANY_JSON | spoiled(EDITS), st.booleans())
@example(EDITS, False)
@example([EDITS[0], EDITS[0] | {"id": "POLAR"}], True)
def test_any_json_and_sound_json_with_something_replaced(root, content, is_yaml):
    file = root / ("edits.yaml" if is_yaml else "edits.json")
    file.write_bytes(text_of(content))
    edits_or_sentences(file)


@STEADY
@given(st.text(max_size=60) | TAGS, st.integers(0, 250), st.integers(0, 250))
def test_any_text_anywhere_in_yaml(root, text, start, end):
    sound = yaml.safe_dump(EDITS)
    text = sound[: min(start, end)] + text + sound[max(start, end) :]
    (root / "edits.yaml").write_bytes(text.encode("utf-8", "surrogatepass"))
    edits_or_sentences(root / "edits.yaml")


@STEADY
@given(TAGS, st.sampled_from(["scene", "source", "type", "background", "id", "more"]))
def test_yaml_that_is_no_plain_data(root, tag, key):
    (root / "edits.yaml").write_text(f"- scene: bear\n  source: a\n  target: b\n  type: addition\n  {key}: {tag}\n")
    edits_or_sentences(root / "edits.yaml")


@STEADY
@given(st.binary(max_size=60))
def test_any_bytes(root, content):
    for name in ("edits.json", "edits.yaml"):
        (root / name).write_bytes(content)
        edits_or_sentences(root / name)
