"""The reader of mapping files: whatever they hold, cases or sentences come out; what is sound comes back as it was."""

import json
import string

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from json_values import ANY_JSON, STEADY, can_be_shown, spoiled, text_of
from PIL import Image

from piva.data.masks import decode_mask
from piva.data.pie_bench import EDIT_TYPES, DataError, load_mask, read
from piva.data.prompts import prompt_problem
from piva.errors import ConfigError

IDS = ("000000000000", "111000000001")
SOUND = {
    id_: {
        "image_path": "a/b.png", "original_prompt": "a [red] cube", "editing_prompt": "a [blue] cube",
        "editing_instruction": "", "editing_type_id": "0", "blended_word": "cube cube", "mask": [3, 2, 9, 30],
    }
    for id_ in IDS
}  # fmt: skip
LABELS = {IDS[0]: {"source": {"color": "red"}, "target": {"color": "blue"}}}


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    folder = tmp_path_factory.mktemp("mapping")
    (folder / "annotation_images/a").mkdir(parents=True)
    Image.fromarray(np.zeros((6, 8, 3), np.uint8)).save(folder / "annotation_images/a/b.png")
    return folder


def cases_or_sentences(root, content: bytes, labels: bytes | None = None) -> None:
    """Reads both ways; whatever goes wrong is an error of the right kind, in sentences that can be shown."""
    (root / "mapping_file.json").write_bytes(content)
    (root / "toybox.json").unlink(missing_ok=True)
    if labels is not None:
        (root / "toybox.json").write_bytes(labels)
    found = {}
    for lenient in (False, True):
        try:
            found[lenient] = read(root, lenient=lenient)
        except (DataError, ConfigError) as problem:
            can_be_shown(problem)
    if False in found:
        assert found[True] == found[False]
    for case in found.get(True, ()):
        assert case.image_path.is_relative_to(root)
        assert (case.fault is None) == (case.image_size == (6, 8))
        if case.fault is None:
            assert load_mask(case, (6, 8)).shape == (6, 8)
        json.dumps([case.src, case.tgt, case.fault]).encode()


@STEADY
@given(ANY_JSON)
@example({})
@example({IDS[0]: {}})
def test_any_json(root, content):
    cases_or_sentences(root, text_of(content))


@STEADY
@given(spoiled(SOUND))
@example(SOUND | {IDS[0]: SOUND[IDS[0]] | {"image_path": ""}})
@example(SOUND | {IDS[0]: SOUND[IDS[0]] | {"mask": [10**4000, 10**4000]}})
def test_sound_json_with_something_replaced_or_dropped(root, content):
    cases_or_sentences(root, text_of(content), text_of(LABELS))


@STEADY
@given(spoiled(LABELS))
def test_labels_with_something_replaced_or_dropped(root, labels):
    cases_or_sentences(root, text_of(SOUND), text_of(labels))


@STEADY
@given(st.binary(max_size=60), st.integers(0, 400), st.integers(0, 400))
def test_any_bytes_anywhere(root, content, start, end):
    sound = text_of(SOUND)
    cases_or_sentences(root, sound[: min(start, end)] + content + sound[max(start, end) :], content)


PROMPTS = st.text(st.characters(codec="utf-8", exclude_categories=("Cc",)), min_size=1, max_size=200).filter(
    lambda text: prompt_problem(text) is None
)
ENTRIES = st.fixed_dictionaries(
    {
        "image_path": st.sampled_from(["a/b.png", "./a/b.png", "a//b.png"]),
        "original_prompt": PROMPTS,
        "editing_prompt": PROMPTS,
        "editing_instruction": PROMPTS | st.just(""),
        "editing_type_id": st.sampled_from(sorted(EDIT_TYPES)),
        "blended_word": st.just("") | PROMPTS,
        "mask": st.lists(st.tuples(st.integers(0, 47), st.integers(0, 10**6)), max_size=6).map(
            lambda runs: [number for run in runs for number in run]
        ),
    }
)


@STEADY
@given(st.dictionaries(st.text(string.digits, min_size=12, max_size=12), ENTRIES, min_size=1, max_size=4))
def test_what_is_sound_comes_back_as_it_was(root, mapping):
    (root / "toybox.json").unlink(missing_ok=True)
    (root / "mapping_file.json").write_bytes(text_of(mapping))
    cases = read(root)
    assert [case.id for case in cases] == list(mapping)
    for case, fields in zip(cases, mapping.values(), strict=True):
        assert (case.raw_src, case.raw_tgt) == (fields["original_prompt"], fields["editing_prompt"])
        assert case.src == fields["original_prompt"].replace("[", "").replace("]", "")
        assert (case.instruction, case.type_id) == (fields["editing_instruction"], fields["editing_type_id"])
        assert case.blended_words == tuple(fields["blended_word"].split())
        assert list(case.mask_rle) == fields["mask"]
        assert load_mask(case, (6, 8)).tolist() == decode_mask(fields["mask"], (6, 8)).tolist()
        assert case.fault is None
