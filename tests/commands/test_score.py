"""Scoring a stored run again: other scores, the same images, nothing edited."""

import json
import shutil

import pytest
from harness_world import PlainScorer, use_plain_world, write_bench

import benchmarks.models
from piva.cli import main
from piva.keys import score_key
from piva.records import CASES_FILE, read_cases, read_run


@pytest.fixture
def run(tmp_path, monkeypatch):
    """A finished run of four cases, scored with version 1 of the plain metrics; version 2 is loaded from then on."""
    use_plain_world(monkeypatch)
    root, out = write_bench(tmp_path / "bench", n=4), tmp_path / "runs"
    where = ["--root", str(root), "--out", str(out), "--tracker", "none"]
    assert main(["run", "pie-bench", "--method", "dds", *where]) == 0
    (folder,) = (out / "pie-bench").iterdir()
    asked = []

    def load_scorer(device, flags, pictures):
        asked.append((device, flags, pictures))
        return PlainScorer(version=2)

    monkeypatch.setattr(benchmarks.models, "load_scorer", load_scorer)

    def never(*arguments):
        raise AssertionError("nothing may be edited")

    monkeypatch.setattr(benchmarks.models, "load_prior", never)
    folder_of = {"root": root, "out": out, "asked": asked}
    return type("Run", (), {"path": folder, "score": lambda self, *flags: main(["score", *flags]), **folder_of})()


def test_images_stay_and_scores_are_new(run, capsys):
    before, images = read_cases(run.path), {f.name: f.read_bytes() for f in (run.path / "images").iterdir()}
    lines = (run.path / CASES_FILE).read_bytes()
    old = read_run(run.path)
    assert run.score(str(run.path), "--profile", "official", "--clip", "toybox", "--metrics", "clip") == 0
    assert "4 images to score" in capsys.readouterr().err
    record, cases = read_run(run.path), read_cases(run.path)
    assert (run.path / CASES_FILE).read_bytes().startswith(lines)  # what was recorded stays in the file
    assert {f.name: f.read_bytes() for f in (run.path / "images").iterdir()} == images
    assert record.edit_key == old.edit_key
    assert record.metrics["level"] == "level@2"
    assert record.score_key == score_key(record.edit_key, record.metrics) != old.score_key
    assert [launch.planned for launch in record.launches] == [sorted(before)] * 2
    last = record.launches[-1]
    assert last.ended >= last.started
    assert (last.executor, last.peak_bytes) == (None, None)
    for id_, case in cases.items():
        assert case.score_key == record.score_key
        assert case.metrics == before[id_].metrics  # the plain metrics give the same in both versions
        assert (case.seconds_edit, case.unet_rows, case.batch) == (0.5, 12, before[id_].batch)
    _, flags, pictures = run.asked[0]
    assert (flags.profile, flags.clip, flags.metrics, pictures) == ("official", "toybox", ("clip",), "real")


def test_the_beginning_of_a_key_will_do_and_what_is_scored_stays(run, capsys):
    key = read_run(run.path).edit_key[:6]
    assert run.score(key, "--runs", str(run.out)) == 0
    lines = (run.path / CASES_FILE).read_bytes()
    capsys.readouterr()
    assert run.score(key, "--runs", str(run.out)) == 0
    assert "0 images to score, 4 have these scores" in capsys.readouterr().err
    assert (run.path / CASES_FILE).read_bytes() == lines


def test_a_case_without_its_image_is_left_and_said(run, capsys):
    (run.path / "images" / "000000000002.png").unlink()
    assert run.score(str(run.path)) == 1
    assert "3 images to score, 1 cases have no image" in capsys.readouterr().err
    old = read_cases(run.path)["000000000002"]
    assert old.score_key != read_run(run.path).score_key


def test_the_data_may_lie_elsewhere_now(run, tmp_path, capsys):
    moved = tmp_path / "moved"
    shutil.move(run.root, moved)
    assert run.score(str(run.path)) == 2
    assert "needs --root" in capsys.readouterr().err
    assert run.score(str(run.path), "--root", str(moved)) == 0
    assert read_run(run.path).root == str(moved)


def test_a_run_of_another_version_of_the_benchmark_is_refused(run, capsys):
    facts = json.loads((run.path / "run.json").read_text())
    (run.path / "run.json").write_text(json.dumps(facts | {"benchmark_version": 7}))
    assert run.score(str(run.path)) == 2
    assert "the run is of pie-bench version 7, this program has version 1" in capsys.readouterr().err


def test_the_report_names_both_commands(run):
    from reports.tables.origins import how_made

    assert run.score(str(run.path)) == 0
    record = read_run(run.path)
    for launch, command in zip(record.launches, ("piva run pie-bench --method dds", "piva score RUN"), strict=True):
        launch.provenance = launch.provenance.model_copy(update={"command": command})
    sentences = how_made(record)
    assert sentences[1:3] == ["command: piva run pie-bench --method dds", "scored again by: piva score RUN"]
    record.launches.pop()
    assert "scored again by" not in " ".join(how_made(record))


def test_a_device_that_is_not_there_is_said_before_any_work(run, capsys):
    content = (run.path / "run.json").read_bytes()
    assert run.score(str(run.path), "--device", "abacus") == 3
    assert "--device abacus: this machine does not have it" in capsys.readouterr().err
    assert run.asked == []
    assert (run.path / "run.json").read_bytes() == content
