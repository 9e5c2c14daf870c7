"""check run and merge on a run over scenes, and on images that were made elsewhere."""

import pytest
from harness_world import use_plain_world, write_bench
from scene_world import QUICK, write_scenes

from piva.cli import main
from piva.records import CASES_FILE, read_cases, read_run


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("PIVA_CACHE", str(tmp_path / "cache"))


def test_a_run_over_scenes_is_whole_and_merges(tmp_path, tiny_pipeline_folder, capsys):
    root = write_scenes(tmp_path / "data", scenes=2)
    flags = ["--root", str(root), "--prior.model", str(tiny_pipeline_folder), *QUICK, "--metrics", "mse"]
    for number in (1, 2):
        command = ["run", "noe", "--method", "dds", "--shard", f"{number}/2", "--out", str(tmp_path / "runs")]
        assert main([*command, *flags]) == 0
    (folder,) = (tmp_path / "runs" / "noe").iterdir()
    assert main(["merge", str(folder)]) == 0
    assert main(["check", "run", str(folder)]) == 0
    cases = read_cases(folder)
    assert list(cases) == ["scene-0-0", "scene-1-0"]
    assert all((folder / str(case.turntable)).is_file() for case in cases.values())
    lines = (folder / CASES_FILE).read_bytes()
    assert main(["run", "noe", "--method", "dds", "--out", str(tmp_path / "runs"), *flags]) == 0
    assert lines == (folder / CASES_FILE).read_bytes()
    case = cases["scene-0-0"]
    (folder / str(case.field)).write_bytes(b"x")
    (folder / str(case.turntable)).unlink()
    (folder / str(case.by_view)).write_bytes(b"")
    capsys.readouterr()
    assert main(["check", "run", str(folder)]) == 1
    problems = [line.strip() for line in capsys.readouterr().out.splitlines()[1:4]]
    assert problems == [
        "scene-0-0: scenes/scene-0-0/edited.safetensors is not the file that was recorded (other SHA-256)",
        "scene-0-0: scenes/scene-0-0/turntable.mp4 is not there",
        "scene-0-0: scenes/scene-0-0/by_view.json is empty",
    ]


def test_images_made_elsewhere_are_a_run_whose_key_recomputes(tmp_path, monkeypatch, capsys):
    use_plain_world(monkeypatch)
    root = write_bench(tmp_path / "bench")
    edits = root / "annotation_images"
    flags = ["--root", str(root), "--images", str(edits), "--out", str(tmp_path / "runs"), "--name", "theirs"]
    assert main(["score-folder", "pie-bench", *flags]) == 0
    (folder,) = (tmp_path / "runs" / "pie-bench").iterdir()
    assert read_run(folder).key_facts["benchmark"]["files"]
    assert main(["check", "run", str(folder)]) == 0
    capsys.readouterr()
    assert main(["check", "run", folder.name.removeprefix("theirs-"), "--runs", str(tmp_path / "runs")]) == 0
    assert "no problem" in capsys.readouterr().out
