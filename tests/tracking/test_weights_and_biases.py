"""What W&B shows of a run. Offline files are read by `wandb sync`, and online runs sent, to a server of the tests."""

import json
import time

import pytest
import torch
from harness_world import case_record, launch, run_record, write_run

from piva.records import RunFolder
from piva.rendering.video import turntable
from piva.tracking import Look, mirror_recorded, open_mirror

KEY = "0123456789abcdef"
STEP = {"t": (100, 300), "direction_rms": torch.tensor([1.0, 3.0])}
METRICS = {"lpips": "lpips@1", "psnr": "psnr@1", "detail_ratio": "detail@1"}


def record(**facts):
    return run_record(metrics=METRICS, launches=[launch(["a", "b"])], steps=2, **facts)


def play(folder, *cases, **facts):
    """One launch: two updates, a look and the record of each of these cases."""
    with RunFolder(folder) as opened:
        opened.write_run(record(**facts))
        mirror = open_mirror("wandb", ["paper"])
        mirror.start(record(**facts), folder)
        for case in cases:
            mirror.step(STEP)
            mirror.step(STEP)
            mirror.look(Look(1, {case.case_id: torch.zeros(3, 4, 4)}))
            opened.append(case)
            mirror.case(case, torch.zeros(3, 4, 4), torch.ones(3, 4, 4))
        mirror.finish()


def scored(case_id, lpips, **facts):
    metrics = {"lpips": lpips, "psnr": None}
    return case_record(case_id, metrics=metrics, src="<s>", tgt="t", seconds_edit=1.0, **facts)


def curve(run, name, axis):
    return [(line[axis], line[name]) for line in run.history if name in line]


def defined(run):
    """Name (or pattern) of every metric that is declared -> its x-axis, or None."""
    lines = run.config["_wandb"]["m"]
    return {line.get("1", line.get("2")): lines[line["5"] - 1]["1"] if "5" in line else None for line in lines}


@pytest.fixture
def offline(monkeypatch):
    """What is played inside stays on this machine."""
    monkeypatch.setenv("WANDB_MODE", "offline")
    return lambda: monkeypatch.delenv("WANDB_MODE")


def test_an_offline_run_is_all_there(tmp_path, server, sync, offline):
    play(tmp_path, scored("a", 0.25), scored("b", 0.75))
    offline()
    assert server.runs == {}
    sync(tmp_path / "wandb")
    (run,) = server.runs.values()
    assert list(server.runs) == [KEY]
    named = {"groupName": "pie-toybox", "jobType": "dds", "commit": "a" * 40, "tags": ["test", "toybox", "paper"]}
    assert {name: run.fields[name] for name in named} == named
    assert {"method": "dds", "method.guidance": 7.5, "goal.lpips": "minimize"}.items() <= run.config.items()
    assert curve(run, "live/direction_rms", "update") == [(0, 2), (1, 2), (2, 2), (3, 2)]
    assert curve(run, "case/lpips", "cases") == [(1, 0.25), (2, 0.75)]
    assert curve(run, "mean/lpips", "cases") == [(1, 0.25), (2, 0.5)]
    axes = {"live/*": "update", "case/*": "cases", "case/lpips": "cases", "mean/*": "cases", "edit/*": "step"}
    assert axes.items() <= defined(run).items()
    summary = {"mean/lpips": 0.5, "case/lpips": {"min": 0.25}, "n": 2, "failed": 0}
    assert summary.items() <= run.summary.items()
    assert run.exits == [0]
    (table,) = [json.loads(file) for name, file in run.files.items() if name.endswith(".table.json")]
    assert table["columns"] == ["case", "type", "status", "source", "target", "lpips", "psnr"]
    assert table["data"] == [["a", "1", "ok", "<s>", "t", 0.25, None], ["b", "1", "ok", "<s>", "t", 0.75, None]]
    pictures = sorted(name.rpartition("_")[0].rpartition("_")[0] for name in run.files if name.endswith(".png"))
    assert pictures == [f"media/images/{name}" for name in ("case/pair", "case/pair", "edit/a", "edit/b")]
    sizes = [(line["case/pair"]["width"], line["case/pair"]["height"]) for line in run.history if "case/pair" in line]
    assert sizes == [(8, 4), (8, 4)]


def test_segments_of_a_run_that_was_continued_offline_become_one_run(tmp_path, server, sync, offline):
    play(tmp_path, scored("a", 0.25))
    time.sleep(1.1)  # W&B names an offline run's folder by the second
    play(tmp_path, scored("b", 0.75))
    offline()
    assert len(list((tmp_path / "wandb").glob(f"offline-run-*-{KEY}"))) == 2
    sync(tmp_path / "wandb")
    (run,) = server.runs.values()
    assert [line["_step"] for line in run.history] == list(range(len(run.history)))
    assert curve(run, "live/direction_rms", "update") == [(0, 2), (1, 2), (2, 2), (3, 2)]
    assert curve(run, "mean/lpips", "cases") == [(1, 0.25), (2, 0.5)]
    assert {"mean/lpips": 0.5, "case/lpips": {"min": 0.25}, "n": 2}.items() <= run.summary.items()
    assert (run.resumed, run.exits) == (1, [1, 0])  # the first launch did not get to the end


def test_online_a_continued_run_goes_on_as_the_same_run(tmp_path, server):
    play(tmp_path, scored("a", 0.25))
    play(tmp_path, scored("b", 0.75))
    (run,) = server.runs.values()
    assert (run.resumed, run.exits) == (1, [1, 0])
    assert [line["_step"] for line in run.history] == list(range(len(run.history)))
    assert curve(run, "mean/lpips", "cases") == [(1, 0.25), (2, 0.5)]
    assert {"mean/lpips": 0.5, "case/lpips": {"min": 0.25}, "n": 2}.items() <= run.summary.items()


def test_a_run_that_is_open_in_the_process_is_left_alone(tmp_path, server):
    import wandb

    other = wandb.init(id="other", project="piva", dir=str(tmp_path), mode="online")
    play(tmp_path / "ours", scored("a", 0.25))
    other.finish()
    assert curve(server.runs[KEY], "mean/lpips", "cases") == [(1, 0.25)]
    assert server.runs["other"].history == []


@pytest.fixture
def agent(monkeypatch, tmp_path):
    """The variables that `wandb agent` sets for a run."""
    parameters = tmp_path / "config-given.yaml"
    parameters.write_text("wandb_version: 1\nmethod.guidance:\n  value: 7.5\nmethod:\n  value: dds\n")
    names = {"SWEEP_ID": "sweep1", "RUN_ID": "given", "SWEEP_PARAM_PATH": str(parameters), "PROJECT": "theirs"}
    for name, value in names.items():
        monkeypatch.setenv(f"WANDB_{name}", value)


def test_the_run_of_w_and_b_s_agent_is_ours_and_a_second_seed_is_a_run_of_its_own(tmp_path, server, agent):
    play(tmp_path / "first", scored("a", 0.25), scored("b", 0.75))
    play(tmp_path / "second", scored("a", 0.5), key="f" * 16)
    assert list(server.runs) == ["given", "f" * 16]
    given, own = server.runs.values()
    assert (given.fields["sweep"], given.fields["project"]) == ("sweep1", "theirs")
    assert (given.config["edit_key"], given.config["method.guidance"]) == (KEY, 7.5)
    assert given.summary["mean/lpips"] == 0.5
    assert "sweep" not in own.fields
    assert own.summary["mean/lpips"] == 0.5


def test_an_agent_gets_its_metric_of_a_run_that_was_done_before(tmp_path, server, agent):
    folder = write_run(tmp_path / "run", record(), [scored("a", 0.25), scored("b", 0.75)])
    mirror_recorded("wandb", folder)
    (run,) = server.runs.values()
    assert curve(run, "mean/lpips", "cases") == [(2, 0.5)]
    assert run.exits == [0]


def test_failed_cases_are_counted_and_sizes_of_auxiliaries_shown(tmp_path, server):
    play(tmp_path, scored("a", 0.25, aux_parameters=1000), case_record("b", status="error", stage="load"))
    (run,) = server.runs.values()
    assert curve(run, "case/aux_parameters", "cases") == [(1, 1000)]
    assert curve(run, "failed", "cases") == [(1, 1)]
    assert {"n": 1, "failed": 1, "mean/aux_parameters": 1000}.items() <= run.summary.items()


def test_a_scene_has_its_course_views_and_turntable(tmp_path, server):
    film = "scenes/a/turntable.mp4"
    turntable(tmp_path / film, [torch.zeros(3, 3, 8, 8)])
    course = {"step": [50.0, 100.0], "lpips": [0.1, 0.2], "psnr": [None, 20.0]}
    case = scored("a", 0.25, field="scenes/a/edited.safetensors", turntable=film, course=course)
    with RunFolder(tmp_path):
        mirror = open_mirror("wandb")
        mirror.start(record(scenes={"scene": {"views": 2}}), tmp_path)
        mirror.look(Look(100, {"a": torch.zeros(3, 4, 16)}, {"a": {"lpips": 0.2, "psnr": 20.0}}))
        mirror.case(case, torch.zeros(3, 4, 16), torch.ones(3, 4, 16))
        mirror.finish()
    (run,) = server.runs.values()
    assert run.config["scene.views"] == 2
    assert sorted(curve(run, "course/a/lpips", "step")) == [(50, 0.1), (100, 0.2)]
    assert curve(run, "course/a/psnr", "step") == [(100, 20)]
    assert [(line["edit/a"]["width"], line["step"]) for line in run.history if "edit/a" in line] == [(16, 100)]
    assert len([name for name in run.files if name.startswith("media/videos/turntable/a_")]) == 1


def test_disabled_leaves_nothing(tmp_path, server, monkeypatch, capsys):
    monkeypatch.setenv("WANDB_MODE", "disabled")
    play(tmp_path, scored("a", 0.25))
    assert "tracking stopped" not in capsys.readouterr().err
    assert (server.runs, server.operations) == ({}, [])
    assert not (tmp_path / "wandb").exists()
