"""How fast a run goes, and what it has left to do.

A line of cases.jsonl has no time. What is known is when a launch began, and when the file last grew; whoever looks
again and again knows when it grew before. Batches and workers bring several cases at once, so speed is the growth
between two such moments, never between a moment and now.
"""

from collections.abc import Callable, Mapping
from datetime import datetime

from piva.records import CaseRecord, Launch, RunRecord

SECONDS_OF_SPEED = 600.0
"""Speed is that of so many seconds up to the newest case. Ours."""


class Pace:
    """How fast the cases of one launch end, from when its file grew. An edit that is still to be scored has ended."""

    def __init__(self, launch: Launch) -> None:
        self._moments = [(datetime.fromisoformat(launch.started).timestamp(), 0)]

    def note(self, when: float, count: int) -> None:
        """At `when` (Unix time) the file had grown to so many cases of this launch."""
        if count > self._moments[-1][1]:
            self._moments.append((max(when, self.newest), count))

    @property
    def newest(self) -> float:
        """When the last case ended; before the first, when the launch began."""
        return self._moments[-1][0]

    def speed(self) -> tuple[float, float] | None:
        """(cases a second, the seconds of which that is the mean); None before the first case.

        Those are SECONDS_OF_SPEED and more, up to the newest case; or all that is known, since the launch began.
        """
        newest, count = self._moments[-1]
        early = [moment for moment in self._moments[:-1] if moment[0] <= newest - SECONDS_OF_SPEED]
        when, earlier = early[-1] if early else self._moments[0]
        return ((count - earlier) / (newest - when), newest - when) if newest > when else None


def speed_before(record: RunRecord, cases: Mapping[str, CaseRecord]) -> float | None:
    """Cases a second of the last launch that was made as the present one is, for one that has no case yet."""
    *earlier, last = record.launches
    for number, launch in reversed(list(enumerate(earlier))):
        alike = (launch.executor, launch.workers, launch.batch_size) == (last.executor, last.workers, last.batch_size)
        count = sum(case.launch == number for case in cases.values())
        if alike and count and launch.seconds:
            return count / launch.seconds
    return None


def settles(record: RunRecord) -> Callable[[CaseRecord], bool]:
    """What tells whether a case's record is all that is asked for: edited and scored, and not to be tried again."""
    number, last = len(record.launches) - 1, record.launches[-1]
    again = last.overwrite if last.ended is None else None

    def settled(case: CaseRecord) -> bool:
        if case.unscored or (case.status == "ok" and case.score_key != record.score_key):
            return False
        earlier = case.launch < number
        return not (earlier and (again == "always" or (again == "retry-errors" and case.status == "error")))

    return settled
