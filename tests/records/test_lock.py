"""The lock of a run's folder: who has it, who may follow, and what is said of them."""

import json
import os
import socket
import subprocess
import sys
import time

import pytest

from piva.records import lock as run_lock
from piva.records.lock import LOCK_FILE, BusyError, Owner, RunLock, is_busy, writer

HOLD = """
import sys, time
from pathlib import Path
from piva.records.lock import RunLock
lock = RunLock(Path(sys.argv[1]))
print("held", flush=True)
time.sleep(60)
"""


@pytest.fixture
def holder(tmp_path):
    """A process that holds the lock of `tmp_path`."""
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.wait()


def write_owner(folder, **facts):
    """An owner of another machine, as its process would have written it."""
    content = {"user": "ann", "host": "far", "pid": 7, "since": "then", "command": "piva run", "token": "t"} | facts
    (folder / LOCK_FILE).write_text(json.dumps(content))


def test_a_second_process_is_told_who_has_it(tmp_path, holder):
    assert is_busy(tmp_path)
    with pytest.raises(BusyError, match=rf"pid {holder.pid} of .* is writing to {tmp_path}"):
        RunLock(tmp_path)


def test_one_that_was_killed_is_followed_at_once_and_named(tmp_path, holder, capsys):
    holder.kill()
    holder.wait()
    assert not is_busy(tmp_path)
    RunLock(tmp_path).release()
    assert f"taken over from pid {holder.pid} of " in capsys.readouterr().err


@pytest.mark.parametrize("off", [-1e8, 1e8])
def test_on_one_machine_no_clock_is_asked(off, tmp_path, holder):
    """A heartbeat of years ago, or of years to come: a process here has the lock, or it has not."""
    moment = time.time() + off
    os.utime(tmp_path / LOCK_FILE, (moment, moment))
    assert is_busy(tmp_path)
    with pytest.raises(BusyError):
        RunLock(tmp_path)
    holder.kill()
    holder.wait()
    os.utime(tmp_path / LOCK_FILE, (moment, moment))
    assert not is_busy(tmp_path)
    RunLock(tmp_path).release()


def test_two_that_come_at_once_do_not_both_get_it(tmp_path):
    """Many processes, over a lock that a dead one left: one holds it, the others are turned away."""
    write_owner(tmp_path, host=socket.gethostname())
    command = [sys.executable, "-c", HOLD, str(tmp_path)]
    rivals = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(4)]
    end = time.monotonic() + 60
    while sum(rival.poll() is None for rival in rivals) > 1 and time.monotonic() < end:
        time.sleep(0.05)
    held = [rival for rival in rivals if rival.poll() is None]
    assert len(held) == 1
    for rival in rivals:
        rival.kill()
    assert [rival.stdout.read() for rival in held] == ["held\n"]
    turned_away = [rival.stderr.read() for rival in rivals if rival not in held]
    assert all(f"BusyError: pid {held[0].pid} of " in said for said in turned_away)


def test_one_that_let_go_is_not_spoken_of(tmp_path, capsys):
    RunLock(tmp_path).release()
    RunLock(tmp_path).release()
    assert capsys.readouterr().err == ""
    assert (tmp_path / LOCK_FILE).read_bytes() == b""


def test_another_machine_with_a_heartbeat_is_waited_for(tmp_path):
    write_owner(tmp_path)
    assert is_busy(tmp_path)
    with pytest.raises(BusyError, match=r"pid 7 of ann@far, since then: piva run is writing .* another machine"):
        RunLock(tmp_path)


def test_another_machine_without_one_is_followed(tmp_path, capsys):
    write_owner(tmp_path)
    old = time.time() - run_lock.SECONDS_TILL_STALE - 1
    os.utime(tmp_path / LOCK_FILE, (old, old))
    assert not is_busy(tmp_path)
    lock = RunLock(tmp_path)
    assert "taken over from pid 7 of ann@far" in capsys.readouterr().err
    assert json.loads((tmp_path / LOCK_FILE).read_bytes())["pid"] == os.getpid()
    lock.release()


def test_the_age_of_a_heartbeat_is_the_disk_s_not_the_clock_s(tmp_path, monkeypatch):
    write_owner(tmp_path)
    monkeypatch.setattr(run_lock.time, "time", lambda: 4e9)
    assert is_busy(tmp_path)


def test_who_was_taken_over_writes_no_more(tmp_path):
    lock = RunLock(tmp_path)
    lock.check()
    write_owner(tmp_path)
    with pytest.raises(BusyError, match="was taken over by pid 7 of ann@far"):
        lock.check()
    lock.release()
    assert json.loads((tmp_path / LOCK_FILE).read_bytes())["pid"] == 7  # what is the other's stays


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"pid": 7}'])
def test_a_lock_file_cut_short_is_nobody_s(content, tmp_path):
    (tmp_path / LOCK_FILE).write_bytes(content)
    assert not is_busy(tmp_path)
    RunLock(tmp_path).release()


def test_a_heartbeat_is_given(tmp_path, monkeypatch):
    monkeypatch.setattr(run_lock, "SECONDS_BETWEEN_BEATS", 0.02)
    lock = RunLock(tmp_path)
    os.utime(tmp_path / LOCK_FILE, (0, 0))
    end = time.monotonic() + 10
    while (tmp_path / LOCK_FILE).stat().st_mtime == 0 and time.monotonic() < end:
        time.sleep(0.02)
    assert (tmp_path / LOCK_FILE).stat().st_mtime > 1e9
    lock.release()


def test_owners_differ_by_their_token():
    assert Owner.here().token != Owner.here().token


def test_who_writes_is_read_without_a_lock(tmp_path):
    assert writer(tmp_path) is None
    lock = RunLock(tmp_path)
    owner, beat = writer(tmp_path)
    assert (owner, beat) == (lock.owner, (tmp_path / LOCK_FILE).stat().st_mtime)
    lock.release()
    assert writer(tmp_path) is None
    (tmp_path / LOCK_FILE).write_text('{"user": "ann"')
    assert writer(tmp_path) is None
