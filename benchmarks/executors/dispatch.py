"""Hands the work of a run out to workers, and writes down what they send back.

The owner of a run alone appends records; workers write pictures and fields into its folder themselves. What a worker
held when it died goes to another, which goes on from the checkpoint that was left. Twice for all of it together, then
case by case; a case that two more workers die of is recorded as their error.
"""

from __future__ import annotations

import sys
from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Protocol

from benchmarks.executors.messages import (
    Appended,
    Closed,
    Died,
    Done,
    Failed,
    Looked,
    Message,
    Ready,
    Reconstructing,
    Stepped,
    unpacked,
)
from benchmarks.running.plan import Batch, Plan
from benchmarks.running.recording import begun, close, note_failure
from benchmarks.running.runs import Runs
from benchmarks.running.watching import Observer, Stopped, Watchers
from piva.errors import ConfigError, MachineError, PreflightError
from piva.records import CaseRecord, RunFolder, RunRecord
from piva.tracking import Look

TRIES = 2
"""Workers that may die of the same work before it is taken apart, or given up. Ours."""
SECONDS_OF_WAITING = 1.0


KINDS = {
    "configuration": ConfigError, "preflight": PreflightError, "machine": MachineError, "program": RuntimeError,
}  # fmt: skip
"""What is raised here for what a worker's `Failed` says."""


class WorkerDied(Exception):
    """A worker's process ended while it worked on a case."""


class Crew(Protocol):
    """Workers by number; each says `Ready` once, then `Done` for everything it is given."""

    size: int

    def give(self, worker: int, plan: Plan[Any]) -> None: ...
    def hear(self, seconds: float) -> Iterator[tuple[int, Message]]:
        """What workers have said by now; waits at most so long for something. A dead one says `Died` once."""

    def replace(self, worker: int) -> None:
        """Another worker takes a dead one's number."""


@dataclass(frozen=True)
class Unit:
    """Work for one worker at a time."""

    plan: Plan[Any]
    deaths: int = 0


@dataclass(frozen=True)
class Owner:
    """The run: what `benchmarks.pictures.runner` asks for to record a case."""

    folder: RunFolder
    record: RunRecord
    observers: tuple[Observer, ...]


class Dispatch:
    """One run's work, handed out.

    Args:
        record: with this launch.
    """

    def __init__(self, crew: Crew, runs: Runs, owner: Owner, plan: Plan[Any], watchers: Watchers) -> None:
        self._crew, self._runs, self._owner, self._watchers = crew, runs, owner, watchers
        self._queue = deque(Unit(part) for part in runs.units(plan))
        self._held: dict[int, Unit] = {}
        self._free: list[int] = []
        self._kept: dict[str, CaseRecord] = {}
        """Edits that remain to be scored."""
        self._over: set[str] = set()
        """Ids of cases that are recorded for good."""
        self._untold: dict[int, CaseRecord] = {}
        """What a worker has recorded, and not shown yet."""
        self._begun: set[int] = set()
        """Workers that have said `Ready`."""
        self._stillborn: Counter[int] = Counter()

    def work(self) -> None:
        """Until everything is recorded.

        Raises:
            ConfigError, PreflightError: a worker finds the settings or the machine wrong.
            RuntimeError: a worker finds an error in the program.
            Stopped: the run does not go on; what was under way has been done.
        """
        stopped = False
        while self._queue or self._held:
            while self._queue and self._free and not stopped:
                stopped = not self._watchers.goes_on()
                if not stopped:
                    self._give()
            if stopped:
                self._queue.clear()
            if self._queue or self._held:
                for worker, message in self._crew.hear(SECONDS_OF_WAITING):
                    self._take(worker, message)
        if stopped:
            raise Stopped

    def _give(self) -> None:
        worker, unit = self._free.pop(0), self._queue.popleft()
        self._held[worker] = unit
        self._crew.give(worker, unit.plan)

    def _take(self, worker: int, message: Message) -> None:
        if isinstance(message, (Ready, Done)):
            self._begun.add(worker)
            self._held.pop(worker, None)
            self._free.append(worker)
        elif isinstance(message, Appended):
            self._owner.folder.append(message.record)
            self._note(worker, message.record)
        elif isinstance(message, Failed):
            raise KINDS[message.kind](message.why)
        elif isinstance(message, Died):
            self._bury(worker, message.why)
        else:
            self._show(worker, message)

    def _note(self, worker: int, record: CaseRecord) -> None:
        if record.unscored:
            self._kept[record.case_id] = record
        else:
            self._over.add(record.case_id)
            self._untold[worker] = record

    def _show(self, worker: int, message: Message) -> None:
        """Passes on what is only to be seen."""
        if isinstance(message, Closed):
            self._untold.pop(worker, None)
            for observer in self._owner.observers:
                observer.case(message.record, unpacked(message.source), unpacked(message.edited))
        elif isinstance(message, Stepped):
            for values in message.steps:
                for observer in self._owner.observers:
                    observer.step({**values, "worker": worker})
        elif isinstance(message, Looked):
            pictures = {case: unpacked(picture) for case, picture in message.pictures.items()}
            self._watchers.on_look(Look(message.step, pictures, message.scores))
        elif isinstance(message, Reconstructing):
            self._watchers.on_reconstruction(message.scene, message.step, message.steps)

    def _bury(self, worker: int, why: str) -> None:
        """Another takes a dead worker's place; what it held is done again, in the end case by case."""
        unit = self._held.pop(worker, None)
        if worker in self._free:
            self._free.remove(worker)
        if (record := self._untold.pop(worker, None)) is not None:
            for observer in self._owner.observers:
                observer.case(record, None, None)
        if unit is not None:
            rest = self._left_of(unit.plan)
            count = rest.edits + len(rest.rescore)
            print(f"worker {worker} died ({why}); {count} cases that it held go to another", file=sys.stderr)
            self._again(Unit(rest, unit.deaths + 1), why)
        elif worker not in self._begun:
            self._stillborn[worker] += 1
            if self._stillborn[worker] > TRIES:
                raise PreflightError(f"workers die before they have begun: {why}; what was recorded before is kept")
        self._begun.discard(worker)
        self._crew.replace(worker)

    def _again(self, unit: Unit, why: str) -> None:
        if not unit.plan.remains:
            return
        if unit.deaths < TRIES:
            self._queue.appendleft(unit)
            return
        if len(unit.plan.cases) > 1:
            self._queue.extendleft(Unit(part) for part in reversed(self._runs.apart(unit.plan)))
            return
        (case,) = unit.plan.cases
        record = begun(self._owner, unit.plan, case, **self._runs.known(case))
        problem = WorkerDied(f"{TRIES} workers died of this case alone; the last one: {why}")
        note_failure(record, "score" if case.id in unit.plan.edited else "edit", problem)
        close(self._owner, record)

    def _left_of(self, plan: Plan[Any]) -> Plan[Any]:
        """What is not recorded yet of a plan; an edit that was kept only remains to be scored."""
        kept = {case.id: self._kept[case.id] for case in plan.cases if case.id in self._kept}
        batches = [Batch(batch.cases, batch.wanted - self._over - set(kept)) for batch in plan.batches]
        rescore = [case for case in plan.cases if case.id in {*plan.edited, *kept} - self._over]
        rest = replace(plan, edited={**plan.edited, **kept})
        return rest.part([batch for batch in batches if batch.wanted], rescore)
