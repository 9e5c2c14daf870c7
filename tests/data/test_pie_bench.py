"""The strict reader of PIE-Bench's format: what it reads, and that it names everything that is wrong."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from piva.data import json_files, pie_bench
from piva.data.pie_bench import DataError, SelectionError, load_image, load_mask, load_true_edit, read
from piva.errors import ConfigError, PreflightError

IDS = ("000000000000", "821000000001", "912000000002")


def entry(id_: str, **changes):
    fields = {
        "image_path": f"{id_[0]}_some/{id_}.png",
        "original_prompt": "a [red] cube on grass",
        "editing_prompt": "a [blue] cube on grass",
        "editing_instruction": "Make the cube blue",
        "editing_type_id": id_[0],
        "blended_word": "cube cube",
        "mask": [18, 2, 26, 2],
    }
    return fields | changes


def picture(path: Path, size=(8, 8), value=0) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((*size, 3), value, np.uint8)).save(path)


@pytest.fixture
def root(tmp_path):
    write(tmp_path, {id_: entry(id_) for id_ in IDS})
    for value, id_ in enumerate(IDS):
        picture(tmp_path / "annotation_images" / f"{id_[0]}_some/{id_}.png", value=51 * value)
    return tmp_path


def write(root: Path, mapping) -> None:
    (root / "mapping_file.json").write_text(json.dumps(mapping))


def problems(root: Path, **selection) -> tuple[str, ...]:
    with pytest.raises(DataError) as caught:
        read(root, **selection)
    return caught.value.problems


def test_a_sound_folder(root):
    cases = read(root)
    assert [case.id for case in cases] == list(IDS)
    case = cases[1]
    assert (case.src, case.tgt) == ("a red cube on grass", "a blue cube on grass")
    assert (case.raw_src, case.raw_tgt) == ("a [red] cube on grass", "a [blue] cube on grass")
    assert (case.type_id, case.instruction, case.blended_words) == ("8", "Make the cube blue", ("cube", "cube"))
    assert (case.image_size, case.mask_rle) == ((8, 8), (18, 2, 26, 2))
    assert (case.true_edit_path, case.labels, load_true_edit(case, (8, 8))) == (None, None, None)
    torch.testing.assert_close(load_image(case, (8, 8)), torch.full((3, 8, 8), 0.2))
    mask = load_mask(case, (8, 8))
    assert mask.dtype == torch.bool
    assert mask[2, 2:4].tolist() == [True, True]
    assert mask[1:-1, 1:-1].sum() == 4
    assert load_mask(case, (4, 4)).nonzero().tolist() == [[0, 0], [0, 3], [1, 1], [3, 0], [3, 3]]  # corners: 3 of 4


def test_blended_words_may_be_none_or_three(root):
    write(root, {IDS[0]: entry(IDS[0], blended_word=""), IDS[1]: entry(IDS[1], blended_word="And chair rock")})
    assert [case.blended_words for case in read(root)] == [(), ("And", "chair", "rock")]


def test_selection_by_type_number_type_name_and_id(root):
    assert [case.id for case in read(root, types=["8", "change-style"])] == list(IDS[1:])
    assert [case.id for case in read(root, ids=[IDS[2], IDS[0]])] == [IDS[0], IDS[2]]
    assert [case.id for case in read(root, types=["0"], ids=IDS)] == [IDS[0]]


@pytest.mark.parametrize(
    ("selection", "sentence"),
    [
        ({"ids": ["821000000002"]}, "near: 821000000001"),
        ({"types": ["change-backgroud"]}, "did you mean 'change-background'"),
        ({"types": ["zzz"]}, "choose from add-object, change-background"),
        ({"types": ["5"]}, "no case is left"),
        ({"types": ["0"], "ids": [IDS[1]]}, "no case is left"),
    ],
)
def test_a_selection_that_does_not_exist(root, selection, sentence):
    with pytest.raises(SelectionError, match=sentence) as caught:
        read(root, **selection)
    assert isinstance(caught.value, ConfigError)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"editing_type_id": 8}, "editing_type_id is the number 8, not text"),
        ({"editing_type_id": "10"}, "editing_type_id '10' is not one of 0, 1, 2"),
        ({"editing_type_id": ""}, "editing_type_id '' is not one of"),
        ({"mask": [0, 4, 5]}, "mask has 3 numbers; [start, length, ...] needs an even count"),
        ({"mask": [0, -4]}, "mask[1] is -4, not a non-negative integer"),
        ({"mask": [0, 4.0]}, "mask[1] is 4.0, not a non-negative integer"),
        ({"mask": [True, 4]}, "mask[0] is True, not a non-negative integer"),
        ({"mask": ["0", 4]}, "mask[0] is text, not a non-negative integer"),
        ({"mask": "0 4"}, "mask is text, not a list"),
        ({"mask": None}, "mask is null, not a list"),
        ({"original_prompt": 3}, "original_prompt is the number 3, not text"),
        ({"editing_prompt": ["a"]}, "editing_prompt is a list, not text"),
        ({"editing_prompt": "[ ]"}, "editing_prompt is empty"),
        ({"editing_prompt": "a \ud800 cube"}, "editing_prompt holds half of a surrogate pair"),
        ({"blended_word": None}, "blended_word is null, not text"),
        ({"editing_instruction": {}}, "editing_instruction is an object, not text"),
        ({"image_path": "8_some/none.png"}, "annotation_images/8_some/none.png: the file does not exist"),
        ({"image_path": "../mapping_file.json"}, "'../mapping_file.json' is not a plain relative path"),
        ({"image_path": "a/../../x.png"}, "is not a plain relative path"),
        ({"image_path": "/etc/passwd"}, "'/etc/passwd' is not a plain relative path"),
        ({"image_path": "C:\\x.png"}, "is not a plain relative path"),
        ({"image_path": "a\0b"}, "is not a plain relative path"),
        ({"image_path": ""}, "'' is not a plain relative path"),
        ({"image_path": "."}, "'.' is not a plain relative path"),
        ({"image_path": "x" * 5000}, "File name too long"),
        ({"image_path": 5}, "image_path is the number 5, not text"),
    ],
)
def test_each_malformed_field_is_named_with_its_case(root, changes, sentence):
    write(root, {id_: entry(id_, **(changes if id_ == IDS[1] else {})) for id_ in IDS})
    (found,) = problems(root)
    assert found.startswith(f"{IDS[1]}: ")
    assert sentence in found


@pytest.mark.parametrize("key", list(entry(IDS[0])))
def test_each_missing_key_is_named(root, key):
    fields = entry(IDS[0])
    del fields[key]
    write(root, {IDS[0]: fields})
    assert problems(root) == (f"{IDS[0]}: {key} is missing",)


def test_everything_wrong_is_in_one_error(root):
    bad = entry(IDS[0], mask=[1], editing_type_id=0)
    del bad["blended_word"]
    picture_path = root / "annotation_images" / f"8_some/{IDS[1]}.png"
    picture_path.write_bytes(b"no image")
    write(root, {IDS[0]: bad, IDS[1]: entry(IDS[1]), "12": entry(IDS[2]), "33333333333x": 7, IDS[2]: entry(IDS[2])})
    assert problems(root) == (
        "12: the id is not 12 digits",
        "33333333333x: the id is not 12 digits",
        f"{IDS[0]}: blended_word is missing",
        f"{IDS[0]}: editing_type_id is the number 0, not text",
        f"{IDS[0]}: mask has 1 numbers; [start, length, ...] needs an even count",
        f"{IDS[1]}: annotation_images/8_some/{IDS[1]}.png: not a JPEG, PNG or WebP image",
    )
    with pytest.raises(PreflightError, match="6 problems"):
        read(root)


def test_ids_and_keys_given_twice(root):
    text = json.dumps(entry(IDS[0]))
    twice = text[:-1] + ', "mask": []}'
    (root / "mapping_file.json").write_text(f'{{"{IDS[0]}": {text}, "{IDS[0]}": {twice}}}')
    assert problems(root) == (
        f"{IDS[0]}: appears more than once in mapping_file.json",
        f"{IDS[0]}: key 'mask' appears more than once",
    )


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"{", "is not JSON"),
        (b"", "is not JSON"),
        (b"[]", "holds a list where an object of cases by id belongs"),
        (b"null", "holds null where"),
        (b"{}", "has no entries"),
        ('{"a": "é"}'.encode("latin-1"), "is not UTF-8 text"),
        ('{"a": 1}'.encode("utf-16"), "is not UTF-8 text"),
        (b'{"a": ' + b"[" * 100_000, "is nested too deeply"),
        (b'{"a": ' + b"9" * 5000 + b"}", "is not JSON"),
    ],
)
def test_a_file_that_is_no_mapping(root, content, sentence):
    (root / "mapping_file.json").write_bytes(content)
    (found,) = problems(root)
    assert found.startswith("mapping_file.json")
    assert sentence in found


def test_a_missing_and_a_huge_mapping(root, monkeypatch):
    monkeypatch.setattr(json_files, "MAX_BYTES", 2**20)
    (root / "mapping_file.json").write_bytes(b" " * (2**20 + 1))
    assert problems(root) == ("mapping_file.json is larger than 1 MiB",)
    (root / "mapping_file.json").unlink()
    assert problems(root) == ("mapping_file.json can't be read: No such file or directory",)
    assert "can't be read" in problems(root / "nowhere")[0]


def test_a_byte_order_mark_is_read_over(root):
    path = root / "mapping_file.json"
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert len(read(root)) == 3


def test_links_out_of_the_folder_are_refused_and_links_inside_are_not(root, tmp_path_factory):
    outside = tmp_path_factory.mktemp("outside") / "secret.png"
    picture(outside)
    link = root / "annotation_images" / "8_some" / "link.png"
    link.symlink_to(outside)
    write(root, {IDS[1]: entry(IDS[1], image_path="8_some/link.png")})
    assert problems(root) == (f"{IDS[1]}: annotation_images/8_some/link.png leads out of the data folder",)
    link.unlink()
    link.symlink_to(f"{IDS[1]}.png")
    assert read(root)[0].image_size == (8, 8)
    link.unlink()
    link.symlink_to("link.png")
    (found,) = problems(root)
    assert found.startswith(f"{IDS[1]}: annotation_images/8_some/link.png")


def test_a_root_that_is_itself_a_link_is_fine(root, tmp_path_factory):
    link = tmp_path_factory.mktemp("elsewhere") / "data"
    link.symlink_to(root, target_is_directory=True)
    assert len(read(link)) == 3


def test_only_the_selected_cases_need_their_files_but_every_entry_its_fields(root):
    (root / "annotation_images" / f"8_some/{IDS[1]}.png").unlink()
    assert [case.id for case in read(root, ids=[IDS[0]])] == [IDS[0]]
    assert len(problems(root)) == 1
    write(root, {IDS[0]: entry(IDS[0]), IDS[1]: entry(IDS[1], mask=[1])})
    assert f"{IDS[1]}: mask has 1 numbers" in problems(root, ids=[IDS[0]])[0]


def test_a_truncated_image_passes_the_reader_and_fails_alone_when_it_is_loaded(root):
    path = root / "annotation_images" / f"8_some/{IDS[1]}.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)).save(path)
    path.write_bytes(path.read_bytes()[:2000])
    cases = read(root)
    load_image(cases[0], (8, 8))
    with pytest.raises(DataError, match=f"{IDS[1]}: the pixels can't be decoded"):
        load_image(cases[1], (8, 8))


def test_true_edits_and_labels(root):
    source, target = {"color": "red", "hat": "none"}, {"color": "blue", "hat": "none"}
    (root / "toybox.json").write_text(json.dumps({IDS[1]: {"source": source, "target": target}}))
    picture(root / "true_edits" / f"8_some/{IDS[1]}.png", value=255)
    first, second, _ = read(root)
    assert (first.labels, first.true_edit_path) == (None, None)
    assert second.labels == (source, target)
    assert torch.equal(load_true_edit(second, (4, 4)), torch.ones(3, 4, 4))


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        ({"source": {"a": "x"}}, "expected an object with 'source' and 'target'"),
        ({"source": {"a": "x"}, "target": {"a": 1}}, "must map attribute names to value names"),
        ({"source": {"a": "x"}, "target": {"b": "x"}}, "only one side has a, b"),
        ("red", "expected an object"),
    ],
)
def test_malformed_labels_are_named(root, value, sentence):
    (root / "toybox.json").write_text(json.dumps({IDS[0]: value}))
    (found,) = problems(root)
    assert found.startswith(f"{IDS[0]}: ")
    assert sentence in found


def test_labels_of_no_case_and_a_true_edit_of_another_size(root):
    (root / "toybox.json").write_text(json.dumps({"1" * 12: {"source": {}, "target": {}}}))
    picture(root / "true_edits" / f"8_some/{IDS[1]}.png", size=(4, 8))
    assert problems(root) == (
        f"{'1' * 12}: is in toybox.json only",
        f"{IDS[1]}: the true edit is 4x8, the image 8x8 (height x width)",
    )


@pytest.fixture(scope="module")
def sample(real_data):
    return real_data / "pie-bench-sample"


def test_the_real_sample(sample):
    cases = read(sample)
    assert len(cases) == 16
    assert {case.image_size for case in cases} == {(512, 512)}
    assert sorted({case.type_id for case in cases}) == ["0", "9"]
    whole = [case for case in cases if load_mask(case, (512, 512)).all()]
    assert len(whole) == 14
    assert all(case.mask_rle == (0, 262144) for case in whole)
    bicycle = cases[0]
    assert bicycle.tgt == "a slanted rusty mountain bicycle on the road in front of a building"
    assert bicycle.blended_words == ("bicycle", "bicycle")
    assert load_image(bicycle, (64, 64)).shape == (3, 64, 64)
    big, small = load_mask(bicycle, (512, 512)), load_mask(bicycle, (64, 64))
    assert (small.float().mean() - big.float().mean()).abs() < 0.02


def test_the_real_prompts_without_masks_are_malformed_in_just_that(sample, tmp_path):
    text = (sample / "prompts_700_no_masks.json").read_text()
    (tmp_path / "mapping_file.json").write_text(text)
    found = problems(tmp_path)
    assert len(found) == 700
    assert all(sentence.endswith(": mask is missing") for sentence in found)


def test_the_real_prompts_have_the_published_counts(sample, tmp_path):
    mapping = json.loads((sample / "prompts_700_no_masks.json").read_text())
    write(tmp_path, {id_: fields | {"mask": [0, 262144]} for id_, fields in mapping.items()})
    for fields in mapping.values():
        path = tmp_path / "annotation_images" / fields["image_path"]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.symlink_to(tmp_path / "one.png")
    picture(tmp_path / "one.png")
    counts = [len(read(tmp_path, types=[type_id])) for type_id in pie_bench.EDIT_TYPES]
    assert counts == [140, 80, 80, 80, 40, 40, 40, 40, 80, 80]
    assert sum(len(case.blended_words) == 3 for case in read(tmp_path)) == 1
