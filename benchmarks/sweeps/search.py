"""Optuna beside a sweep: it draws the points of a search, and says which runs are not worth their remaining cases.

Optuna's study is its memory only. What is true stands in the ledger and in the records, and `Memory.catch_up` tells the
study what it does not know yet: what a killed worker had finished, and everything after its journal was deleted.

Workers, on one machine or several, share the study through a journal file. Its lock is a file made with O_EXCL, which
is atomic on NFS from version 3 on, and works where machines mount the folder at different paths (a symbolic link does
not). Where a process was killed while it held the lock, the others free it after half a minute.
"""

from __future__ import annotations

import hashlib
import math
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.exceptions import ExperimentalWarning
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock
from optuna.trial import FrozenTrial, Trial, TrialState, create_trial

from benchmarks.sweeps.board import PointOnDisk, metric_of
from benchmarks.sweeps.ledger import Ledger, cut_torn_line
from benchmarks.sweeps.points import Point, quantile
from benchmarks.sweeps.pruning import Course, pruner, rungs
from benchmarks.sweeps.schema import Parameter, Sweep
from piva.errors import ConfigError

SamplerName = Literal["tpe", "gp"]
STUDY = "sweep"
POINT = "point"
"""User attribute of a trial: the number of its point."""
EDGE = 1e-4
"""Share left out at both ends of a distribution that has no end."""


class Memory:
    """The study of a sweep.

    Args:
        seed: the n-th point depends on it and on what is known of the points before.
    """

    def __init__(self, sweep: Sweep, ledger: Ledger, sampler: SamplerName, seed: int) -> None:
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        assert sweep.metric is not None  # which the reader of sweep files saw to
        self.sweep, self.metric = sweep, metric_of(sweep.metric)
        self._ledger, self._sampler, self._seed = ledger, sampler, seed
        self._space = {
            name: found for name, parameter in sweep.parameters.items() if (found := distribution(parameter))
        }
        self._rungs = rungs(sweep.early_terminate) if sweep.early_terminate else ()
        with ledger.drawing():
            self._storage = _storage(ledger.journal)
            self._study = optuna.create_study(
                study_name=STUDY,
                storage=self._storage,
                direction=sweep.metric.goal,
                pruner=pruner(sweep.early_terminate),
                load_if_exists=True,
            )

    def draw(self, index: int) -> tuple[Point, dict[str, Any]]:
        """(the next point of the search, what Optuna suggested for it); while the ledger is `drawing`."""
        drawer = sampler(self._sampler, self._seed, index)
        trial = optuna.load_study(study_name=STUDY, storage=self._storage, sampler=drawer).ask(self._space)
        trial.set_user_attr(POINT, index)
        return point_of(self.sweep, trial.params), dict(trial.params)

    def course(self, found: PointOnDisk) -> Course:
        """Takes a point up, for the first time or again: what is recorded of it is told."""
        trial = self._unfinished(found.index) or self._begin(found.index)
        ahead = [rung for rung in self._rungs if rung not in trial.intermediate_values]
        return Course(Trial(self._study, trial._trial_id), self.metric, ahead, found.values(self.metric))

    def end(self, found: PointOnDisk) -> None:
        """Tells how an attempt ended; what failed has no value, since a mean over other cases is no comparison."""
        trial = self._unfinished(found.index)
        if trial is None:
            return
        value = found.mean(self.metric) if found.state == "done" else None
        if found.state == "pruned":
            self._study.tell(trial.number, state=TrialState.PRUNED)
        elif value is None:
            self._study.tell(trial.number, state=TrialState.FAIL)
        else:
            self._study.tell(trial.number, value)

    def catch_up(self, board: Sequence[PointOnDisk]) -> None:
        """Tells what ended on the disk and not in the study; while the ledger is `drawing`."""
        trials = self._study.get_trials(deepcopy=False)
        ended = {TrialState.COMPLETE: "done", TrialState.PRUNED: "pruned"}
        known = {(trial.user_attrs.get(POINT), ended.get(trial.state)) for trial in trials}
        for trial in trials:
            if trial.state == TrialState.RUNNING and not self._is_of_a_point(trial):  # killed while it was drawn
                self._study.tell(trial.number, state=TrialState.FAIL)
        for found in board:
            if found.state in ("done", "pruned") and (found.index, found.state) not in known:
                self.course(found)
                self.end(found)

    def _is_of_a_point(self, trial: FrozenTrial) -> bool:
        """Whether the point that it names is written down as the trial has it."""
        entry = self._ledger.entry(trial.user_attrs.get(POINT, -1))
        return entry is not None and all(entry.suggested.get(name) == value for name, value in trial.params.items())

    def _unfinished(self, index: int) -> FrozenTrial | None:
        running = self._study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
        own = [trial for trial in running if trial.user_attrs.get(POINT) == index]
        return own[0] if own else None

    def _begin(self, index: int) -> FrozenTrial:
        """A new trial of a point: of a grid's, one tried before, or one whose trial is not in the journal."""
        entry = self._ledger.entry(index)
        suggested = {name: entry.suggested[name] for name in self._space} if entry and entry.suggested else {}
        space = self._space if suggested else {}
        trial = create_trial(state=TrialState.RUNNING, params=suggested, distributions=space, user_attrs={POINT: index})
        self._study.add_trial(trial)
        begun = self._unfinished(index)
        assert begun is not None
        return begun


class _MendingLock(JournalFileOpenLock):
    """Whoever has the lock first cuts off the line that a killed process tore: Optuna would write on behind it."""

    def __init__(self, journal: Path) -> None:
        super().__init__(str(journal))
        self._journal = journal

    def acquire(self) -> bool:
        """Waits for the lock."""
        taken = super().acquire()
        if self._journal.exists():
            cut_torn_line(self._journal)
        return taken


def _storage(journal: Path) -> JournalStorage:
    try:
        return JournalStorage(JournalFileBackend(str(journal), _MendingLock(journal)))
    except (ValueError, KeyError) as problem:
        raise ConfigError(f"{journal} is damaged ({problem}); delete it: it is made anew from the records") from None


def sampler(name: SamplerName, seed: int, index: int) -> optuna.samplers.BaseSampler:
    """TPE (Bergstra et al. 2011) or a Gaussian process; the draws of a point depend on seed and index."""
    own = int.from_bytes(hashlib.sha256(f"{seed} {index}".encode()).digest()[:4], "big")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)  # of Optuna 4
        if name == "gp":
            return optuna.samplers.GPSampler(seed=own)
        return optuna.samplers.TPESampler(seed=own, constant_liar=True)  # several workers: what runs counts as bad


def distribution(parameter: Parameter) -> BaseDistribution | None:
    """Where Optuna searches a parameter; None for a constant.

    Ranges are Optuna's own, uniform or logarithmic; of values it searches their places in the list, since a value may
    be a list too. What else W&B has (normal, beta, quantised, weighted) is searched by its quantile, in [0, 1].
    """
    kind, low, high = parameter.distribution, parameter.min, parameter.max
    if len(parameter.values) == 1:
        return None
    if kind == "categorical":
        return CategoricalDistribution(range(len(parameter.values)))
    if kind == "int_uniform":
        return IntDistribution(int(low), int(high))
    if kind == "uniform":
        return FloatDistribution(low, high)
    if kind in ("log_uniform_values", "inv_log_uniform_values"):
        return FloatDistribution(low, high, log=True)
    if kind == "log_uniform":
        return FloatDistribution(math.exp(low), math.exp(high), log=True)
    return FloatDistribution(EDGE, 1 - EDGE)


def point_of(sweep: Sweep, suggested: dict[str, Any]) -> Point:
    """The point that Optuna's suggestions mean."""
    return {name: _value(parameter, suggested.get(name)) for name, parameter in sweep.parameters.items()}


def _value(parameter: Parameter, suggested: Any) -> Any:
    if suggested is None:
        return parameter.values[0]
    if parameter.distribution == "categorical":
        return parameter.values[suggested]
    own = ("int_uniform", "uniform", "log_uniform_values", "inv_log_uniform_values", "log_uniform")
    return suggested if parameter.distribution in own else quantile(parameter, suggested)
