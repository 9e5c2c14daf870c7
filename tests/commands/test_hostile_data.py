"""The real commands on data that are broken, or out to break something: one bad case is that case's error."""

import json
import os
import shutil
from pathlib import Path

import pytest
from harness_world import PlainScorer, brighten, case_file, use_plain_world, write_bench
from hostile_pictures import broken, encoded, noise, png_header

from piva.cli import main
from piva.records import read_cases

CASES = 8


def _file(content: bytes):
    """The picture of case k is this file."""
    return lambda root, k, entry: case_file(root, k).write_bytes(content)


def _folder(root, k, entry):
    case_file(root, k).unlink()
    case_file(root, k).mkdir()


def _link_out(root, k, entry):
    case_file(root, k).unlink()
    case_file(root, k).symlink_to(root.parent / "secret.png")


def _linked_folder(root, k, entry):
    """A folder on the way leads out."""
    shutil.rmtree(case_file(root, k).parent)
    case_file(root, k).parent.symlink_to(root.parent / "elsewhere")
    (root.parent / "elsewhere").mkdir(exist_ok=True)
    shutil.copy(root.parent / "secret.png", root.parent / "elsewhere" / case_file(root, k).name)


def _fields(**changes):
    return lambda root, k, entry: entry.update(changes)


def _without(key):
    return lambda root, k, entry: entry.pop(key)


PICTURES = {name: (_file(content), sentence) for name, (content, sentence) in broken().items()}
FAULTS = PICTURES | {
    "a missing file": (lambda root, k, entry: case_file(root, k).unlink(), "the file does not exist"),
    "a folder": (_folder, "a folder, not a file"),
    "a link out": (_link_out, "leads out of the data folder"),
    "a linked folder": (_linked_folder, "leads out of the data folder"),
    "dots": (_fields(image_path="../../secret.png"), "is not a plain relative path"),
    "an absolute path": (_fields(image_path="/etc/passwd"), "'/etc/passwd' is not a plain relative path"),
    "an odd mask": (_fields(mask=[0, 4, 5]), "mask has 3 numbers"),
    "a negative mask": (_fields(mask=[0, -4]), "mask[1] is -4"),
    "a mask past the end": (_fields(mask=[0, 4, 256, 1]), "mask[2] is 256, past the image's 256 pixels"),
    "NaN": (_fields(mask=[0, float("nan")]), "mask[1] is nan"),
    "infinity": (_fields(editing_type_id=float("inf")), "editing_type_id is the number inf"),
    "an empty prompt": (_fields(editing_prompt=" [ ] "), "editing_prompt is empty"),
    "NUL": (_fields(original_prompt="a\0b"), "original_prompt holds the control character U+0000"),
    "an escape": (_fields(editing_prompt="a \x1b[2J b"), "editing_prompt holds the control character U+001B"),
    "a surrogate": (_fields(editing_prompt="a \ud800"), "editing_prompt holds half of a surrogate pair"),
    "no prompt": (_without("editing_prompt"), "editing_prompt is missing"),
    "another type": (_fields(editing_type_id="11"), "editing_type_id '11' is not one of"),
}


class World:
    """A benchmark of eight cases, and `piva run` on it."""

    def __init__(self, tmp_path: Path) -> None:
        self.root, self.out = write_bench(tmp_path / "bench", CASES), tmp_path / "runs"
        (tmp_path / "secret.png").write_bytes(encoded(noise(16), "PNG"))

    def run(self, *flags: str) -> int:
        common = ["--steps", "3", "--batch-size", "3", "--tracker", "none", "--root", str(self.root)]
        return main(["run", "pie-bench", "--method", "dds", *common, "--out", str(self.out), *flags])

    def spoil(self, faults: dict[int, str]) -> None:
        """Gives each of these cases its fault."""
        file = self.root / "mapping_file.json"
        mapping = json.loads(file.read_text())
        for k, name in faults.items():
            FAULTS[name][0](self.root, k, mapping[f"{k:012d}"])
        file.write_text(json.dumps(mapping))

    def records(self):
        (folder,) = (self.out / "pie-bench").iterdir()
        return read_cases(folder)


@pytest.fixture
def world(tmp_path, monkeypatch):
    use_plain_world(monkeypatch)
    return World(tmp_path)


NAMES = list(FAULTS)
GROUPS = [NAMES[start : start + 4] for start in range(0, len(NAMES), 4)]


@pytest.mark.parametrize("group", GROUPS, ids=lambda group: ", ".join(group))
def test_bad_cases_fail_alone_and_the_good_ones_have_the_values_they_always_had(world, group, capsys):
    assert world.run("--out", str(world.out) + "-sound") == 0
    sound = read_cases(next((world.root.parent / "runs-sound" / "pie-bench").iterdir()))
    capsys.readouterr()
    faults = {1 + 2 * place: name for place, name in enumerate(group)}  # in every batch of three
    world.spoil(faults)
    assert world.run() == 1
    said = capsys.readouterr()
    assert f"{len(group)} error, {CASES - len(group)} ok" in said.out
    assert "Traceback" not in said.err
    records = world.records()
    for k in range(CASES):
        record = records[f"{k:012d}"]
        if k not in faults:
            assert record.status == "ok"
            assert record.metrics == sound[record.case_id].metrics
            assert record.image_sha256 == sound[record.case_id].image_sha256
            continue
        assert (record.status, record.stage, record.image) == ("error", "load", None)
        assert FAULTS[faults[k]][1] in record.error
        assert record.case_id in record.error
        assert len(record.error.splitlines()) == 1


def test_a_case_is_done_once_its_fault_is_mended(world):
    world.spoil({2: "a bomb", 5: "an odd mask"})
    assert world.run() == 1
    assert {record.status for record in world.records().values()} == {"ok", "error"}
    write_bench(world.root, CASES)
    assert world.run() == 0
    assert {record.status for record in world.records().values()} == {"ok"}


def test_what_was_finished_is_not_lost_when_its_source_breaks(world, capsys):
    assert world.run() == 0
    before = world.records()
    world.spoil({2: "half a PNG", 4: "a missing file", 5: "an odd mask"})
    case_file(world.root, 2).write_bytes(png_header(20_000, 20_000))
    assert world.run() == 0
    assert world.records() == before


def test_an_edit_whose_source_broke_is_kept_though_new_metrics_cannot_score_it(world, monkeypatch):
    from benchmarks import models

    assert world.run() == 0
    before = world.records()["000000000002"]
    world.spoil({2: "a missing file"})
    monkeypatch.setattr(models, "load_scorer", lambda device, flags, pictures: PlainScorer(version=2))
    assert world.run() == 1
    broken_since = world.records()["000000000002"]
    assert (broken_since.status, broken_since.stage) == ("error", "load")
    assert (broken_since.image, broken_since.image_sha256) == (before.image, before.image_sha256)
    write_bench(world.root, CASES)
    assert world.run() == 0
    mended = world.records()["000000000002"]
    assert (mended.metrics, mended.image_sha256) == (before.metrics, before.image_sha256)
    assert mended.seconds_edit == before.seconds_edit


def test_where_every_case_has_a_fault_there_is_nothing_to_run(world, capsys):
    world.spoil(dict.fromkeys(range(CASES), "an odd mask"))
    assert world.run() == 3
    said = capsys.readouterr().err
    assert "8 problems" in said
    assert "000000000007: mask has 3 numbers" in said
    assert not world.out.exists() or not list(world.out.glob("*/*/run.json"))


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "mapping_file.json is not JSON"),
        ("{}".encode("utf-16"), "mapping_file.json is not UTF-8 text"),
        (b'{"000000000000": "caf\xe9"}', "mapping_file.json is not UTF-8 text"),
        (b'{"a":' + b"[" * 100_000, "mapping_file.json is nested too deeply"),
        (b'{"../000000000": {}}', "../000000000: the id is not 12 digits"),
        (b'{"\\u001b[2J": {}}', "'\\x1b[2J': the id is not 12 digits"),
        (b'{"con": {}}', "con: the id is not 12 digits"),
    ],
)
def test_a_mapping_file_that_is_none_ends_with_3_and_a_sentence(world, content, sentence, capsys):
    (world.root / "mapping_file.json").write_bytes(content)
    assert world.run() == 3
    said = capsys.readouterr().err
    assert sentence in said
    assert "Traceback" not in said


def test_an_id_given_twice_is_that_case_s_fault_and_a_byte_order_mark_is_none(world):
    file = world.root / "mapping_file.json"
    first = json.dumps(json.loads(file.read_text())["000000000000"])
    file.write_bytes(b"\xef\xbb\xbf" + file.read_bytes()[:-1] + b', "000000000000": ' + first.encode() + b"}")
    assert world.run() == 1
    records = world.records()
    assert len(records) == CASES
    assert "000000000000: appears more than once in mapping_file.json" in records["000000000000"].error


def test_a_mapping_file_that_is_a_link_out_of_the_folder_is_not_read(world, capsys):
    file = world.root / "mapping_file.json"
    file.rename(world.root.parent / "mapping.json")
    file.symlink_to(world.root.parent / "mapping.json")
    assert world.run() == 3
    assert "mapping_file.json leads out of the data folder" in capsys.readouterr().err


def test_nothing_is_written_to_the_data_and_a_read_only_folder_is_as_good(world):
    folders = [world.root, *(path for path in world.root.rglob("*") if path.is_dir())]
    before = {path: (path.stat().st_mtime_ns, path.stat().st_size) for path in world.root.rglob("*")}
    for folder in folders:
        folder.chmod(0o555)
    try:
        assert world.run() == 0
    finally:
        for folder in folders:
            folder.chmod(0o755)
    assert {path: (path.stat().st_mtime_ns, path.stat().st_size) for path in world.root.rglob("*")} == before


def test_data_that_vanish_under_way_are_errors_of_the_cases_that_still_need_them(tmp_path, monkeypatch):
    world = World(tmp_path)

    def edit(inputs, on_step):
        shutil.rmtree(world.root, ignore_errors=True)
        return brighten(inputs, on_step)

    use_plain_world(monkeypatch, edit=edit)
    assert world.run() == 1
    records = list(world.records().values())
    assert [record.status for record in records] == ["ok"] * 3 + ["error"] * 5
    assert {record.stage for record in records[3:]} == {"load"}
    assert all("the file does not exist" in record.error for record in records[3:])


def test_a_type_that_no_entry_states_is_shown_in_tables(world, capsys):
    world.spoil({1: "another type", 2: "an escape"})
    world.run()
    (folder,) = (world.out / "pie-bench").iterdir()
    assert main(["show", str(folder)]) == 0
    assert main(["report", "--runs", str(world.out)]) == 0
    assert "\x1b[2J" not in capsys.readouterr().out


@pytest.fixture
def edit(tmp_path, monkeypatch):
    """Runs `piva edit` on a file."""
    scorer = use_plain_world(monkeypatch)
    scorer.score = lambda case: scorer.score_batch([case])[0]

    def edit(picture: Path, source="a card", target="a bright card") -> int:
        prompts = ["--source", source, "--target", target]
        return main(["edit", str(picture), *prompts, "--out", str(tmp_path / "out"), "--steps", "3"])

    return edit


@pytest.mark.parametrize("name", broken())
def test_a_broken_picture_to_edit_ends_with_3_and_one_sentence(edit, tmp_path, name, capsys):
    content, sentence = broken()[name]
    (tmp_path / "photo.png").write_bytes(content)
    assert edit(tmp_path / "photo.png") == 3
    said = capsys.readouterr().err
    assert len(said.splitlines()) == 1
    assert sentence in said
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("name", "sentence"),
    [("nowhere.png", "there is no such file"), ("folder", "a folder, not a file"), ("x" * 300, "File name too long")],
)
def test_no_picture_to_edit_ends_with_3_and_one_sentence(edit, tmp_path, name, sentence, capsys):
    (tmp_path / "folder").mkdir()
    assert edit(tmp_path / name) == 3
    said = capsys.readouterr().err
    assert len(said.splitlines()) == 1
    assert sentence in said


@pytest.mark.parametrize(
    ("prompt", "sentence"), [("", "is empty"), (" ", "is empty"), ("a \x1b[2J", "holds the control character U+001B")]
)
def test_a_prompt_that_is_none_ends_with_2(edit, tmp_path, prompt, sentence, capsys):
    (tmp_path / "photo.png").write_bytes(encoded(noise(), "PNG"))
    assert edit(tmp_path / "photo.png", target=prompt) == 2
    said = capsys.readouterr().err
    assert sentence in said
    assert "--target" in said
    assert "\x1b" not in said
    assert not os.path.exists(tmp_path / "out")
