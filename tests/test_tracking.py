"""Trackers mirror; they never ask, wait or fail a run."""

import csv
import json
from pathlib import Path

import pytest
import torch
from harness_world import case_record, run_record

import piva.tracking as tracking
from piva.records import RunFolder
from piva.tracking import Guarded, open_mirror, scalars, updates_done, wandb_config, wandb_mode

STEP = {"step": 3, "t": (100, 300), "direction_rms": torch.tensor([1.0, 3.0]), "cases": 2}
STEP["images"] = torch.zeros(2, 3, 4, 4)


@pytest.fixture(autouse=True)
def no_key(monkeypatch, tmp_path):
    for name in ("WANDB_MODE", "WANDB_API_KEY", "WANDB_BASE_URL", "NETRC"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))


def test_a_step_becomes_plain_numbers():
    assert scalars(STEP) == {"step": 3.0, "t": 200.0, "direction_rms": 2.0, "cases": 2.0}


def test_offline_without_a_key_online_with_one_and_the_variable_wins(monkeypatch, tmp_path):
    assert wandb_mode() == "offline"
    (tmp_path / ".netrc").write_text("machine api.wandb.ai login user password secret\n")
    assert wandb_mode() == "online"
    (tmp_path / ".netrc").unlink()
    monkeypatch.setenv("WANDB_API_KEY", "0" * 40)
    assert wandb_mode() == "online"
    monkeypatch.setenv("WANDB_MODE", "disabled")
    assert wandb_mode() == "disabled"


def test_config_is_nested_and_flat():
    config = wandb_config(run_record())
    assert config["method"] == {"name": "dds", "guidance": 7.5}
    assert config["method.guidance"] == 7.5
    assert config["prior.fingerprint"] == "x"
    assert config["steps"] == 200


class Broken:
    """A mirror that fails in the step after the first."""

    def __init__(self):
        self.calls = []

    def start(self, record, folder):
        self.calls.append("start")

    def step(self, values):
        self.calls.append("step")
        raise ConnectionError("gone")

    def finish(self):
        self.calls.append("finish")


def test_a_failing_mirror_says_so_once_and_is_dropped(capsys):
    broken = Broken()
    guarded = Guarded(broken)
    guarded.start(run_record(), Path("x"))
    for _ in range(3):
        guarded.step(STEP)
    guarded.finish()
    assert broken.calls == ["start", "step"]
    assert capsys.readouterr().err == "tracking stopped (ConnectionError: gone); the run goes on\n"


def test_no_mirror_is_silent(capsys):
    mirror = open_mirror("none")
    mirror.start(run_record(), Path("x"))
    mirror.step(STEP)
    mirror.finish()
    assert capsys.readouterr().err == ""


def test_csv_holds_every_number_of_every_step(tmp_path):
    mirror = open_mirror("csv")
    mirror.start(run_record(), tmp_path)
    mirror.step(STEP)
    mirror.step(STEP)
    mirror.finish()
    rows = list(csv.reader((tmp_path / "steps.csv").open()))
    assert rows[0] == ["update", "name", "value"]
    assert ["1", "direction_rms", "2.0"] in rows
    assert len(rows) == 1 + 2 * 4


def test_csv_of_a_continued_run_goes_on(tmp_path):
    for _ in range(2):
        mirror = open_mirror("csv")
        mirror.start(run_record(), tmp_path)
        mirror.step({"t": (100,)})
        mirror.step({"t": (200,)})
        mirror.finish()
        with (tmp_path / "steps.csv").open("ab") as file:
            file.write(b"9,direc")  # torn, as a kill leaves it
    with (tmp_path / "steps.csv").open(newline="") as file:
        rows = list(csv.reader(file))
    expected = [["0", "t", "100.0"], ["1", "t", "200.0"], ["2", "t", "100.0"], ["3", "t", "200.0"]]
    assert rows == [["update", "name", "value"], *expected, ["9", "direc"]]


class Value:
    """One case's value on a device; says when it is read."""

    ndim = 1

    def __init__(self, read):
        self.read = read

    def tolist(self):
        self.read.append(1)
        return [2.0]


def test_the_device_is_read_many_steps_at_a_time(tmp_path):
    read = []
    mirror = open_mirror("csv")
    mirror.start(run_record(), tmp_path)
    counts = []
    for _ in range(tracking.STEPS_TOGETHER + 3):
        mirror.step({"direction_rms": Value(read)})
        counts.append(len(read))
    assert set(counts) == {0, tracking.STEPS_TOGETHER}
    mirror.case(case_record("a"), None, None)
    assert len(read) == len(counts)
    mirror.finish()
    assert len((tmp_path / "steps.csv").read_text().splitlines()) == 1 + len(counts)


class FakeRun:
    """Takes what W&B's run would."""

    def __init__(self):
        self.logged, self.metrics, self.summary, self.finished = [], [], {}, False

    def define_metric(self, name, step_metric=None):
        self.metrics.append((name, step_metric))

    def log(self, values):
        self.logged.append(values)

    def finish(self):
        self.finished = True


def test_wandb_gets_config_curves_scores_table_and_images(tmp_path, monkeypatch):
    import wandb

    given, run = {}, FakeRun()
    monkeypatch.setattr(wandb, "init", lambda **arguments: given.update(arguments) or run)
    with RunFolder(tmp_path) as folder:
        mirror = open_mirror("wandb")
        mirror.start(run_record(), tmp_path)
        mirror.step(STEP)
        for case_id, distance in (("a", 0.25), ("b", 0.75)):
            case = case_record(case_id, metrics={"lpips": distance, "psnr": None}, src="<s>", tgt="t")
            folder.append(case)
            mirror.case(case, torch.zeros(3, 4, 4), torch.ones(3, 4, 4))
        mirror.finish()
    assert (given["mode"], given["id"], given["group"]) == ("offline", "0123456789abcdef", "pie-toybox")
    assert given["job_type"] == "dds"
    assert run.metrics == [("update", None), ("live/*", "update"), ("cases", None), ("case/*", "cases")]
    assert run.logged[0] == {
        "update": 0, "live/step": 3.0, "live/t": 200.0, "live/direction_rms": 2.0, "live/cases": 2.0
    }  # fmt: skip
    assert run.logged[2] == {"cases": 2, "case/lpips": 0.75}
    table, panel = run.logged[-1]["cases_table"], run.logged[-1]["panel"]
    assert table.columns == ["case", "type", "status", "source", "target", "lpips", "psnr"]
    assert len(table.data) == len(panel) == 2
    assert run.summary == {"mean/lpips": 0.5, "n": 2}
    assert run.finished


def test_wandb_gets_the_sizes_of_the_auxiliaries_as_records_have_them(tmp_path, monkeypatch):
    import wandb

    run = FakeRun()
    monkeypatch.setattr(wandb, "init", lambda **arguments: run)
    cases = [
        case_record("a", metrics={"lpips": 0.25}, aux_parameters=1000, aux_bytes=12_000),
        case_record("b", metrics={"lpips": 0.75}, aux_parameters=3000, aux_bytes=36_000),
        case_record("c", status="error", stage="load"),  # never edited: no sizes
    ]
    with RunFolder(tmp_path) as folder:
        mirror = open_mirror("wandb")
        mirror.start(run_record(), tmp_path)
        for case in cases:
            folder.append(case)
            mirror.case(case, None, None)
        mirror.finish()
    assert run.logged[1] == {"cases": 2, "case/lpips": 0.75, "case/aux_parameters": 3000, "case/aux_bytes": 36_000}
    assert run.logged[2] == {"cases": 3}
    table = run.logged[-1]["cases_table"]
    assert table.columns[-3:] == ["aux_bytes", "aux_parameters", "lpips"]
    assert [row[-3:] for row in table.data] == [[12_000, 1000, 0.25], [36_000, 3000, 0.75], [None, None, None]]
    assert run.summary == {"mean/lpips": 0.5, "mean/aux_parameters": 2000, "mean/aux_bytes": 24_000, "n": 2}


def test_wandb_gets_a_scene_s_turntable_and_course(tmp_path, monkeypatch):
    import wandb

    from piva.rendering.video import turntable

    run = FakeRun()
    monkeypatch.setattr(wandb, "init", lambda **arguments: run)
    film = "scenes/a/turntable.mp4"
    turntable(tmp_path / film, [torch.zeros(3, 3, 8, 8)])
    course = {"step": [50.0, 100.0], "lpips": [0.1, 0.2], "psnr": [None, 20.0]}
    case = case_record("a", field="scenes/a/edited.safetensors", turntable=film, course=course)
    mirror = tracking.WandbMirror()
    mirror.start(run_record(scenes={}), tmp_path)
    mirror.case(case, None, None)
    assert run.metrics[-2:] == [("step", None), ("course/*", "step")]
    video = run.logged[1]["turntable/a"]
    assert isinstance(video, wandb.Video)
    assert run.logged[2:] == [
        {"step": 50, "course/a/lpips": 0.1}, {"step": 100, "course/a/lpips": 0.2, "course/a/psnr": 20},
    ]  # fmt: skip


def test_a_server_that_does_not_answer_means_offline(tmp_path, monkeypatch, capsys):
    import wandb

    modes = []

    def init(mode, **arguments):
        modes.append(mode)
        if mode == "online":
            raise wandb.errors.CommError("no route")
        return FakeRun()

    monkeypatch.setattr(wandb, "init", init)
    monkeypatch.setenv("WANDB_API_KEY", "0" * 40)
    tracking.WandbMirror().start(run_record(), tmp_path)
    assert modes == ["online", "offline"]
    assert "logging offline" in capsys.readouterr().err


def test_wandb_itself_writes_an_offline_run_without_asking(tmp_path):
    mirror = open_mirror("wandb")
    with RunFolder(tmp_path) as folder:
        folder.write_run(run_record())
        mirror.start(run_record(), tmp_path)
        mirror.step(STEP)
        mirror.finish()
    (segment,) = (tmp_path / "wandb").glob("offline-run-*")
    assert list(segment.glob("run-0123456789abcdef.wandb"))
    assert json.loads((tmp_path / "run.json").read_text())["edit_key"] == "0123456789abcdef"


def test_a_continued_run_counts_its_updates_on():
    edited = [case_record(name, batch=2, seconds_edit=1.0) for name in "abcd"]
    failed = case_record("e", status="error", stage="edit")
    assert updates_done(200, []) == 0
    assert updates_done(200, [*edited, failed]) == 400  # two batches of two
    assert updates_done(200, [*edited, case_record("f", batch=1, seconds_edit=1.0)]) == 600
