"""Anyone's images, named by case id."""

import pytest
from harness_world import case_file, use_plain_world, write_bench
from PIL import Image

from piva.cli import main
from piva.records import read_cases, read_run


@pytest.fixture
def score(tmp_path, monkeypatch):
    """Scores tmp_path/edits against a data set of ten cases."""
    use_plain_world(monkeypatch)
    root, edits, out = write_bench(tmp_path / "bench"), tmp_path / "edits", tmp_path / "runs"
    edits.mkdir()

    def score(*flags):
        where = ["--root", str(root), "--images", str(edits), "--out", str(out)]
        return main(["score-folder", "pie-bench", *where, *flags])

    score.root, score.edits = root, edits
    score.folders = lambda: sorted((out / "pie-bench").iterdir())
    score.cases = lambda: read_cases(score.folders()[0])
    return score


def fill(score, ids=range(10), size=16, suffix=".png"):
    for k in ids:
        Image.new("RGB", (size, size), (20 * k + 51,) * 3).save(score.edits / f"{k:012d}{suffix}")


def test_every_image_is_scored_and_kept(score):
    fill(score)
    assert score("--name", "theirs") == 0
    (folder,) = score.folders()
    assert read_run(folder).method == "theirs"
    for k, case in enumerate(score.cases().values()):
        assert case.metrics["shift"] == pytest.approx(0.2, abs=1e-6), k
        assert case.seconds_edit is case.unet_rows is None
    assert (folder / "images" / "000000000000.png").is_file()


def test_images_may_be_laid_out_as_the_sources_are(score):
    for k in range(10):
        target = score.edits / case_file(score.root, k).relative_to(score.root / "annotation_images")
        target.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (16, 16), (20 * k,) * 3).save(target)
    assert score() == 0
    assert {case.metrics["shift"] for case in score.cases().values()} == {0.0}


def test_a_missing_image_is_skipped_and_said(score, capsys):
    fill(score, ids=range(8))
    assert score() == 1
    assert "8 ok, 2 skipped" in capsys.readouterr().out
    assert score.cases()["000000000009"].error == "Skipped: no image named 000000000009 in the folder"


def test_another_size_is_an_error_unless_asked_for(score):
    fill(score, size=8)
    assert score() == 1
    assert "the edit is 8x8, its source 16x16" in score.cases()["000000000000"].error
    assert score("--resize-source", "--name", "small") == 0
    small = read_cases(score.folders()[1])
    assert all(case.resized for case in small.values())


def test_a_changed_image_is_another_run(score):
    fill(score)
    score()
    fill(score, ids=[3], size=16, suffix=".png")
    score()
    assert len(score.folders()) == 1
    Image.new("RGB", (16, 16), "red").save(score.edits / "000000000003.png")
    score()
    assert len(score.folders()) == 2


def test_a_limit_belongs_to_the_same_run(score):
    fill(score)
    score("--limit", "4")
    score()
    assert len(score.folders()) == 1
    assert len(score.cases()) == 10


@pytest.mark.parametrize("name", ["dds", "piva", "copy"])
def test_a_folder_is_not_called_as_a_method_is(score, name, capsys):
    fill(score)
    assert score("--name", name) == 2
    assert f"--name {name} is a method" in capsys.readouterr().err


def test_a_folder_without_images_is_a_wrong_folder(score, capsys):
    assert score() == 2
    assert "no image named by a case id, such as 000000000000.png" in capsys.readouterr().err
    assert score("--images", str(score.edits / "nowhere")) == 2


def test_a_device_that_is_not_there_is_said(score, capsys):
    fill(score)
    assert score("--device", "abacus") == 3
    assert "--device abacus: this machine does not have it" in capsys.readouterr().err
