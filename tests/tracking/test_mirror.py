"""Mirrors are told numbers, a few steps at a time; one that fails is dropped."""

from pathlib import Path

import torch
from harness_world import NotedMirror, case_record, run_record

from piva.tracking import Guarded, Look, open_mirror, updates_done
from piva.tracking.mirror import STEPS_TOGETHER, scalars

STEP = {"step": 3, "t": (100, 300), "direction_rms": torch.tensor([1.0, 3.0]), "cases": 2}


def test_a_step_becomes_plain_numbers():
    pictures = {"images": torch.zeros(2, 3, 4, 4)}
    assert scalars(STEP | pictures) == {"step": 3.0, "t": 200.0, "direction_rms": 2.0, "cases": 2.0}


def test_a_failing_mirror_says_so_once_and_is_dropped(capsys):
    broken = NotedMirror(fails="step")
    guarded = Guarded(broken)
    guarded.start(run_record(), Path("x"))
    for _ in range(3):
        guarded.step(STEP)
    guarded.finish()
    assert broken.calls == ["start", "step"]
    assert capsys.readouterr().err == "tracking stopped (ConnectionError: gone); the run goes on\n"


def test_a_mirror_that_fails_at_the_end_does_not_fail_the_run(capsys):
    Guarded(NotedMirror(fails="finish")).finish()
    assert "tracking stopped (ConnectionError: gone)" in capsys.readouterr().err


def test_steps_come_before_the_look_and_the_case_that_follow_them():
    noted = NotedMirror()
    guarded = Guarded(noted)
    guarded.step(STEP)
    guarded.look(Look(1, {}))
    guarded.step(STEP)
    guarded.step(STEP)
    guarded.case(case_record("a"), None, None)
    assert noted.calls == ["step", "look", "step", "step", "case"]


def test_no_mirror_is_silent(capsys):
    mirror = open_mirror("none")
    mirror.start(run_record(), Path("x"))
    mirror.step(STEP)
    mirror.look(Look(1, {}))
    mirror.finish()
    assert capsys.readouterr().err == ""


class Value:
    """One case's value on a device; says when it is read."""

    ndim = 1

    def __init__(self, read):
        self.read = read

    def tolist(self):
        self.read.append(1)
        return [2.0]


def test_the_device_is_read_many_steps_at_a_time():
    read, counts = [], []
    guarded = Guarded(NotedMirror())
    for _ in range(STEPS_TOGETHER + 3):
        guarded.step({"direction_rms": Value(read)})
        counts.append(len(read))
    assert set(counts) == {0, STEPS_TOGETHER}
    guarded.case(case_record("a"), None, None)
    assert len(read) == len(counts)


def test_a_continued_run_counts_its_updates_on():
    edited = [case_record(name, batch=2, seconds_edit=1.0) for name in "abcd"]
    failed = case_record("e", status="error", stage="edit")
    assert updates_done(200, []) == 0
    assert updates_done(200, [*edited, failed]) == 400  # two batches of two
    assert updates_done(200, [*edited, case_record("f", batch=1, seconds_edit=1.0)]) == 600
