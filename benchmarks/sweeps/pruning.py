"""When a run of a sweep is stopped early: W&B's `early_terminate: hyperband`, by Optuna's successive halving.

What W&B's server counts as iterations are here the cases scored so far, all seeds of a point together, and the value is
the metric's mean over them. Cases are in the same order for every point (spread over the edit types), so that means of
as many cases are means over the same cases.

    min_iter, eta       rungs after min_iter, min_iter eta, min_iter eta^2, ... cases
    max_iter, s, eta    rungs after max_iter / eta^s, ..., max_iter / eta cases (whole ones, at least 1)

At a rung a run goes on where it is among the best 1/eta of those that came so far. W&B calls this hyperband, but all of
its runs climb one ladder: it is asynchronous successive halving (Li et al. 2018, arXiv 1810.05934), hence Optuna's
SuccessiveHalvingPruner and not its HyperbandPruner, which deals runs out to ladders that begin at different rungs. The
first eta - 1 runs at a rung go on where they are the best so far.
A run is asked between batches, so it may score the rest of its batch beyond the rung; its value there counts all the
same as it was at the rung.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

from optuna.pruners import BasePruner, NopPruner, SuccessiveHalvingPruner
from optuna.trial import Trial
from torch import Tensor

from benchmarks.sweeps.schema import Hyperband
from piva.errors import ConfigError
from piva.records import CaseRecord

MOST = 1_000_000
"""Cases that no benchmark has."""


def rungs(rule: Hyperband) -> tuple[int, ...]:
    """Numbers of scored cases after which a run is compared with others.

    Raises:
        ConfigError: there is none, or W&B's server alone can do what the rule asks for.
    """
    if rule.eta != int(rule.eta):
        raise ConfigError(f"early_terminate.eta: must be a whole number without a server, not {rule.eta:g}")
    if not rule.strict:
        raise ConfigError("early_terminate.strict: without a server runs are compared by their means at the rung: true")
    if rule.max_iter is not None and rule.max_iter < rule.eta:
        raise ConfigError(
            f"early_terminate.max_iter: {rule.max_iter} with eta {rule.eta:g} gives no rung: the first is after "
            "max_iter / eta cases"
        )
    if rule.max_iter is not None and rule.s is not None:
        found = (int(rule.max_iter / rule.eta**k) for k in range(1, rule.s + 1))
        return tuple(sorted(rung for rung in found if rung >= 1))
    assert rule.min_iter is not None
    return tuple(itertools.takewhile(lambda rung: rung < MOST, (rule.min_iter * int(rule.eta) ** k for k in range(99))))


def pruner(rule: Hyperband | None) -> BasePruner:
    """Optuna's pruner for the rule; without one, none."""
    if rule is None:
        return NopPruner()
    return SuccessiveHalvingPruner(min_resource=rungs(rule)[0], reduction_factor=int(rule.eta))


class Course:
    """Watches a point's runs: tells Optuna the mean at every rung, and ends the run that is not worth going on.

    Args:
        rungs: that it has not come to yet.
        scored: the metric of the cases recorded before.
    """

    def __init__(self, trial: Trial, metric: str, rungs: Sequence[int], scored: Sequence[float]) -> None:
        self._trial, self._metric, self._rungs = trial, metric, frozenset(rungs)
        self._sum, self._count = 0.0, 0
        self.stopped_at: int | None = None
        """The rung that the point did not pass."""
        for value in scored:
            self._take(value)

    def step(self, values: dict[str, Any]) -> None:
        """Nothing is known before a case is scored."""

    def case(self, record: CaseRecord, source: Tensor | None, edited: Tensor | None) -> None:
        """Counts a case that ended well and has the metric."""
        value = record.metrics.get(self._metric, getattr(record, self._metric, None))
        if record.status == "ok" and value is not None:
            self._take(float(value))

    def goes_on(self) -> bool:
        """Whether it passed every rung it came to."""
        return self.stopped_at is None

    def _take(self, value: float) -> None:
        self._sum, self._count = self._sum + value, self._count + 1
        if self._count not in self._rungs or self.stopped_at is not None:
            return
        self._trial.report(self._sum / self._count, self._count)
        if self._trial.should_prune():
            self.stopped_at = self._count
