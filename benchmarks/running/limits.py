"""When a run is clearly broken: `--max-errors` ends it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

from torch import Tensor

from benchmarks.running.watching import Unwatched
from piva.records import CaseRecord


class TooManyErrors(Exception):
    """A run was ended because of its errors; what it recorded is kept."""


class ErrorLimit:
    """An observer that counts the errors of this launch, and ends the run when there are too many.

    Args:
        limit: so many end it; None: it goes on whatever happens.
        goes_on: of another watch, which is asked, too.

    Attributes:
        errors: recorded so far.
    """

    def __init__(self, limit: int | None, goes_on: Callable[[], bool] | None = None) -> None:
        self.limit, self._others = limit, goes_on or Unwatched().goes_on
        self.errors = 0
        self._sentences: Counter[str] = Counter()

    def step(self, values: dict[str, Any]) -> None:
        """Steps do not fail."""

    def case(self, record: CaseRecord, source: Tensor | None, edited: Tensor | None) -> None:
        """Count it, if it is one."""
        if record.status == "error":
            self.errors += 1
            self._sentences[f"{record.stage}: {record.error}"[:200]] += 1

    def goes_on(self) -> bool:
        """Whether the others want to go on.

        Raises:
            TooManyErrors: the limit is reached.
        """
        if self.limit is not None and self.errors >= self.limit:
            ((sentence, count),) = self._sentences.most_common(1)
            raise TooManyErrors(
                f"{self.errors} cases failed in this launch, and --max-errors is {self.limit}: it ends here. {count} "
                f"of them say: {sentence}. What is recorded is kept; --overwrite retry-errors tries them again"
            )
        return self._others()
