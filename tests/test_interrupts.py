"""Ctrl-C while something is written: it waits, once, and is never lost."""

import os
import signal
import subprocess
import sys
import threading

import pytest

from piva.interrupts import finishing, interruptible
from piva.records import read_cases

WRITER = """
import os, signal
from pathlib import Path
from piva.records import CaseRecord, RunFolder
case = CaseRecord(case_id="a", status="ok", type_id="0", content="c", score_key="k", launch=0)
real = os.fsync
def interrupted(handle):
    os.kill(os.getpid(), signal.SIGINT)  # as the line is written, and not yet on the disk
    real(handle)
os.fsync = interrupted
with RunFolder(Path({folder!r})) as folder:
    folder.append(case)
    folder.append(case.model_copy(update={{"case_id": "b"}}))
"""


@pytest.fixture(params=[signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def interrupt(request):
    """Sends this process what Ctrl-C sends, or one of its kin, with Python's own handler."""
    with interruptible():
        before = signal.signal(signal.SIGINT, signal.default_int_handler)
        yield lambda: os.kill(os.getpid(), request.param)
        signal.signal(signal.SIGINT, before)


def test_what_nohup_ignores_stays_ignored_and_handlers_come_back():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    usual = signal.getsignal(signal.SIGTERM)
    try:
        with interruptible():
            assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
            assert signal.getsignal(signal.SIGTERM) is signal.default_int_handler
        assert signal.getsignal(signal.SIGTERM) == usual
    finally:
        signal.signal(signal.SIGHUP, before)


def test_what_is_within_is_done_first(interrupt):
    done = []

    def write():
        with finishing():
            interrupt()
            done.append("written")

    with pytest.raises(KeyboardInterrupt):
        write()
    assert done == ["written"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_the_innermost_waits_for_the_outermost(interrupt):
    done = []

    def write():
        with finishing():
            with finishing():
                interrupt()
                done.append("inner")
            done.append("outer")

    with pytest.raises(KeyboardInterrupt):
        write()
    assert done == ["inner", "outer"]


def test_it_is_not_lost_when_the_write_fails(interrupt):
    def write():
        with finishing():
            interrupt()
            raise OSError("No space left on device")

    with pytest.raises(KeyboardInterrupt) as caught:
        write()
    assert isinstance(caught.value.__context__, OSError)


def test_another_thread_leaves_the_handler_alone(interrupt):
    seen = []

    def write():
        with finishing():
            seen.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=write)
    thread.start()
    thread.join()
    assert seen == [signal.default_int_handler]


def test_a_record_is_whole_after_ctrl_c(tmp_path):
    program = WRITER.format(folder=str(tmp_path))
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert "KeyboardInterrupt" in ended.stderr
    assert list(read_cases(tmp_path)) == ["a"]
    assert (tmp_path / "cases.jsonl").read_bytes().endswith(b"}\n")
