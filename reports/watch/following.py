"""Records that grow: read again and again, each time only what is new, without taking any lock.

What a merge has decided and not moved yet counts here too, as for every reader; that it is moved later changes nothing.
"""

import os
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from piva.allocator import uncollected
from piva.errors import ConfigError
from piva.records import CASES_FILE, RUN_FILE, CaseRecord, RunRecord, parse_case, read_run
from piva.records.files import MERGED, opened

_REMEMBERED = 256
"""Bytes before the place where reading goes on; where they are others, the file is another."""

_Stamp = tuple[int, int, int]


@dataclass
class Followed:
    """The records in one folder, as far as they have been read: of a run, or of a shard of one."""

    path: Path
    record: RunRecord | None = None
    """None as long as there is none."""
    cases: dict[str, CaseRecord] = field(default_factory=dict)
    """Case id -> its last record, in the order in which these were written."""
    fresh: list[str] = field(default_factory=list)
    """Ids of the cases that the last reading read, in the order of their lines."""
    anew: bool = False
    """Whether in the last reading the run's record was another, or the file of cases: all may have changed."""
    grown: float = 0.0
    """When the file of cases last changed: Unix time, by the clock of the disk."""
    damaged_run: str | None = None
    """Why the run's own record cannot be read, in a sentence; `record` is then the last one that could."""
    damaged_lines: int = 0
    """Whole lines that are no record of a case."""
    _run_stamp: _Stamp | None = None
    _stamp: _Stamp | None = None
    _at: int = 0
    _before: bytes = b""

    def read(self) -> bool:
        """Reads what is new since the last time; whether there was anything.

        A torn last line waits until it is whole. A file that was cut short or replaced is read anew.
        """
        self.fresh = []
        self.anew = self._read_run()
        return self._read_cases() or self.anew

    def _read_run(self) -> bool:
        stamp = _stamp(self.path, RUN_FILE)
        if stamp == self._run_stamp:
            return False
        self._run_stamp = stamp
        self.damaged_run = None
        try:
            self.record = None if stamp is None else read_run(self.path)
        except (ConfigError, OSError) as problem:
            self.damaged_run = " ".join(str(problem).split())
        return True

    def _read_cases(self) -> bool:
        stamp = _stamp(self.path, CASES_FILE)
        if stamp == self._stamp:
            return False
        if stamp is None:
            self._forget()
            self._stamp = None
            return True
        try:
            file = opened(self.path, CASES_FILE)
        except FileNotFoundError:  # since its stamp was taken: the next look sees that
            return False
        with file:
            status = os.fstat(file.fileno())
            other = self._stamp is not None and status.st_ino != self._stamp[0]
            file.seek(self._at - len(self._before))
            if other := other or file.read(len(self._before)) != self._before:
                self._forget()
                file.seek(0)
            content = file.read()
        self._stamp = (status.st_ino, status.st_size, status.st_mtime_ns)
        whole = content[: content.rfind(b"\n") + 1]
        self._add(whole)
        self._at += len(whole)
        self._before = (self._before + whole)[-_REMEMBERED:]
        self.grown = status.st_mtime
        return other or bool(whole)

    def _add(self, lines: bytes) -> None:
        with uncollected():
            for line in lines.split(b"\n")[:-1]:
                try:
                    case = parse_case(line)
                except (ValueError, RecursionError):  # a newer version's line, too
                    self.damaged_lines += 1
                    continue
                self.cases.pop(case.case_id, None)
                self.cases[case.case_id] = case
                self.fresh.append(case.case_id)

    def _forget(self) -> None:
        self.anew = True
        self.cases.clear()
        self._at, self._before, self.damaged_lines = 0, b"", 0


def _stamp(folder: Path, name: str) -> _Stamp | None:
    """What changes whenever the file that counts does; None where there is none."""
    for file in (folder / MERGED / name, folder / name):
        with suppress(OSError):
            status = file.stat()
            return status.st_ino, status.st_size, status.st_mtime_ns
    return None
