"""TensorBoard's files, read back with TensorBoard's own reader."""

import pytest
import torch
from harness_world import case_record, run_record

import piva.tracking
from piva.errors import ConfigError
from piva.records import RunFolder
from piva.tracking import Look, check_tracker, open_mirror


def launch(folder, cases):
    """One launch: two updates, a look and the record of each of these cases."""
    mirror = open_mirror("tensorboard")
    with RunFolder(folder) as opened:
        mirror.start(run_record(steps=2), folder)
        for case in cases:
            mirror.step({"direction_rms": 4.0})
            mirror.step({"direction_rms": 2.0})
            mirror.look(Look(1, {case.case_id: torch.zeros(3, 4, 4)}))
            opened.append(case)
            mirror.case(case, torch.zeros(3, 4, 4), torch.ones(3, 4, 4))
        mirror.finish()


def test_tensorboard_shows_two_launches_as_one_run(tmp_path, capsys):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    launch(tmp_path, [case_record("a", metrics={"lpips": 0.25}, seconds_edit=1.0)])
    course = {"step": [50.0], "psnr": [20.0]}
    launch(tmp_path, [case_record("b", metrics={"lpips": 0.75}, seconds_edit=1.0, course=course)])
    assert "tracking stopped" not in capsys.readouterr().err
    found = EventAccumulator(str(tmp_path / "tensorboard")).Reload()

    def curve(name):
        return sorted({(event.step, event.value) for event in found.Scalars(name)})

    assert curve("live/direction_rms") == [(0, 4), (1, 2), (2, 4), (3, 2)]
    assert curve("case/lpips") == [(1, 0.25), (2, 0.75)]
    assert curve("mean/lpips") == [(1, 0.25), (2, 0.5)]
    assert curve("course/b/psnr") == [(50, 20)]
    assert {"edit/a", "edit/b", "case/pair"} <= set(found.Tags()["images"])
    assert (found.Images("case/pair")[0].width, found.Images("case/pair")[0].height) == (8, 4)
    assert "method.guidance" in (tmp_path / "tensorboard" / "hparams.yaml").read_text()


def test_without_tensorboard_the_flag_says_what_to_install(monkeypatch):
    monkeypatch.setattr(piva.tracking, "find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r'pip install "piva\[tensorboard\]"'):
        check_tracker("tensorboard")
    check_tracker("wandb")
