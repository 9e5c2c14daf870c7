"""One writer for a run's folder: a lock file that says who has it, and a heartbeat that says that they are alive.

    run.lock    held with flock while the run is written; its text is the owner (JSON), its time of change the heartbeat

A process that dies lets go of flock at once, on this machine and on shared file systems that pass locks on; its name
stays in the file, and whoever follows says so. Where another machine's lock is not seen, its heartbeat is.
"""

from __future__ import annotations

import fcntl
import getpass
import json
import os
import socket
import sys
import tempfile
import threading
import time
import uuid
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import BinaryIO

from piva.errors import PreflightError
from piva.provenance import command_line

LOCK_FILE = "run.lock"
SECONDS_BETWEEN_BEATS = 10.0
SECONDS_TILL_STALE = 60.0
"""Without a heartbeat, for an owner on another machine. Ours."""
SECONDS_OF_TRYING = 0.5
"""Who only looks whether a lock is held has it for a moment."""


class BusyError(PreflightError):
    """Another process writes to the run's folder."""


@dataclass(frozen=True)
class Owner:
    """Who writes to a run."""

    user: str
    host: str
    pid: int
    since: str
    """UTC."""
    command: str
    token: str
    """Of this lock alone."""

    @classmethod
    def here(cls) -> Owner:
        """This process."""
        since = datetime.now(timezone.utc).isoformat(timespec="seconds")
        return cls(_user(), socket.gethostname(), os.getpid(), since, command_line(), uuid.uuid4().hex)

    def __str__(self) -> str:
        return f"pid {self.pid} of {self.user}@{self.host}, since {self.since}: {self.command}"


class RunLock:
    """The lock of a run's folder, held until `release`.

    Raises:
        BusyError: somebody else has it.
        OSError: the disk refuses.
    """

    def __init__(self, folder: Path) -> None:
        self.folder, self.owner = folder, Owner.here()
        self._file = (folder / LOCK_FILE).open("a+b")
        try:
            self._take()
        except BaseException:
            self._file.close()
            raise
        self._ended = threading.Event()
        threading.Thread(target=self._beat, name="piva-heartbeat", daemon=True).start()

    def check(self) -> None:
        """Raises BusyError where another machine has taken the run over: this process was still for too long."""
        now = _owner(self._file)
        if now is None or now.token != self.owner.token:
            raise BusyError(f"{self.folder} was taken over by {now or 'somebody'}; what was recorded before is kept")

    def release(self) -> None:
        """Let go of it; the file stays, empty."""
        self._ended.set()
        now = _owner(self._file)
        if now is not None and now.token == self.owner.token:
            self._file.truncate(0)
        self._file.close()

    def _take(self) -> None:
        if not _locked(self._file, SECONDS_OF_TRYING):
            raise BusyError(f"{_owner(self._file) or 'another process'} is writing to {self.folder}: wait or stop it")
        left = _owner(self._file)
        if left is not None:
            if _alive_elsewhere(left, self.folder):
                raise BusyError(
                    f"{left} is writing to {self.folder}, from another machine: wait, or stop it; a process that is "
                    f"gone is followed {SECONDS_TILL_STALE:.0f} seconds after its last heartbeat"
                )
            print(f"{self.folder}: taken over from {left}, which ended without letting go", file=sys.stderr)
        self._file.truncate(0)
        self._file.write(json.dumps(asdict(self.owner)).encode())
        self._file.flush()

    def _beat(self) -> None:
        while not self._ended.wait(SECONDS_BETWEEN_BEATS):
            try:
                os.utime(self.folder / LOCK_FILE)
            except OSError:  # a folder that is gone is noticed where something is written
                return


def is_locked(path: Path) -> bool:
    """Whether a process holds the flock of a file."""
    try:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


def is_busy(folder: Path) -> bool:
    """Whether a process has the run's folder open for writing, here or on another machine."""
    if is_locked(folder / LOCK_FILE):
        return True
    try:
        with (folder / LOCK_FILE).open("rb") as file:
            owner = _owner(file)
    except FileNotFoundError:
        return False
    return owner is not None and _alive_elsewhere(owner, folder)


def writer(folder: Path) -> tuple[Owner, float] | None:
    """Who has signed in a run's folder as its writer, and when they last gave a sign of life (Unix time, by the clock
    of the disk); None where nobody has.

    Takes no lock, so that whoever looks again and again is in nobody's way. A process that died may still be named.
    """
    try:
        with (folder / LOCK_FILE).open("rb") as file:
            owner, beat = _owner(file), os.fstat(file.fileno()).st_mtime
    except OSError:
        return None
    return None if owner is None else (owner, beat)


def _locked(file: BinaryIO, seconds: float) -> bool:
    """Whether the flock could be had within so many seconds."""
    end = time.monotonic() + seconds
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            if time.monotonic() > end:
                return False
            time.sleep(0.02)


def _owner(file: BinaryIO) -> Owner | None:
    """Who is named in a lock file; None where it is empty, or was cut short."""
    file.seek(0)
    try:
        return Owner(**json.loads(file.read()))
    except (ValueError, TypeError):
        return None


def _alive_elsewhere(owner: Owner, folder: Path) -> bool:
    """Whether an owner on another machine has given a sign of life; by the clock of the disk, not by ours."""
    if owner.host == socket.gethostname():
        return False  # its flock would be seen
    try:
        with tempfile.NamedTemporaryFile(dir=folder) as file:
            now = os.stat(file.name).st_mtime
    except OSError:  # a disk that may only be read
        now = time.time()
    return now - (folder / LOCK_FILE).stat().st_mtime < SECONDS_TILL_STALE


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container without a name for its user
        return str(os.getuid())
