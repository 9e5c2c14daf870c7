"""`piva run` on scenes of which some are broken or not there: that is the result of their edits, and of no other's."""

import json
import shutil

import pytest
from hostile_pictures import png_header
from scene_world import QUICK, write_scenes

from piva.cli import main
from piva.records import read_cases


@pytest.fixture
def run(tmp_path, tiny_pipeline_folder, monkeypatch):
    """Runs the edits of three scenes; `run.root` is their folder."""
    monkeypatch.setenv("PIVA_CACHE", str(tmp_path / "cache"))
    root = write_scenes(tmp_path / "data", scenes=3)

    def run(*flags):
        common = ["--root", str(root), "--prior.model", str(tiny_pipeline_folder), *QUICK, "--metrics", "mse"]
        return main(["run", "noe", "--method", "dds", "--out", str(tmp_path / "runs"), *common, *flags])

    run.root = root
    run.records = lambda: read_cases(next((tmp_path / "runs/noe").iterdir()))
    return run


def test_edits_of_broken_scenes_fail_and_nothing_finished_is_lost(run, capsys):
    shutil.move(run.root / "scene-1", run.root.parent / "scene-1")
    picture = run.root / "scene-2/train/0.png"
    sound = picture.read_bytes()
    picture.write_bytes(png_header(20_000, 20_000))
    assert run("--dry-run") == 0
    assert run() == 1
    said = capsys.readouterr()
    assert "2 error, 1 ok" in said.out
    assert "Traceback" not in said.err
    first = run.records()
    assert [record.stage for record in first.values()] == [None, "load", "load"]
    assert "there is neither transforms.json (nerfstudio)" in first["scene-1-0"].error
    assert "train/0.png: the picture is too large" in first["scene-2-0"].error

    shutil.move(run.root.parent / "scene-1", run.root / "scene-1")
    picture.write_bytes(sound)
    shutil.rmtree(run.root / "scene-0")
    assert run() == 0
    second = run.records()
    assert {record.status for record in second.values()} == {"ok"}
    assert second["scene-0-0"] == first["scene-0-0"]


MALFORMED = [
    ({"id": "out", "scene": "../elsewhere"}, "out", "[3].scene: '../elsewhere' is no path inside the folder"),
    ({"id": "empty", "target": " "}, "empty", "[4]: target: is empty"),
    ({"id": "odd", "source": "a\u0000"}, "odd", "[5]: source: holds the control character U+0000"),
    ({"id": "SCENE-0-0"}, "SCENE-0-0", "2 edits are called 'scene-0-0' and 'SCENE-0-0'"),
    ({"id": "nul"}, "nul", "'nul' is a name that Windows keeps for itself"),
    ({"id": "x" * 101}, "scene-1-9", "[8]: id: String should have at most 100 characters"),
    ({"id": "a/../b"}, "scene-1-10", "[9]: id: "),
]
"""What is changed in a sound entry, the id that its edit then has, and what is said of it."""


def test_a_malformed_entry_of_the_list_is_the_error_of_its_edit(run, capsys):
    file = run.root / "edits.json"
    entries = json.loads(file.read_text())
    bad = [entries[1] | changes for changes, _, _ in MALFORMED]
    file.write_text(json.dumps(entries + bad))
    assert run() == 1
    said = capsys.readouterr()
    assert "8 error, 2 ok" in said.out
    assert "Traceback" not in said.err
    records = run.records()
    assert [id_ for id_, record in records.items() if record.status == "ok"] == ["scene-1-0", "scene-2-0"]
    expected = {id_: sentence for _, id_, sentence in MALFORMED} | {"scene-0-0": MALFORMED[3][2]}
    for id_, sentence in expected.items():
        assert (records[id_].stage, records[id_].field) == ("load", None)
        assert sentence in records[id_].error
        assert len(records[id_].error.splitlines()) == 1


def test_a_list_of_malformed_entries_alone_ends_with_3_and_names_them(run, capsys):
    file = run.root / "edits.json"
    entry = json.loads(file.read_text())[1]
    file.write_text(json.dumps([entry | changes for changes, _, _ in MALFORMED[:3]]))
    assert run() == 3
    said = capsys.readouterr().err
    assert "3 problems" in said
    assert "[1]: target: is empty" in said


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("edits.json", b'[{"scene": "a", "scene": "b"}]', "edits.json: [0].scene appears more than once"),
        ("edits.yaml", b"- scene: a\n  type: addition\n  scene: b\n", "edits.yaml: [0].scene appears more than once"),
        ("edits.json", b"\xff[]", "edits.json is not UTF-8 text"),
        ("edits.yaml", "[]".encode("utf-16"), "edits.yaml is not UTF-8 text"),
        ("edits.json", b"[" * 100_000, "edits.json is nested too deeply"),
        ("edits.yaml", b"[" * 3_000, "edits.yaml is nested too deeply"),
        ("edits.yaml", b"- !!python/object/apply:os.getcwd []\n", "edits.yaml is not YAML"),
        ("edits.yaml", b"- scene: !!timestamp x\n", "edits.yaml is not YAML"),
    ],
)
def test_a_list_that_is_none_ends_with_3_and_a_sentence(run, name, content, sentence, capsys):
    (run.root / "edits.json").unlink()
    (run.root / name).write_bytes(content)
    assert run() == 3
    said = capsys.readouterr().err
    assert sentence in said
    assert len(said.splitlines()) == 1
