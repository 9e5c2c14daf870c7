"""The points of a sweep, beside what lies on the disk of each."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Literal

from benchmarks.sweeps.arguments import arguments
from benchmarks.sweeps.ledger import Attempt, Ledger
from benchmarks.sweeps.planned import PlannedRun, Planner
from benchmarks.sweeps.points import Point, grid_points, sample
from benchmarks.sweeps.schema import Goal, Sweep
from piva.commands.arguments import take
from piva.errors import ConfigError, MachineError, PreflightError
from piva.records import RUN_FILE, CaseRecord, is_busy, read_cases, read_run
from piva.stats import Interval, bootstrap_mean
from reports.reading import Run
from reports.tables.cells import SEED

State = Literal["done", "running", "failed", "pruned", "missing"]
Refusal = ConfigError | PreflightError


@dataclass(frozen=True)
class PointOnDisk:
    """A point of a sweep, and what is recorded of its runs."""

    index: int
    point: Point
    words: tuple[str, ...]
    """What follows `piva` to run it."""
    planned: tuple[PlannedRun, ...]
    """One for each seed; none where the command line is refused, or what it needs is not here."""
    runs: tuple[Run, ...]
    """The same as they lie on the disk, with the keys of the present scores: what has others counts as not scored."""
    state: State = "missing"
    why: str = ""
    refused: Refusal | None = None
    """Why there is no run."""

    @cached_property
    def ended_well(self) -> dict[tuple[int, str], CaseRecord]:
        """(number of the run, case id) -> record, in the order of the plan."""
        return {
            (number, case_id): run.ok[case_id]
            for number, (planned, run) in enumerate(zip(self.planned, self.runs, strict=True))
            for case_id in planned.cases
            if case_id in run.ok
        }

    @property
    def command(self) -> str:
        """What runs it, for a shell."""
        return shlex.join(["piva", *self.words])

    @property
    def cases(self) -> int:
        """How many cases are asked for, in all runs."""
        return sum(len(planned.cases) for planned in self.planned)

    def by_case(self, name: str) -> dict[tuple[int, str], float | None]:
        """(number of the run, case id) -> a score or a cost, of the cases that ended well, in the order of the plan."""
        return {key: self.runs[key[0]].value(key[1], name) for key in self.ended_well}

    def values(self, name: str) -> list[float]:
        """Those of them that exist."""
        return [value for value in self.by_case(name).values() if value is not None]

    def interval(self, name: str) -> Interval:
        """Mean and bootstrap interval over the cases that ended well."""
        return bootstrap_mean(list(self.by_case(name).values()), SEED)

    def mean(self, name: str) -> float | None:
        """Mean over the cases that ended well so far."""
        values = self.values(name)
        return sum(values) / len(values) if values else None


class Board:
    """The points of a sweep, and what is on the disk of each.

    Args:
        out: folder of the runs.
        seed: of points that are drawn.
    """

    def __init__(self, sweep: Sweep, out: Path, seed: int) -> None:
        self.sweep, self.out, self.seed = sweep, out, seed
        self.ledger = Ledger(out, sweep, seed)
        self._planner = Planner(out)
        self._commands: dict[int, tuple[tuple[str, ...], tuple[PlannedRun, ...], Refusal | None]] = {}

    @property
    def expected(self) -> int:
        """How many points there will be."""
        sweep = self.sweep
        return len(grid_points(sweep)) if sweep.method == "grid" else sweep.run_cap or 0

    def points(self) -> dict[int, Point]:
        """By number, those that there are so far: a search draws its points one after another."""
        sweep = self.sweep
        if sweep.method == "grid":
            return dict(enumerate(grid_points(sweep)))
        if sweep.method == "random" and sweep.run_cap is not None:
            return {index: sample(sweep, self.seed, index) for index in range(sweep.run_cap)}
        return {index: entry.point for index, entry in self.ledger.entries().items()}

    def look(self, index: int, point: Point, *, ours: bool = False) -> PointOnDisk:
        """A point as it stands now.

        Args:
            ours: this process has the point, which is no sign of its running.
        """
        words, planned, refused = self._command(index, point)
        runs = tuple(recorded(one) for one in planned)
        found = PointOnDisk(index, point, words, planned, runs)
        if refused is not None:
            return replace(found, state="failed", why=str(refused), refused=refused)
        state, why = self._state(found, ours)
        return replace(found, state=state, why=why)

    def all(self) -> list[PointOnDisk]:
        """Every point as it stands now."""
        return [self.look(index, point) for index, point in self.points().items()]

    def reaches_target(self, found: PointOnDisk) -> bool:
        """Whether a point is done and its mean meets the metric's target, where the sweep has one."""
        goal = self.sweep.metric
        value = found.mean(metric_of(goal)) if goal is not None and found.state == "done" else None
        if goal is None or goal.target is None or value is None:
            return False
        return value <= goal.target if goal.goal == "minimize" else value >= goal.target

    def is_complete(self) -> bool:
        """Whether every point is done or was stopped early, or one reaches the target."""
        found = self.all()
        if any(self.reaches_target(point) for point in found):
            return True
        return len(found) >= self.expected and all(point.state in ("done", "pruned") for point in found)

    def _command(self, index: int, point: Point) -> tuple[tuple[str, ...], tuple[PlannedRun, ...], Refusal | None]:
        """(what follows `piva`, the runs that it is, why not if there is none); worked out once."""
        if index not in self._commands:
            words = (*take("--out", arguments(self.sweep, point))[1], "--out", str(self.out))
            try:
                self._commands[index] = words, tuple(self._planner.runs(words)), None
            except MachineError:
                raise
            except (ConfigError, PreflightError) as problem:
                self._commands[index] = words, (), problem
        return self._commands[index]

    def _state(self, found: PointOnDisk, ours: bool) -> tuple[State, str]:
        if len(found.ended_well) == found.cases:
            return "done", ""
        busy = any(is_busy(planned.path) for planned in found.planned)
        if not ours and (busy or self.ledger.is_claimed(found.index)):
            return "running", ""
        last = last_attempt(self.ledger, found.index)
        if last is not None and last.ending == "pruned":
            return "pruned", last.why
        errors = [
            f"{case_id}: {run.cases[case_id].error}"
            for planned, run in zip(found.planned, found.runs, strict=True)
            for case_id in planned.cases
            if case_id in run.cases and run.cases[case_id].failed
        ]
        if errors:
            return "failed", errors[0] + (f" (and {len(errors) - 1} more)" if len(errors) > 1 else "")
        if last is not None and last.ending == "failed":
            return "failed", last.why
        return "missing", ""


def recorded(planned: PlannedRun) -> Run:
    """A run as it lies on the disk, with the keys that it would have now."""
    launches = read_run(planned.path).launches if (planned.path / RUN_FILE).exists() else []
    return Run(planned.path, planned.record.model_copy(update={"launches": launches}), read_cases(planned.path))


def last_attempt(ledger: Ledger, index: int) -> Attempt | None:
    """The latest attempt at a point that ended."""
    entry = ledger.entry(index)
    return entry.attempts[-1] if entry is not None and entry.attempts else None


def metric_of(goal: Goal) -> str:
    """The name that records have for what W&B is told as `mean/<name>`."""
    return goal.name.removeprefix("mean/")
