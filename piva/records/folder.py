"""The folder of one run, while a process writes to it."""

import errno
import os
from pathlib import Path
from typing import Any

from piva.disk import disk, write_atomically, write_png
from piva.interrupts import finishing
from piva.records.files import CASES_FILE, RUN_FILE, settle
from piva.records.lock import RunLock
from piva.records.model import IMAGES, CaseRecord, RunRecord


class RunFolder:
    """The folder of one run, open for writing by one process.

    Raises:
        BusyError: another process writes to it.
        PreflightError: the disk refuses.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with disk(path):
            (path / IMAGES).mkdir(parents=True, exist_ok=True)
            self._lock = RunLock(path)
            settle(path)
            self._cases = (path / CASES_FILE).open("ab", buffering=0)

    def __enter__(self) -> "RunFolder":
        return self

    def __exit__(self, *exception: object) -> None:
        self._cases.close()
        with disk(self.path):
            self._lock.release()

    def write_run(self, record: RunRecord) -> None:
        with finishing(), disk(self.path):
            write_atomically(self.path / RUN_FILE, record.model_dump_json(indent=2).encode() + b"\n")

    def append(self, record: CaseRecord) -> None:
        """Add a line and wait until it is on the disk; Ctrl-C waits, too.

        Raises:
            BusyError: another machine has taken the run over.
        """
        with finishing(), disk(self.path):
            self._lock.check()
            line = record.model_dump_json(exclude_none=True).encode() + b"\n"
            if self._cases.write(line) < len(line):  # the next writer cuts off what there is of it
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            os.fsync(self._cases.fileno())

    def write_image(self, case_id: str, image: Any) -> tuple[str, str]:
        """(path below the folder, SHA-256 of the file) of a PIL image written as PNG."""
        return f"{IMAGES}/{case_id}.png", write_png(self.path / IMAGES / f"{case_id}.png", image)
