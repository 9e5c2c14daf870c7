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


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"scene": "../elsewhere"}, "[1].scene: '../elsewhere' is no path inside the folder"),
        ({"target": " "}, "[1]: target: is empty"),
        ({"source": "a\u0000"}, "[1]: source: holds the control character U+0000"),
        ({"id": "SCENE-0-0"}, "2 edits are called 'scene-0-0' and 'SCENE-0-0'"),
        ({"id": "nul"}, "'nul' is a name that Windows keeps for itself"),
        ({"id": "x" * 101}, "an id has 101 characters, at most 100 are taken"),
        ({"id": "a/../b"}, "[1]: id: "),
    ],
)
def test_a_malformed_entry_of_the_list_ends_with_3_and_is_named(run, changes, sentence, capsys):
    file = run.root / "edits.json"
    entries = json.loads(file.read_text())
    entries[1] |= changes
    file.write_text(json.dumps(entries))
    assert run() == 3
    said = capsys.readouterr().err
    assert sentence in said
    assert len(said.splitlines()) == 1


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
