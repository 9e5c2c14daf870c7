"""How runs stand while they are written: who writes, what is left, how long it takes, shards included."""

import json
import os
import socket
import subprocess
import sys
import time
from datetime import datetime, timezone
from io import StringIO
from random import Random

import pytest
from harness_world import case_record, launch, run_record, write_run
from rich.console import Console

from piva.records import CASES_FILE, RunFolder
from piva.records.lock import LOCK_FILE, SECONDS_TILL_STALE
from reports.watch.picture import line, metrics_of, names_of, picture
from reports.watch.standing import WatchedRun, runs_in

IDS = ("a", "b", "c", "d")
BEGAN = 1_700_000_000.0


def started(at: float) -> str:
    return datetime.fromtimestamp(at, timezone.utc).isoformat(timespec="seconds")


def record_of(*planned, at=BEGAN, key="aa11", **facts):
    own = launch(planned).model_copy(update={"started": started(at)})
    return run_record(key, **{"launches": [own]} | facts)


def grow(folder, when: float, *cases) -> None:
    """Adds cases at a moment (Unix time)."""
    with (folder / CASES_FILE).open("ab") as file:
        file.writelines(case.model_dump_json(exclude_none=True).encode() + b"\n" for case in cases)
    os.utime(folder / CASES_FILE, (when, when))


def sign(folder, beat: float, **facts) -> None:
    """A writer's name and heartbeat; on another machine unless told."""
    content = {"user": "ann", "host": "far", "pid": 7, "since": "then", "command": "piva run x", "token": "t"} | facts
    (folder / LOCK_FILE).write_text(json.dumps(content))
    os.utime(folder / LOCK_FILE, (beat, beat))


@pytest.fixture
def folder(tmp_path):
    """A run of four cases that somebody far away writes."""
    folder = write_run(tmp_path / "pie-toybox" / "dds-aa11", record_of(*IDS), [])
    sign(folder, BEGAN)
    return folder


def stands(run: WatchedRun, now: float):
    run.look(now)
    return run.standing(now)


def shown(found, now=BEGAN, asked=(), width=150) -> str:
    console = Console(width=width, record=True, file=StringIO())
    console.print(picture(found, asked, now, width))
    return console.export_text()


def test_a_run_from_before_its_first_case_to_its_end(folder):
    run = WatchedRun(folder)
    first = stands(run, BEGAN + 5)
    assert (first.state, first.planned, first.done, first.speed, first.seconds_left) == ("running", 4, 0, None, None)
    grow(folder, BEGAN + 20, case_record("a", metrics={"lpips": 0.2}), case_record("b", metrics={"lpips": 0.4}))
    sign(folder, BEGAN + 25)
    then = stands(run, BEGAN + 30)
    assert (then.done, then.speed, then.speed_over) == (2, 0.1, 20)
    assert then.seconds_left == pytest.approx(2 / 0.1 - 10)
    assert (then.means["lpips"].mean, then.means["lpips"].n) == (pytest.approx(0.3), 2)
    grow(folder, BEGAN + 60, case_record("c", status="error", stage="edit", error="RuntimeError: no"), case_record("d"))
    assert stands(run, BEGAN + 61).state == "running"  # it has not signed off yet
    (folder / LOCK_FILE).write_text("")
    last = stands(run, BEGAN + 62)
    assert (last.state, last.done, [case.case_id for case in last.errors]) == ("done", 4, ["c"])
    assert last.seconds_left is None


def test_time_left_of_a_resumed_run_counts_only_what_this_launch_did(folder):
    """Two cases took an hour yesterday; this launch does one in ten seconds."""
    own = record_of(*IDS).launches[0]
    with RunFolder(folder.with_name("dds-bb22")) as opened:
        opened.write_run(record_of(*IDS, launches=[record_of(*IDS, at=BEGAN - 86400).launches[0], own]))
    resumed = folder.with_name("dds-bb22")
    sign(resumed, BEGAN + 10)
    grow(resumed, BEGAN + 10, case_record("a"), case_record("b"), case_record("c", launch=1))
    found = stands(WatchedRun(resumed), BEGAN + 10)
    assert (found.done, found.speed, found.seconds_left) == (3, 0.1, 10.0)


def test_time_left_is_that_of_the_cases_of_this_launch(tmp_path):
    """An earlier launch was asked for seven hundred; this one for four, of which two are done."""
    many = record_of(*IDS, *(f"m{k}" for k in range(696)), at=BEGAN - 86400).launches[0]
    path = write_run(tmp_path / "x" / "dds-cc33", record_of(*IDS, launches=[many, record_of(*IDS).launches[0]]), [])
    sign(path, BEGAN + 20)
    grow(path, BEGAN + 20, case_record("a", launch=1), case_record("b", launch=1))
    found = stands(WatchedRun(path), BEGAN + 20)
    assert (found.done, found.planned, found.speed, found.seconds_left) == (2, 700, 0.1, 20.0)


def test_a_rescored_run_begins_anew_though_its_cases_have_records(folder):
    run = WatchedRun(folder)
    grow(folder, BEGAN + 9, *(case_record(id_) for id_ in IDS))
    assert stands(run, BEGAN + 10).done == 4
    scores = launch(IDS).model_copy(update={"started": started(BEGAN + 100)})
    again = record_of(*IDS, score_key="e" * 16, launches=[record_of(*IDS).launches[0], scores])
    (folder / "run.json").write_text(again.model_dump_json())
    sign(folder, BEGAN + 100)
    assert (stands(run, BEGAN + 101).done, run.standing(BEGAN + 101).speed) == (0, None)
    rescored = {"score_key": "e" * 16, "launch": 1, "metrics": {"lpips": 0.25}}
    grow(folder, BEGAN + 102, case_record("a", **rescored), case_record("b", **rescored))
    found = stands(run, BEGAN + 102)
    assert (found.done, found.speed, found.seconds_left, found.means["lpips"].n) == (2, 1.0, 2.0, 2)


def test_shards_are_one_run_and_the_slowest_says_when_it_ends(tmp_path):
    folder = tmp_path / "pie-toybox" / "dds-aa11"
    shards = [folder / "shards" / f"{k}-of-3" for k in (1, 2, 3)]
    for shard, ids in zip(shards[:2], (["a", "b"], ["c", "d", "e"]), strict=True):
        sign(write_run(shard, record_of(*ids), []), BEGAN + 10)
    grow(shards[0], BEGAN + 10, case_record("a"))
    grow(shards[1], BEGAN + 10, case_record("c"), case_record("d"))
    run = WatchedRun(folder)
    found = stands(run, BEGAN + 10)
    assert (found.state, found.done, found.planned, found.speed) == ("running", 3, 5, pytest.approx(0.3))
    assert found.remarks == ["1 of the shards have not begun"]
    assert found.seconds_left is None
    sign(write_run(shards[2], record_of("f"), []), BEGAN + 10)
    grow(shards[2], BEGAN + 10, case_record("f"))
    assert stands(run, BEGAN + 10).seconds_left == pytest.approx(10)  # the first shard's; the second takes 5
    grow(shards[0], BEGAN + 11, case_record("b"))
    grow(shards[1], BEGAN + 11, case_record("e"))
    for shard in shards:
        (shard / LOCK_FILE).write_text("")
    found = stands(run, BEGAN + 12)
    assert (found.state, found.done, found.planned, found.remarks) == ("done", 6, 6, [])
    assert runs_in(tmp_path) == runs_in(tmp_path / "pie-toybox") == runs_in(folder) == [folder]


def test_runs_are_found_at_any_depth_but_not_inside_of_runs_or_hidden(tmp_path):
    study = tmp_path / "runs" / "studies" / "lambda" / "pie-toybox" / "dds-aa11"
    plain = tmp_path / "runs" / "pie-toybox" / "dds-bb22"
    shard = tmp_path / "runs" / "sweeps" / "speed" / "pie-toybox" / "dds-cc33" / "shards" / "0-of-2"
    hidden, inside = tmp_path / "runs" / ".old" / "dds-aa11", plain / "copies" / "dds-aa11"
    for folder in (study, plain, shard, hidden, inside):
        write_run(folder, record_of("a"), [])
    expected = [plain, study, shard.parents[1]]
    assert runs_in(tmp_path) == runs_in(tmp_path / "runs") == expected
    assert runs_in(tmp_path / "runs" / "studies") == [study]
    assert runs_in(tmp_path / "none") == []


def test_a_writer_that_died_here_is_known_at_once(folder):
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    sign(folder, BEGAN, host=socket.gethostname(), pid=gone.pid)
    found = stands(WatchedRun(folder), BEGAN + 1)
    assert (found.state, found.seconds_left) == ("gone", None)
    assert "its writer is no more, and did not sign off (pid" in shown([found])
    sign(folder, BEGAN, host=socket.gethostname(), pid=os.getpid())
    assert stands(WatchedRun(folder), BEGAN + 1).state == "running"


def test_a_writer_elsewhere_is_silent_after_a_minute_without_a_heartbeat(folder):
    run = WatchedRun(folder)
    assert stands(run, BEGAN + SECONDS_TILL_STALE - 1).state == "running"
    found = stands(run, BEGAN + SECONDS_TILL_STALE + 1)
    assert found.state == "silent"
    assert "no sign of life for 0:01:01 from pid 7 of ann@far" in shown([found])


def test_a_heartbeat_that_changes_is_a_sign_of_life_whatever_the_clock_of_the_disk_says(folder):
    run, now = WatchedRun(folder), BEGAN + 1e6
    assert stands(run, now).state == "silent"
    sign(folder, BEGAN + 10)
    assert stands(run, now + 2).state == "running"
    assert stands(run, now + 2 + SECONDS_TILL_STALE + 1).state == "silent"


def test_nobody_is_locked_out_by_being_watched(folder):
    (folder / LOCK_FILE).write_text("")
    with RunFolder(folder) as opened:
        before = (folder / LOCK_FILE).stat()
        found = stands(WatchedRun(folder), time.time())
        assert (found.state, found.signs[0].owner.pid) == ("running", os.getpid())
        after = (folder / LOCK_FILE).stat()
        assert (before.st_mtime_ns, before.st_size) == (after.st_mtime_ns, after.st_size)
        opened.append(case_record("a"))
    assert sorted(path.name for path in folder.iterdir()) == [CASES_FILE, "images", "run.json", LOCK_FILE]


def test_a_stopped_run_and_one_that_has_not_begun(folder, tmp_path):
    (folder / LOCK_FILE).write_text("")
    grow(folder, BEGAN + 9, case_record("a"))
    stopped = stands(WatchedRun(folder), BEGAN + 20)
    none = stands(WatchedRun(tmp_path / "nothing"), BEGAN + 20)
    assert (stopped.state, none.state) == ("stopped", "not begun")
    assert "nobody writes to it; the command that made it does the rest" in shown([stopped])
    assert line(none, "nothing", ()) == "nothing: nothing is recorded yet"


def test_a_line_says_it_all(folder):
    run = WatchedRun(folder)
    failed = case_record("b", status="error", stage="edit", error="no")
    grow(folder, BEGAN + 20, case_record("a", metrics={"lpips": 0.25}), failed)
    found = stands(run, BEGAN + 20)
    expected = "dds: running, 2/4 cases, 1 failed, 6 a minute, 0:00:20 left; lpips 250.0 n=1"
    assert line(found, "dds", ()) == expected
    assert line(found, "dds", ("psnr",)) == expected.partition(";")[0]


def test_the_picture_has_progress_means_and_the_last_errors(folder):
    errors = [case_record(id_, status="error", stage="edit", error=f"E{id_}\n\x1b[2Jx") for id_ in "abcd"]
    own = case_record("e", metrics={"lpips": 0.2}), case_record("f", metrics={"lpips": 0.4})
    (folder / "run.json").write_text(record_of(*"abcdef", "g").model_dump_json())
    grow(folder, BEGAN + 60, *own, *errors)
    found = stands(WatchedRun(folder), BEGAN + 60)
    text = " ".join(shown([found], BEGAN + 90).split())
    assert "aa11 dds on pie-toybox" in text
    assert "6/7 4 6 0:00:10 running" in text
    assert "300.0 ± 138.6" in text  # 1.96 * 0.1 / sqrt(2)
    assert "the last case ended 0:00:30 ago; 6 a minute over 0:01:00" in text
    assert [name in text for name in ("a: edit failed", "b: edit failed", "d: edit failed: Ed [2Jx")] == [
        False,
        True,
        True,
    ]
    assert "\x1b" not in text


def test_of_many_runs_those_at_work_come_first_and_the_rest_is_counted(folder):
    for number in range(1, 6):
        done = record_of("a", key=f"bb{number:02}", seed=number)
        write_run(folder.with_name(f"dds-bb{number:02}"), done, [case_record("a")])
    found = [stands(WatchedRun(path), BEGAN + 1) for path in runs_in(folder.parent)]
    console = Console(width=120, record=True, file=StringIO())
    console.print(picture(found, (), BEGAN, 120, rows=2))
    lines = console.export_text().splitlines()
    assert lines[1].split()[0] == "aa11"
    assert lines[2].split()[0] == "bb01"
    assert lines[3] == "6 runs: 5 done, 1 running; 5/9 cases (4 not shown)"
    assert names_of(found)[1] == "bb01 dds seed=1 on pie-toybox"


def test_means_are_the_usual_ones_or_any(folder):
    grow(folder, BEGAN, case_record("a", metrics={"lpips": 0.2, "mine": 1.0}))
    (folder / "run.json").write_text(record_of(*IDS, metrics={"mine": "m@1", "lpips": "l@1"}).model_dump_json())
    found = [stands(WatchedRun(folder), BEGAN)]
    assert metrics_of(found, ()) == ["lpips"]
    assert metrics_of(found, ("mine", "psnr")) == ["mine"]
    (folder / "run.json").write_text(record_of(*IDS, metrics={"mine": "m@1"}).model_dump_json())
    assert metrics_of([stands(WatchedRun(folder), BEGAN)], ()) == ["mine"]


def test_looking_again_and_again_gives_what_looking_once_does(folder):
    """Cases that fail, are tried again, are scored later, in any order: after each line the same as a fresh look."""
    run, random = WatchedRun(folder), Random(0)
    for step in range(60):
        status = random.choice(("ok", "ok", "error", "skipped"))
        facts = {"status": status, "unscored": status == "error" and random.random() < 0.3}
        key = "f" * 16 if random.random() < 0.8 else "old"
        case = case_record(random.choice("abcdx"), score_key=key, metrics={"lpips": random.random()}, **facts)
        grow(folder, BEGAN + step, case)
        known, fresh = stands(run, BEGAN + step), stands(WatchedRun(folder), BEGAN + step)
        assert (known.done, known.skipped) == (fresh.done, fresh.skipped)
        assert {one.case_id for one in known.errors} == {one.case_id for one in fresh.errors}
        assert known.means["lpips"].n == fresh.means["lpips"].n
        assert known.means["lpips"].mean == pytest.approx(fresh.means["lpips"].mean)


def test_a_new_case_beside_ten_thousand_takes_milliseconds(folder):
    ids, scores = [f"{k:05}" for k in range(10_000)], dict.fromkeys("abcdefghijklmnopqrstuvwxyz", 0.5)
    (folder / "run.json").write_text(record_of(*ids, metrics={name: name for name in scores}).model_dump_json())
    text = case_record("00000", metrics=scores).model_dump_json(exclude_none=True)
    (folder / CASES_FILE).write_text("".join(f"{text.replace('00000', id_)}\n" for id_ in ids[:-1]))
    run, took = WatchedRun(folder), []
    assert stands(run, BEGAN).done == 9_999
    for when in range(5):
        grow(folder, BEGAN + when, case_record(ids[-1], metrics=scores))
        started = time.process_time()
        assert stands(run, BEGAN).done == 10_000
        took.append(time.process_time() - started)
    assert min(took) < 0.02
