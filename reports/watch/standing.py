"""How runs stand while they are written: what is done and left, how fast it goes, who writes, all from records."""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from piva.records import RUN_FILE, CaseRecord, RunRecord
from piva.records.lock import SECONDS_TILL_STALE, Owner, writer
from piva.records.run_files import shards_of
from piva.stats import Interval
from reports.watch.following import Followed
from reports.watch.pace import Pace, settles, speed_before
from reports.watch.tally import Tally

State = Literal["not begun", "running", "silent", "gone", "stopped", "done"]
"""silent: who signed in gives no sign of life; gone: their process is no more, and did not sign off; stopped: nobody
is signed in, and cases are left; done: no case is left, and nobody writes."""


DEPTH = 6
"""Folders between the one that is watched and a run. Ours; of runs/ a study's run is in the fourth."""


@dataclass(frozen=True)
class Sign:
    """Who is signed in as the writer of a folder."""

    owner: Owner
    silent_for: float
    """Seconds since the last sign of life."""
    exists: bool
    """False where it should be a process of this machine, and there is none of that number."""

    @property
    def state(self) -> State:
        """What that says of the run."""
        if not self.exists:
            return "gone"
        return "silent" if self.silent_for > SECONDS_TILL_STALE else "running"


@dataclass(frozen=True)
class Standing:
    """How a run stands, its shards included."""

    path: Path
    state: State = "not begun"
    record: RunRecord | None = None
    planned: int = 0
    done: int = 0
    """Cases that ended, well or not."""
    skipped: int = 0
    errors: Sequence[CaseRecord] = ()
    """Cases that failed, in the order in which their records were written."""
    means: Mapping[str, Interval] = field(default_factory=dict)
    signs: Sequence[Sign] = ()
    speed: float | None = None
    """Cases a second, lately: of all that write to it together."""
    speed_over: float = 0.0
    """Seconds of which that is the mean."""
    seconds_left: float | None = None
    """At that speed; None where it is not known, or where not all who have work left are at it."""
    newest: float | None = None
    """When the last case ended, or the launch began: Unix time."""
    remarks: Sequence[str] = ()
    """What else is worth saying, a sentence each."""

    @property
    def failed(self) -> bool:
        """Whether a case did."""
        return bool(self.errors)


class WatchedFolder:
    """One folder of records, of a run or of a shard, that is looked at again and again."""

    def __init__(self, path: Path) -> None:
        self.records = Followed(path)
        self.planned: set[str] = set()
        self.left: set[str] = set()
        """Ids of cases that are still to be edited, scored, or tried again."""
        self.pace: Pace | None = None
        self.sign: Sign | None = None
        self._own: set[str] = set()
        self._asked: frozenset[str] = frozenset()
        self._launch: tuple[int, str] | None = None
        self._beat: tuple[float, float] | None = None

    def look(self, now: float) -> bool:
        """Reads what is new; whether there was anything."""
        self.sign = self._sign(now)
        if not self.records.read():
            return False
        record = self.records.record
        if record is None or not record.launches:
            self.planned, self.left, self._own, self.pace, self._launch = set(), set(), set(), None, None
            return True
        number, launch = len(record.launches) - 1, record.launches[-1]
        if self.pace is None or self._launch != (number, launch.started):
            self._launch, self.pace = (number, launch.started), Pace(launch)
            self._asked = frozenset(launch.planned)
        if self.records.anew:
            self.planned = {id_ for launch in record.launches for id_ in launch.planned}
            self.left, self._own = set(self.planned), set()
        self._count(record, number)
        self.pace.note(min(self.records.grown, now), len(self._own))
        return True

    def ended(self, case_id: str) -> CaseRecord | None:
        """The record of a case that is asked for and not left to do."""
        return None if case_id in self.left or case_id not in self.planned else self.records.cases.get(case_id)

    def _count(self, record: RunRecord, number: int) -> None:
        """Which cases are settled, and which are of launch `number`, of those that were read."""
        cases, settled = self.records.cases, settles(record)
        for id_ in cases if self.records.anew else self.records.fresh:
            if settled(cases[id_]):
                self.left.discard(id_)
            elif id_ in self.planned:
                self.left.add(id_)
            if cases[id_].launch == number:
                self._own.add(id_)

    @property
    def state(self) -> State:
        """How it stands by itself."""
        if self.records.record is None:
            return "not begun"
        if self.sign is not None:
            return self.sign.state
        return "stopped" if self.left else "done"

    def seconds_left(self, now: float) -> float | None:
        """Until what its last launch was asked for has ended, at the present speed; None where that is not known."""
        record = self.records.record
        if record is None or self.pace is None or self.state != "running":
            return None
        lately = self.pace.speed()
        speed = lately[0] if lately else speed_before(record, self.records.cases)
        return max(0.0, len(self.left & self._asked) / speed - (now - self.pace.newest)) if speed else None

    def _sign(self, now: float) -> Sign | None:
        """Who is signed in. A heartbeat that was seen to change is a sign of life whatever the disk's clock says."""
        found = writer(self.records.path)
        if found is None:
            self._beat = None
            return None
        owner, beat = found
        if self._beat is None or beat != self._beat[0]:
            self._beat = (beat, beat if self._beat is None else now)
        exists = owner.host != socket.gethostname() or _exists(owner.pid)
        return Sign(owner, max(0.0, now - self._beat[1]), exists)


class WatchedRun:
    """A run with its shards, looked at again and again."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.folders: dict[Path, WatchedFolder] = {}
        self._tally = Tally()
        self._known = Standing(path)

    def look(self, now: float) -> bool:
        """Reads what is new; whether there was anything. `now` is Unix time."""
        for path in (self.path, *shards_of(self.path)):
            if path not in self.folders:
                self.folders[path] = WatchedFolder(path)
        changed = [folder.records for folder in self.folders.values() if folder.look(now)]
        if not changed:
            return False
        ids = [id_ for records in changed for id_ in records.fresh]
        if any(records.anew for records in changed):
            self._tally, ids = Tally(), [id_ for one in self.folders.values() for id_ in one.records.cases]
        for id_ in ids:
            self._tally.put(id_, self._ended(id_))
        self._known = self._counted()
        return True

    def standing(self, now: float) -> Standing:
        """How it stands, as far as it has been read."""
        begun = [folder for folder in self.folders.values() if folder.pace is not None]
        running = [folder for folder in begun if folder.state == "running"]
        speeds = [speed for folder in running if folder.pace and (speed := folder.pace.speed())]
        times = [folder.seconds_left(now) for folder in running]
        known = [time for time in times if time is not None]
        complete = len(known) == len(times) > 0 and not any(one.left for one in begun if one not in running)
        return replace(
            self._known,
            state=self._state(begun),
            signs=[folder.sign for folder in self.folders.values() if folder.sign is not None],
            speed=sum(speed for speed, _ in speeds) if speeds else None,
            speed_over=max((over for _, over in speeds), default=0.0),
            seconds_left=max(known) if complete and not self._to_come() else None,
            newest=max((folder.pace.newest for folder in begun if folder.pace), default=None),
        )

    def _ended(self, case_id: str) -> CaseRecord | None:
        """Its record: one that ended well goes before one that did not, the run's own before a shard's."""
        found = [case for folder in self.folders.values() if (case := folder.ended(case_id)) is not None]
        return next((case for case in found if case.status == "ok"), found[0] if found else None)

    def _counted(self) -> Standing:
        """What only changes when something is read."""
        record = next((one.records.record for one in self.folders.values() if one.pace is not None), None)
        tally, planned = self._tally, set().union(*(folder.planned for folder in self.folders.values()))
        return Standing(
            self.path, "stopped", record, len(planned), len(tally.ended), tally.skipped, list(tally.errors.values()),
            tally.means(record.metrics) if record else {}, remarks=self._remarks(),
        )  # fmt: skip

    def _state(self, begun: Sequence[WatchedFolder]) -> State:
        states = [folder.state for folder in begun]
        if not begun:
            return "not begun"
        if "running" in states:
            return "running"
        if self._known.done == self._known.planned and not self._to_come():
            return "done"
        worst: tuple[State, ...] = ("silent", "gone")
        return next((state for state in worst if state in states), "stopped")

    def _to_come(self) -> int:
        """How many shards have not begun, of a run that has only shards."""
        of = [int(path.name.rpartition("-")[2]) for path in self.folders if re.fullmatch(r"\d+-of-\d+", path.name)]
        alone = self.folders[self.path].records.record is None
        return max(of) - len(of) if of and alone else 0

    def _remarks(self) -> list[str]:
        damaged = [folder.records.damaged_run for folder in self.folders.values()]
        found = [sentence for sentence in damaged if sentence is not None]
        if lines := sum(folder.records.damaged_lines for folder in self.folders.values()):
            found.append(f"{lines} damaged lines: piva check run {self.path}")
        if to_come := self._to_come():
            found.append(f"{to_come} of the shards have not begun")
        return found


def runs_in(folder: Path) -> list[Path]:
    """The run that a folder is, or all runs below it, in the order of their paths; shards count for their run.

    Nothing is looked for inside a run, in hidden folders, or deeper than `DEPTH`.
    """
    found, waiting = [], [(folder, 0)]
    while waiting:
        place, depth = waiting.pop()
        if (place / RUN_FILE).exists() or shards_of(place):
            found.append(place)
        elif depth < DEPTH:
            waiting += [(below, depth + 1) for below in _folders(place)]
    return sorted(found)


def _folders(place: Path) -> list[Path]:
    """Folders in a folder, but for hidden ones and links; none where there is no such folder."""
    try:
        with os.scandir(place) as entries:
            return [Path(e.path) for e in entries if e.name[0] != "." and e.is_dir(follow_symlinks=False)]
    except OSError:  # it has gone meanwhile, or may not be read
        return []


def _exists(pid: int) -> bool:
    """Whether this machine has a process of that number."""
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError, TypeError):
        return False
    except PermissionError:
        pass
    return True
