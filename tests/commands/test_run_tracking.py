"""What `piva run` tells its tracker."""

import pytest
from harness_world import NotedMirror, use_plain_world, write_bench

import piva.tracking
from piva.cli import main
from piva.tracking import Guarded

STEPS_OF_BRIGHTEN = 3


@pytest.fixture
def noted(monkeypatch):
    """The mirror of every run, and the arguments it was opened with."""
    mirror = NotedMirror()

    def open_mirror(*given):
        mirror.given = given
        return Guarded(mirror)

    monkeypatch.setattr(piva.tracking, "open_mirror", open_mirror)
    return mirror


def run(tmp_path, *flags):
    root = write_bench(tmp_path / "bench", n=2, size=32)
    return main(["run", "pie-bench", "--method", "dds", "--root", str(root), "--out", str(tmp_path / "runs"), *flags])


def test_a_run_is_mirrored_step_by_step_with_its_tags(tmp_path, monkeypatch, noted):
    use_plain_world(monkeypatch, size=32)
    assert run(tmp_path, "--tags", "paper", "draft") == 0
    assert noted.given == ("wandb", ("paper", "draft"))
    assert noted.calls == ["start", *["step"] * STEPS_OF_BRIGHTEN, "case", "case", "finish"]


def test_what_was_done_before_is_shown_only_to_w_and_b_s_agent(tmp_path, monkeypatch, noted):
    use_plain_world(monkeypatch, size=32)
    assert run(tmp_path) == 0
    noted.told.clear()
    assert run(tmp_path) == 0
    assert noted.calls == []
    monkeypatch.setenv("WANDB_SWEEP_ID", "sweep")
    monkeypatch.setenv("WANDB_RUN_ID", "given")
    assert run(tmp_path) == 0
    assert noted.calls == ["start", "finish"]
    record, _ = noted.told[0][1]
    assert len(record.launches) == 1  # no launch of its own


def test_edits_on_their_way_are_shown_every_so_many_steps(tmp_path, noted, tiny_pipeline_folder):
    prior = ["--prior.model", str(tiny_pipeline_folder), "--metrics", "psnr", "--steps", "5", "--image-every", "2"]
    assert run(tmp_path, *prior) == 0
    looks = [facts[0] for name, facts in noted.told if name == "look"]
    assert [look.step for look in looks] == [2, 4]
    assert [tuple(picture.shape) for picture in looks[0].pictures.values()] == [(3, 32, 32)] * 2
    assert list(looks[0].pictures) == ["000000000000", "000000000001"]
    assert {"images", "cases"} & set(noted.told[1][1][0]) == {"cases"}


def test_a_tracker_that_is_not_installed_ends_with_2_before_any_work(tmp_path, monkeypatch, capsys):
    use_plain_world(monkeypatch, size=32)
    monkeypatch.setattr(piva.tracking, "find_spec", lambda name: None)
    assert run(tmp_path, "--tracker", "tensorboard") == 2
    assert 'pip install "piva[tensorboard]"' in capsys.readouterr().err
    assert not (tmp_path / "runs" / "pie-bench").exists()
