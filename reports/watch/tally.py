"""Counts and means of cases, kept up with each record that comes: the same after ten thousand as after ten."""

import math
from collections.abc import Iterable
from statistics import NormalDist

from piva.records import CaseRecord
from piva.stats import LEVEL, Interval


class Tally:
    """The cases that have ended, well or not."""

    def __init__(self) -> None:
        self.ended: dict[str, CaseRecord] = {}
        self.errors: dict[str, CaseRecord] = {}
        """In the order in which they came."""
        self.skipped = 0
        self._ok = 0
        self._sums: dict[str, tuple[int, float, float]] = {}

    def put(self, case_id: str, case: CaseRecord | None) -> None:
        """The case's record is this from now on; None: it is to be done again."""
        before = self.ended.pop(case_id, None)
        if before is not None:
            self._count(before, -1)
            self.errors.pop(case_id, None)
        if case is not None:
            self.ended[case_id] = case
            self._count(case, 1)
            if case.failed:
                self.errors[case_id] = case

    def means(self, names: Iterable[str]) -> dict[str, Interval]:
        """Mean and interval by the normal approximation, mean -+ 1.96 s / sqrt(n), of cases that ended well.

        Near those of a table, whose intervals are drawn ten thousand times, at a thousandth of the time.
        """
        return {name: self._mean(name) for name in names}

    def _count(self, case: CaseRecord, sign: int) -> None:
        self.skipped += sign * (case.status == "skipped")
        if case.status != "ok":
            return
        self._ok += sign
        for name, value in case.metrics.items():
            if value is not None:
                n, total, squares = self._sums.get(name, (0, 0.0, 0.0))
                self._sums[name] = (n + sign, total + sign * value, squares + sign * value * value)

    def _mean(self, name: str) -> Interval:
        n, total, squares = self._sums.get(name, (0, 0.0, 0.0))
        if n == 0:
            return Interval(None, None, None, 0, self._ok)
        mean = total / n
        if n == 1:
            return Interval(mean, None, None, 1, self._ok - 1)
        half = NormalDist().inv_cdf((1 + LEVEL) / 2) * math.sqrt(max(0.0, squares / n - mean * mean) / n)
        return Interval(mean, mean - half, mean + half, n, self._ok - n)
