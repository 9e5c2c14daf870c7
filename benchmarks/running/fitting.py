"""Batches that may not fit in memory: one is halved until it does, and later ones begin with what fitted."""

from __future__ import annotations

import gc
import sys
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import torch

T = TypeVar("T")
R = TypeVar("R")
PHRASES = ("out of memory", "can't allocate memory", "cannot allocate memory", "cublas_status_alloc_failed")
"""What torch's errors say when memory is short: on a GPU, on a CPU (two spellings), and of a kernel's workspace."""


@dataclass(frozen=True)
class Outcome(Generic[R]):
    """What became of one of a batch."""

    result: R | Exception
    """An exception that it raised alone."""
    together: int
    """How many were done together."""
    note: str | None
    """Where memory was short, a sentence for the record."""


class Fitting:
    """How many fit in memory together, as far as a run has found out; it starts with whole batches.

    Args:
        what: is done with a batch, for the note.
    """

    def __init__(self, what: str = "batch") -> None:
        self.what = what
        self.size: int | None = None

    def done(
        self,
        batch: Sequence[T],
        call: Callable[[Sequence[T]], Sequence[R]],
        ends: tuple[type[Exception], ...] = (),
    ) -> list[Outcome[R]]:
        """What `call` makes of as many at once as fit, in order.

        When several fail together for another reason than memory, each of them is tried alone, and fails alone.

        Args:
            ends: exceptions that are nobody's own; they are raised.
        """
        rest, alone = list(batch), 0  # the first so many of the rest are tried alone
        outcomes: list[Outcome[R]] = []
        while rest:
            size = 1 if alone else min(self.size or len(rest), len(rest))
            found = self._tried(rest[:size], call, ends)
            if isinstance(found, Exception) and size > 1:
                if is_out_of_memory(found):
                    self._halve(size)
                else:
                    alone = size
                continue
            results: Sequence[R | Exception] = [found] if isinstance(found, Exception) else found
            outcomes += [Outcome(result, size, self._note(len(batch))) for result in results]
            rest, alone = rest[size:], max(0, alone - size)
        return outcomes

    def _tried(
        self, some: Sequence[T], call: Callable[[Sequence[T]], Sequence[R]], ends: tuple[type[Exception], ...]
    ) -> Sequence[R] | Exception:
        try:
            return call(some)
        except ends:
            raise
        except Exception as problem:  # one may spoil a batch
            if is_out_of_memory(problem):
                release(problem)
            return problem

    def _halve(self, size: int) -> None:
        self.size = (size + 1) // 2
        print(f"out of memory with a {self.what} of {size}: from here on at most {self.size}", file=sys.stderr)

    def _note(self, batch: int) -> str | None:
        halved = self.size is not None and self.size < batch
        return f"{self.what} of {batch} halved to {self.size}: out of memory" if halved else None


def is_out_of_memory(problem: BaseException) -> bool:
    """Whether the memory of the device, or of the machine, was not enough."""
    said = str(problem).lower()
    return isinstance(problem, MemoryError) or (
        isinstance(problem, RuntimeError) and any(phrase in said for phrase in PHRASES)
    )


def release(problem: BaseException) -> None:
    """Lets go of what a failed attempt holds: its frames keep tensors alive, and torch keeps freed memory."""
    link: BaseException | None = problem
    while link is not None:
        traceback.clear_frames(link.__traceback__)
        link = link.__cause__ or link.__context__
    gc.collect()
    if torch.cuda.is_initialized():
        torch.cuda.empty_cache()
