"""What is on the disk survives a kill at any byte."""

import json
import os
import subprocess
import sys

import pytest
from harness_world import case_record, run_record
from PIL import Image

from piva.cli import main
from piva.disk import write_atomically
from piva.errors import ConfigError, PreflightError
from piva.records import CASES_FILE, RunFolder, find_run, is_busy, read_cases, read_run


def test_records_come_back_as_they_were(tmp_path):
    case = case_record("a", metrics={"lpips": 0.25, "psnr": None}, reasons={"psnr": "no background"}, unet_rows=800)
    with RunFolder(tmp_path) as folder:
        folder.write_run(run_record())
        folder.append(case)
    assert read_run(tmp_path).model_dump(exclude={"launches"}) == run_record().model_dump(exclude={"launches"})
    assert read_cases(tmp_path) == {"a": case}


def test_later_lines_win(tmp_path):
    with RunFolder(tmp_path) as folder:
        folder.append(case_record("a", status="error", stage="edit", error="RuntimeError: no"))
        folder.append(case_record("b"))
        folder.append(case_record("a", metrics={"lpips": 1.0}))
    cases = read_cases(tmp_path)
    assert cases["a"].status == "ok"
    assert cases["a"].error is None
    assert len((tmp_path / CASES_FILE).read_text().splitlines()) == 3


@pytest.mark.parametrize("torn", range(1, 60, 7))
def test_a_torn_last_line_does_not_count_and_is_cut_off(tmp_path, torn):
    with RunFolder(tmp_path) as folder:
        folder.append(case_record("a"))
        folder.append(case_record("b"))
    file = tmp_path / CASES_FILE
    os.truncate(file, file.stat().st_size - torn)
    assert set(read_cases(tmp_path)) == {"a"}
    with RunFolder(tmp_path) as folder:
        folder.append(case_record("c"))
    assert set(read_cases(tmp_path)) == {"a", "c"}


def test_a_damaged_whole_line_is_named(tmp_path):
    (tmp_path / CASES_FILE).write_text('{"case_id": "a"\n')
    with pytest.raises(ConfigError, match="line 1 is damaged"):
        read_cases(tmp_path)


@pytest.mark.parametrize(
    "facts",
    [
        {"case_id": "../../escaped"},
        {"case_id": ".."},
        {"case_id": "a/b"},
        {"case_id": "a\n"},
        {"case_id": ""},
        {"image": "/etc/passwd"},
        {"image": "images/../../secret.png"},
        {"image": "images/b.png"},
        {"field": "scenes/b/edited.safetensors"},
        {"field": "scenes/a/../b/edited.safetensors"},
        {"field": "scenes/a/edited.safetensors"},  # with an image that is not the scene's sheet
        {"turntable": "images/a.mp4"},
    ],
)
def test_a_record_that_points_out_of_its_folder_is_refused(tmp_path, facts, capsys):
    folder = tmp_path / "pie-toybox" / "dds-aaaa"
    with RunFolder(folder) as opened:
        opened.write_run(run_record())
    hostile = case_record("a", image="images/a.png").model_dump() | facts
    (folder / CASES_FILE).write_text(json.dumps(hostile) + "\n")
    assert main(["report", "--runs", str(tmp_path)]) == 2
    assert "line 1 is damaged" in capsys.readouterr().err
    assert not (tmp_path / "report").exists()


def test_values_that_are_not_finite_are_refused():
    with pytest.raises(ValueError, match="finite"):
        case_record("a", metrics={"lpips": float("nan")})


def test_atomic_write_keeps_the_old_file_when_it_fails(tmp_path, monkeypatch):
    path = tmp_path / "run.json"
    write_atomically(path, b"old")
    monkeypatch.setattr(os, "fsync", lambda handle: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(OSError, match="No space"):
        write_atomically(path, b"new")
    assert path.read_bytes() == b"old"
    assert [file.name for file in tmp_path.iterdir()] == ["run.json"]


def test_the_files_of_a_scene_are_its_own(tmp_path):
    files = {
        "field": "edited.safetensors",
        "turntable": "turntable.mp4",
        "by_view": "by_view.json",
        "image": "views.png",
    }
    case = case_record("a", course={"step": [1.0]}, **{name: f"scenes/a/{file}" for name, file in files.items()})
    with RunFolder(tmp_path) as folder:
        folder.append(case)
    assert read_cases(tmp_path) == {"a": case}


def test_an_image_is_hashed_and_whole(tmp_path):
    with RunFolder(tmp_path) as folder:
        relative, sha = folder.write_image("a", Image.new("RGB", (4, 4), "red"))
    assert relative == "images/a.png"
    assert len(sha) == 64
    assert Image.open(tmp_path / relative).getpixel((0, 0)) == (255, 0, 0)


def test_a_full_disk_is_one_sentence(tmp_path, monkeypatch):
    with RunFolder(tmp_path) as folder:
        folder.append(case_record("a"))
        monkeypatch.setattr(os, "fsync", lambda handle: (_ for _ in ()).throw(OSError(28, "No space left on device")))
        with pytest.raises(PreflightError, match="No space left on device; what was recorded before is kept"):
            folder.append(case_record("b"))


def test_a_folder_that_cannot_be_made_is_one_sentence(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(PreflightError, match="cannot write to"):
        RunFolder(tmp_path / "file" / "run")


def test_a_second_writer_is_turned_away(tmp_path):
    code = (
        "import sys; from pathlib import Path\n"
        "from piva.records import RunFolder; from piva.errors import PreflightError\n"
        "try: RunFolder(Path(sys.argv[1]))\n"
        "except PreflightError as problem: print(problem)"
    )
    with RunFolder(tmp_path):
        second = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True)
        assert is_busy(tmp_path)
    assert f"pid {os.getpid()} of " in second.stdout
    assert f"is writing to {tmp_path}" in second.stdout
    assert not is_busy(tmp_path)
    assert not is_busy(tmp_path / "nothing")


@pytest.mark.parametrize(
    ("content", "sentence"),
    [(None, "holds no run"), ("{", "is damaged"), ("[]", "is damaged"), ('{"record_version": 99}', "version 99")],
)
def test_what_cannot_be_read_is_named(tmp_path, content, sentence):
    if content is not None:
        (tmp_path / "run.json").write_text(content)
    with pytest.raises(ConfigError, match=sentence):
        read_run(tmp_path)


def test_a_newer_field_is_not_in_the_way(tmp_path):
    with RunFolder(tmp_path) as folder:
        folder.write_run(run_record())
    content = json.loads((tmp_path / "run.json").read_text()) | {"something_new": 1}
    (tmp_path / "run.json").write_text(json.dumps(content))
    assert read_run(tmp_path).method == "dds"


def test_a_run_is_found_by_path_and_by_unique_beginning(tmp_path):
    for key, method in (("aaaa", "dds"), ("aabb", "piva")):
        with RunFolder(tmp_path / "pie-toybox" / f"{method}-{key}") as folder:
            folder.write_run(run_record(key, method))
    dds = tmp_path / "pie-toybox" / "dds-aaaa"
    assert find_run(str(dds), tmp_path) == find_run("aaa", tmp_path) == find_run("dds", tmp_path) == dds
    with pytest.raises(ConfigError, match="not unique"):
        find_run("aa", tmp_path)
    with pytest.raises(ConfigError, match="no run 'zz'"):
        find_run("zz", tmp_path)


def test_a_run_of_a_study_is_found_too_and_no_shard(tmp_path):
    run = tmp_path / "studies" / "drift" / "pie-toybox" / "dds-1aaa"
    for folder in (run, run / "shards" / "1-of-2"):
        with RunFolder(folder) as opened:
            opened.write_run(run_record("1aaa", "dds"))
    assert find_run("1", tmp_path) == run
    with RunFolder(tmp_path / "pie-toybox" / "dds-1bbb") as opened:
        opened.write_run(run_record("1bbb", "dds"))
    assert find_run("1", tmp_path).name == "dds-1bbb"  # what lies where runs usually lie goes first
    assert find_run("1aaa", tmp_path) == run
