"""A worker of a sweep: takes a point that nobody has, runs it, notes how it ended, and takes the next.

Any number of workers share a folder. Nobody hands points out: who has a point holds its lock, and a process that dies
lets it go. What is left to do is read from the disk before every point, so a point that was begun by a worker that was
killed is taken up by the next that looks, and goes on after its last case.
"""

from __future__ import annotations

import gc
import sys
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext

from benchmarks.running.watching import Stopped, Unwatched, Watch
from benchmarks.sweeps.board import Board, PointOnDisk, last_attempt
from benchmarks.sweeps.ledger import Claim, Ending, moment
from benchmarks.sweeps.planned import with_errors
from benchmarks.sweeps.pruning import Course
from benchmarks.sweeps.search import Memory
from piva.errors import INTERRUPTED, ConfigError, MachineError, PreflightError
from piva.records import BusyError

Run = Callable[[Sequence[str], Watch], int]
"""`piva.commands.run.main`: what follows `piva run`, who watches; gives the exit code."""
TRIES = 5
"""How often a worker comes to a run and finds that another process has it open."""


class Worker:
    """Does the points of a sweep that are missing or failed; each failed one once.

    Args:
        memory: of a search, or where runs are stopped early.
    """

    def __init__(self, board: Board, memory: Memory | None, run: Run) -> None:
        self._board, self._memory, self._run = board, memory, run
        self._started = moment()
        self._settled: set[int] = set()
        self._turned_away: Counter[int] = Counter()
        self._reached = False

    def work(self) -> bool:
        """Works until there is nothing left to take; False where it was interrupted from the keyboard.

        Raises:
            MachineError: this machine is not fit for any of the work.
        """
        self._catch_up()
        while (taken := self._next()) is not None:
            claim, found = taken
            with claim:
                if not self._attempt(claim, found):
                    return False
            gc.collect()  # the models of a run go before the next one's come
            gc.freeze()  # what is left are modules and caches: the next collection need not look through them
        return True

    def _next(self) -> tuple[Claim, PointOnDisk] | None:
        """A point that is ours now; None where there is none left, or the sweep's target is reached."""
        while True:
            seen = self._look()
            if self._reached:
                return None
            for found in seen:
                rivals = [other for other in seen if other.index != found.index and shares_a_run(found, other)]
                if any(point.state == "running" for point in (found, *rivals)):
                    continue
                claim = self._board.ledger.claim(found.index, found.point)
                if claim is None:
                    continue
                found = self._board.look(found.index, found.point, ours=True)  # nobody else can add to it any more
                earlier = [
                    other.index for other in rivals if other.index < found.index
                ]  # of two at once, they go first
                if not self._settles(found) and not any(map(self._board.ledger.is_claimed, earlier)):
                    return claim, found
                claim.close()
            if not self._draw():
                return None

    def _look(self) -> list[PointOnDisk]:
        """The points that are not settled, as they stand now."""
        points = self._board.points()
        found = [self._board.look(index, point) for index, point in points.items() if index not in self._settled]
        return [point for point in found if not self._settles(point)]

    def _settles(self, found: PointOnDisk) -> bool:
        """Whether there is nothing to do for a point; notes it."""
        last = last_attempt(self._board.ledger, found.index)
        tried = found.state == "failed" and last is not None and last.when >= self._started
        if found.state in ("done", "pruned") or tried or self._turned_away[found.index] >= TRIES:
            self._settled.add(found.index)
        self._reached |= self._board.reaches_target(found)
        return found.index in self._settled

    def _draw(self) -> bool:
        """Draws the next point of a search; False where it has all its points."""
        board = self._board
        if board.sweep.method != "bayes" or self._memory is None:
            return False
        with board.ledger.drawing():
            drawn = board.ledger.entries()
            if len(drawn) >= (board.sweep.run_cap or 0):
                return False
            index = next(index for index in range(len(drawn) + 1) if index not in drawn)
            self._memory.catch_up(board.all())
            board.ledger.write(index, *self._memory.draw(index))
        return True

    def _attempt(self, claim: Claim, found: PointOnDisk) -> bool:
        """Runs a point; False where it was interrupted from the keyboard."""
        if not found.planned:
            self._end(claim, found, "failed", found.why)
            return True
        watch: Course | Unwatched = self._memory.course(found) if self._memory else Unwatched()
        print(f"point {found.index}: {found.command}", file=sys.stderr, flush=True)
        try:
            with as_command(found.words):
                code = self._run(with_errors(found.words[1:]), watch)
        except Stopped:
            assert isinstance(watch, Course)
            self._end(claim, found, "pruned", f"stopped at the rung of {watch.stopped_at} cases")
        except BusyError as problem:
            self._turned_away[found.index] += 1
            print(f"point {found.index}: {problem}", file=sys.stderr)
        except MachineError:
            raise
        except (ConfigError, PreflightError) as problem:  # of this point: weights that are not here, say
            self._end(claim, found, "failed", str(problem))
        except Exception as problem:  # of the program; the next `run` tries again
            traceback.print_exc()
            self._end(claim, found, "failed", f"{type(problem).__name__}: {problem}")
        else:
            if code == INTERRUPTED:
                return False
            done = self._board.look(found.index, found.point, ours=True).state == "done"
            self._end(claim, found, "done" if done else "failed", "" if done else f"ended with {code}")
        return True

    def _end(self, claim: Claim, found: PointOnDisk, ending: Ending, why: str) -> None:
        claim.note(ending, why)
        with self._board.ledger.drawing() if self._memory else nullcontext():
            ended = self._board.look(found.index, found.point, ours=True)
            if self._memory:
                self._memory.end(ended)
        print(f"point {found.index}: {ended.state}{f', {ended.why}' if ended.why else ''}", file=sys.stderr, flush=True)

    def _catch_up(self) -> None:
        if self._memory:
            with self._board.ledger.drawing():
                self._memory.catch_up(self._board.all())


def shares_a_run(one: PointOnDisk, other: PointOnDisk) -> bool:
    """Whether two points have a run's folder in common: they ask for other cases of it."""
    return not {planned.path for planned in one.planned}.isdisjoint(planned.path for planned in other.planned)


@contextmanager
def as_command(arguments: Sequence[str]) -> Iterator[None]:
    """Lets records and trackers name the command that makes the run, rather than the sweep's."""
    own = sys.argv
    sys.argv = ["piva", *arguments]
    try:
        yield
    finally:
        sys.argv = own
