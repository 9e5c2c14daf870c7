"""How fast a run goes, what it has left to do, and its means so far: cheap enough to be asked for every second.

A line of cases.jsonl has no time. What is known is when a launch began, and when the file last grew; whoever looks
again and again knows when it grew before. Batches and workers bring several cases at once, so speed is the growth
between two such moments, never between a moment and now.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from statistics import NormalDist

import numpy as np

from piva.records import CaseRecord, Launch, RunRecord
from piva.stats import LEVEL, Interval

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


def left_of(record: RunRecord, cases: Mapping[str, CaseRecord]) -> frozenset[str]:
    """Ids that a run was asked for and that are still to be edited, scored, or tried again."""
    number, last = len(record.launches) - 1, record.launches[-1]
    again = last.overwrite if last.ended is None else None

    def counts(case: CaseRecord | None) -> bool:
        if case is None or case.unscored or (case.status == "ok" and case.score_key != record.score_key):
            return False
        earlier = case.launch < number
        return not (earlier and (again == "always" or (again == "retry-errors" and case.status == "error")))

    planned = {id_ for launch in record.launches for id_ in launch.planned}
    return frozenset(id_ for id_ in planned if not counts(cases.get(id_)))


def means(record: RunRecord, cases: Mapping[str, CaseRecord]) -> dict[str, Interval]:
    """Means of the run's metrics over its cases; those with scores of other metrics do not count."""
    scored = [case for case in cases.values() if case.status == "ok" and case.score_key == record.score_key]
    return {name: about([case.metrics.get(name) for case in scored]) for name in record.metrics}


def about(values: Sequence[float | None]) -> Interval:
    """The mean and its interval by the normal approximation, mean -+ 1.96 s / sqrt(n): near that of a table, which
    draws ten thousand times, at a thousandth of its time."""
    present = np.array([value for value in values if value is not None], dtype=np.float64)
    n, missing = len(present), len(values) - len(present)
    if n == 0:
        return Interval(None, None, None, 0, missing)
    mean = float(present.mean())
    if n == 1:
        return Interval(mean, None, None, 1, missing)
    half = NormalDist().inv_cdf((1 + LEVEL) / 2) * float(present.std()) / n**0.5
    return Interval(mean, mean - half, mean + half, n, missing)
