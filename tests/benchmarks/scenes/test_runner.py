"""Runs over scenes, from the command line to the records: what is shared, kept, resumed, scored again and isolated."""

import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from harness_world import NotedMirror
from PIL import Image
from scene_world import QUICK, SCORES, write_scenes

from benchmarks.running.recording import UNSCORED
from benchmarks.running.watching import Stopped, Unwatched
from benchmarks.scenes.runner import Course, growth
from piva.cli import main
from piva.commands.run import main as run_command
from piva.records import read_cases, read_run
from piva.rendering.picture_grid import GAP, LINE, TEXT, TILE
from piva.representations.radiance_field import RadianceField
from piva.tracking import Guarded

PIVA = ["--method", "piva", "--method.aux.lr", "0.01"]


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("PIVA_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def prior(tiny_pipeline_folder):
    return ["--prior.model", str(tiny_pipeline_folder)]


def run(root, out, *flags, name="noe"):
    """(exit code, folder of the newest run)."""
    code = main(["run", name, "--root", str(root), "--out", str(out), *QUICK, *SCORES, *flags])
    folders = sorted((out / name).iterdir(), key=lambda folder: folder.stat().st_mtime_ns)
    return code, folders[-1]


def test_a_scene_is_reconstructed_once_for_all_methods_edits_and_seeds(tmp_path, cache, prior, capsys):
    root, out = write_scenes(tmp_path / "data", edits=2, truth=True), tmp_path / "runs"
    code, folder = run(root, out, "--method", "dds", "--seed", "0", "1", *prior)
    assert code == 0
    assert run(root, out, *PIVA, *prior)[0] == 0
    said = capsys.readouterr().err
    assert said.count("the reconstruction of scene-0 begins") == 1
    (kept,) = (cache / "fields").iterdir()
    cases = read_cases(folder)
    assert {case.reconstruction for case in cases.values()} == {kept.name}
    case = cases["scene-0-1"]
    assert (case.status, case.type_id, case.tgt) == ("ok", "addition", "a box 1")
    assert case.metrics["psnr"] > case.metrics["psnr_to_true"] > 3
    assert case.metrics["consistency_direction_pair"] > 0.2
    assert case.course["step"] == [2, 3]
    assert case.course["psnr"][0] > case.course["psnr"][1]
    assert case.unet_rows == 3 * 4  # three steps, one view: c and u of both branches
    assert case.seconds_step == pytest.approx(case.seconds_edit / 3)
    for file in (case.field, case.turntable, case.by_view, case.image, "scenes/scene-0-1/held_out.png"):
        assert (folder / file).stat().st_size > 0
    by_view = json.loads((folder / case.by_view).read_bytes())
    assert sum(by_view["psnr"]) / 4 == pytest.approx(case.metrics["psnr"])
    assert len(by_view["psnr_to_true"]) == 2  # the held-out views of the true edit
    record = read_run(folder)
    assert record.metrics["psnr"].endswith("/path-of-4-views@1")
    assert record.metrics["psnr_to_true"].endswith("/held-out-views@1")
    assert record.scenes["scene"]["views"] == 1


def test_views_and_scores_on_the_way_are_mirrored(tmp_path, cache, prior, monkeypatch):
    noted = NotedMirror()
    monkeypatch.setattr("piva.tracking.open_mirror", lambda *_: Guarded(noted))
    code, folder = run(write_scenes(tmp_path / "data"), tmp_path / "runs", "--method", "dds", *prior)
    assert code == 0
    looks = [facts[0] for name, facts in noted.told if name == "look"]
    (case,) = read_cases(folder).values()
    assert [look.step for look in looks] == case.course["step"] == [2, 3]
    assert [look.scores[case.case_id]["psnr"] for look in looks] == case.course["psnr"]
    channels, height, width = looks[0].pictures[case.case_id].shape
    assert (channels, width) == (3, 4 * height)  # four views side by side


def test_killed_and_resumed_is_as_never_killed(tmp_path, cache, prior):
    root = write_scenes(tmp_path / "data", edits=2)
    program = f"""
import sys
sys.path.insert(0, {str(Path(__file__).resolve().parents[2])!r})
import os, signal
import benchmarks.scenes.launch as launch, piva.checkpoint as checkpoint
from piva.cli import main
from scene_world import QUICK, SCORES
checkpoint.SECONDS_BETWEEN = -1.0
real, done = launch.edit_scene, []
def edit(*facts, on_scene, **options):
    def watch(step, field):
        on_scene(step, field)
        done.append(step)
        if len(done) == 6:
            os.kill(os.getpid(), signal.SIGKILL)
    return real(*facts, on_scene=watch, **options)
launch.edit_scene = edit
main(["run", "noe", "--root", {str(root)!r}, "--out", {str(tmp_path / "a")!r}, *QUICK, *SCORES, *{[*PIVA, *prior]!r}])
"""
    environment = os.environ | {"PIVA_CACHE": str(cache)}
    killed = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=environment)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    (folder,) = (tmp_path / "a" / "noe").iterdir()
    assert list(read_cases(folder)) == ["scene-0-1"]  # an addition: by their names, groups come in turn
    assert (folder / "scenes/scene-0-0/checkpoint.safetensors").is_file()
    course = json.loads((folder / "scenes/scene-0-0/course.json").read_bytes())
    assert [point["step"] for point in course["points"]] == [2, 3]
    updates = []
    resumed, folder = watched_run(root, tmp_path / "a", updates, *PIVA, *prior)
    assert resumed == 0
    assert updates == [2]
    whole, other = run(root, tmp_path / "b", *PIVA, *prior)
    assert whole == 0
    assert folder.name == other.name
    for case_id, case in read_cases(other).items():
        mine = read_cases(folder)[case_id]
        assert (folder / mine.field).read_bytes() == (other / case.field).read_bytes()
        assert (folder / mine.image).read_bytes() == (other / case.image).read_bytes()
        scores = [json.loads((path / case.by_view).read_bytes()) for path in (folder, other)]
        for a, b in (scores, (mine.metrics, case.metrics), (mine.course, case.course)):
            assert alike(a, b)  # CLIP's text tower rounds a lone prompt otherwise than one of several
        assert timeless(mine) == timeless(case)
    assert sorted(file.name for file in (folder / "scenes/scene-0-0").iterdir()) == sorted(
        ["edited.safetensors", "views", "views.png", "turntable.mp4", "by_view.json"]
    )


def watched_run(root, out, updates, *flags):
    """`run`, with the numbers of the steps that the edits made."""
    import benchmarks.scenes.launch as launch

    real = launch.edit_scene
    with pytest.MonkeyPatch.context() as patch:

        def edit(*facts, on_step, **options):
            def note(line):
                updates.append(line["step"])
                on_step(line)

            return real(*facts, on_step=note, **options)

        patch.setattr(launch, "edit_scene", edit)
        return run(root, out, *flags)


def timeless(case):
    scores = {"metrics", "course", "lpips_growth"}
    return case.model_dump(exclude={"launch", "seconds_edit", "seconds_step", "peak_bytes"} | scores)


def alike(a, b):
    """Whether all their numbers are the same, but for float rounding."""
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(alike(a[name], b[name]) for name in a)
    if isinstance(a, list):
        return len(a) == len(b) and all(map(alike, a, b))
    return a == b if a is None else a == pytest.approx(b, rel=1e-3, abs=1e-5)


def test_an_edit_that_was_not_scored_yet_is_not_made_again(tmp_path, cache, prior, monkeypatch):
    import benchmarks.scenes.runner as runner

    root, out = write_scenes(tmp_path / "data"), tmp_path / "runs"
    real = runner.score

    def stopped(*facts):
        raise KeyboardInterrupt

    monkeypatch.setattr(runner, "score", stopped)
    code, folder = run(root, out, "--method", "dds", *prior)
    assert code == 130
    case = read_cases(folder)["scene-0-0"]
    assert (case.status, case.stage, case.error) == ("error", "score", UNSCORED)
    monkeypatch.setattr(runner, "score", real)
    updates = []
    assert watched_run(root, out, updates, "--method", "dds", *prior)[0] == 0
    assert updates == []
    after = read_cases(folder)["scene-0-0"]
    assert (after.status, after.error, after.field_sha256) == ("ok", None, case.field_sha256)
    assert after.seconds_edit == case.seconds_edit


def test_other_metrics_score_again_and_a_lost_field_is_edited_again(tmp_path, cache, prior):
    root, out = write_scenes(tmp_path / "data"), tmp_path / "runs"
    folder = run(root, out, "--method", "dds", *prior)[1]
    before, updates = read_cases(folder)["scene-0-0"], []
    for flags in (["--metrics", "mse"], ["--metrics", "mse", "--eval-views", "6"]):
        assert watched_run(root, out, updates, "--method", "dds", *prior, *flags) == (0, folder)
        after = read_cases(folder)["scene-0-0"]
        assert updates == []
        assert (after.field_sha256, after.course) == (before.field_sha256, before.course)
        assert list(after.metrics) == ["mse"]
        assert after.metrics["mse"] == pytest.approx(before.metrics["mse"], rel=0.5)
    assert len(list((folder / "scenes/scene-0-0/views").glob("edited-*.png"))) == 6
    (folder / after.field).unlink()
    assert watched_run(root, out, updates, "--method", "dds", *prior)[0] == 0
    assert updates == [0, 1, 2]


def test_a_scene_that_another_run_reconstructs_now_comes_last(tmp_path, cache, prior, monkeypatch):
    root, out = write_scenes(tmp_path / "data", scenes=2, edits=1), tmp_path / "runs"
    _, folder = run(root, out, "--method", "dds", *prior)
    assert list(read_cases(folder)) == ["scene-0-0", "scene-1-0"]
    key = read_cases(folder)["scene-0-0"].reconstruction
    monkeypatch.setattr("benchmarks.scenes.work.being_made", lambda store: {key})
    code, folder = run(root, out, "--method", "dds", "--seed", "1", *prior)
    assert code == 0
    assert list(read_cases(folder)) == ["scene-1-0", "scene-0-0"]


def test_a_poisoned_scene_fails_alone(tmp_path, cache, prior):
    root = write_scenes(tmp_path / "data", scenes=2, edits=2)
    (root / "scene-0/train/3.png").write_bytes(b"no picture")
    code, folder = run(root, tmp_path / "runs", "--method", "dds", *prior)
    cases = read_cases(folder)
    assert code == 1
    assert {id_: (case.status, case.stage) for id_, case in cases.items()} == {
        "scene-0-0": ("error", "load"), "scene-0-1": ("error", "load"), "scene-1-0": ("ok", None),
        "scene-1-1": ("ok", None),
    }  # fmt: skip
    assert "DataError" in cases["scene-0-0"].error
    assert "Traceback" in cases["scene-0-0"].traceback


def test_a_malformed_entry_is_the_error_of_its_edit_alone(tmp_path, cache, prior, capsys):
    root, out = write_scenes(tmp_path / "data", edits=2), tmp_path / "runs"
    entries = json.loads((root / "edits.json").read_bytes())
    odd = entries[0] | {"id": "odd", "type": "colour", "scene": "../elsewhere"}
    (root / "edits.json").write_text(json.dumps([odd, *entries]))
    code, folder = run(root, out, "--method", "dds", *prior)
    cases = read_cases(folder)
    assert code == 1
    assert {id_: (case.status, case.stage, case.type_id) for id_, case in cases.items()} == {
        "odd": ("error", "load", "?"), "scene-0-0": ("ok", None, "appearance"), "scene-0-1": ("ok", None, "addition"),
    }  # fmt: skip
    assert cases["odd"].error.startswith(f"DataError: {root}: edits.json: [0]: type: Input should be 'appearance'")
    said = capsys.readouterr().err
    assert "warning: 1 of 3 edits cannot be read: odd: edits.json: [0]: type: " in said
    (root / "edits.json").write_text(json.dumps([entries[0] | {"id": "odd"}, *entries]))
    assert run(root, out, "--method", "dds", *prior)[0] == 0  # mended, it is another case
    (root / "edits.json").write_text(json.dumps([odd]))
    assert main(["run", "noe", "--root", str(root), "--out", str(out), *QUICK, *SCORES, *prior, "--method", "dds"]) == 3
    (root / "edits.json").write_text("[")
    assert main(["run", "noe", "--root", str(root), "--out", str(out), *QUICK, *SCORES, *prior, "--method", "dds"]) == 3


def test_an_edit_that_runs_away_fails_alone(tmp_path, cache, prior, monkeypatch):
    import benchmarks.scenes.launch as launch

    real = launch.edit_scene

    def edit(prior, method, case, *rest, **options):
        if case.case_id.endswith("1"):
            raise RuntimeError("poisoned")
        return real(prior, method, case, *rest, **options)

    monkeypatch.setattr(launch, "edit_scene", edit)
    root = write_scenes(tmp_path / "data", edits=3)
    code, folder = run(root, tmp_path / "runs", "--method", "dds", *prior)
    cases = read_cases(folder)
    assert code == 1
    assert {id_: case.status for id_, case in cases.items() if case.status != "ok"} == {"scene-0-1": "error"}
    assert len(cases) == 3
    assert (cases["scene-0-1"].stage, cases["scene-0-1"].error) == ("edit", "RuntimeError: poisoned")


def test_the_last_finite_field_of_an_edit_that_ran_away_is_kept(tmp_path, cache, prior, monkeypatch):
    import benchmarks.scenes.launch as launch

    real = launch.edit_scene
    monkeypatch.setattr(launch, "edit_scene", lambda *facts, **kept: replace(real(*facts, **kept), error="ran away"))
    code, folder = run(write_scenes(tmp_path / "data"), tmp_path / "runs", "--method", "dds", *prior)
    (case,) = read_cases(folder).values()
    assert code == 1
    assert (case.status, case.stage, case.error) == ("error", "edit", "ValueError: ran away")
    assert (folder / case.field).is_file()
    assert (case.metrics, case.seconds_step, case.unet_rows) == ({}, None, 12)


def test_lambda_0_is_dds_and_the_field_on_disk_is_the_edited_one(tmp_path, cache, prior):
    root, out = write_scenes(tmp_path / "data"), tmp_path / "runs"
    dds = run(root, out, "--method", "dds", *prior)[1]
    zero = run(root, out, "--method", "piva", "--method.lam", "0", *prior)[1]
    fields = [read_cases(folder)["scene-0-0"].field_sha256 for folder in (dds, zero)]
    assert fields[0] == fields[1]
    (kept,) = (cache / "fields").iterdir()
    pair = [
        RadianceField.load(path) for path in (dds / "scenes/scene-0-0/edited.safetensors", kept / "field.safetensors")
    ]
    assert not torch.equal(pair[0].field.raw_color, pair[1].field.raw_color)


def test_reading_commands_read_such_runs(tmp_path, cache, prior, capsys):
    root, out = write_scenes(tmp_path / "data"), tmp_path / "runs"
    a = run(root, out, "--method", "dds", "--scene.lr-density", "0.05", *prior)[1]
    b = run(root, out, "--method", "dds", "--scene.lr-density", "0.3", *prior)[1]
    assert a.name != b.name
    capsys.readouterr()
    assert main(["show", str(a)]) == 0
    assert main(["compare", str(a), str(b)]) == 0
    assert "lr_density=0.3" in capsys.readouterr().out
    sheet = tmp_path / "sheet.png"
    assert main(["report", "--runs", str(out), "--picture", str(sheet), "--picture-cases", "2"]) == 0
    views = [Image.open(a / "scenes/scene-0-0/views" / name) for name in ("original-000.png", "edited-000.png")]
    drawn = [Image.open(sheet).getpixel((GAP + k * (TILE + GAP), GAP + 2 * LINE)) for k in range(2)]
    assert drawn == [view.convert("RGB").getpixel((0, 0)) for view in views]
    assert Image.open(sheet).size == (3 * (TILE + GAP) + GAP, 2 * (TILE + GAP + 2 * LINE) + 2 * GAP + TEXT)
    table = (out / "report" / "table.md").read_text()
    assert "consistency_edit_direction" in table
    assert "dds lr_density=0.05" in table
    assert '"film":[".mp4"]' in (out / "report" / "index.html").read_text()
    assert (out / "report/pictures/films" / b.name / "scene-0-0.mp4").stat().st_size > 0


def test_the_course_keeps_what_was_scored_on_the_way(tmp_path):
    course = Course(tmp_path / "course.json", "content")
    assert course.columns() is None
    for step, lpips in ((10, 0.1), (20, 0.2), (20, 0.3), (40, 0.7)):
        course.note(step, {"lpips": lpips, "psnr": None}, seconds=1.5)
    again = Course(tmp_path / "course.json", "content")
    assert again.columns() == {"step": [10, 20, 40], "lpips": [0.1, 0.3, 0.7], "psnr": [None] * 3}
    assert again.seconds == 4.5
    assert Course(tmp_path / "course.json", "other").columns() is None
    assert growth(again.columns()) == pytest.approx(0.4)
    assert growth({"step": [10.0], "lpips": [0.1]}) is None
    assert growth({"step": [10.0, 20.0], "psnr": [1.0, 2.0]}) is None


def test_a_watch_ends_the_run_between_edits(tmp_path, cache, prior):
    class Watch(Unwatched):
        told = ()

        def case(self, record, source, edited):
            self.told += (record.case_id,)

        def goes_on(self):
            return len(self.told) < 1

    flags = ["--root", str(write_scenes(tmp_path / "data", edits=2)), "--out", str(tmp_path / "runs"), *QUICK, *prior]
    watch = Watch()
    with pytest.raises(Stopped):
        run_command(["noe", "--method", "dds", *flags, "--metrics", "mse"], watch)
    (folder,) = (tmp_path / "runs" / "noe").iterdir()
    assert len(watch.told) == 1
    assert tuple(read_cases(folder)) == watch.told
