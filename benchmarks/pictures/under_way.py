"""A batch of cases on its way: what is kept of it until it is recorded, and what is seen of it.

<run>/under-way/<batch>.safetensors            the checkpoint that a killed batch goes on from
<run>/under-way/<batch>-<number of case>.json  its scores so far
"""

from __future__ import annotations

import hashlib
import shutil
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

from torch import Tensor

from benchmarks.running.course import Course
from piva.data.images import to_eight_bits
from piva.metrics.batch import ScoreInput
from piva.records import CaseRecord
from piva.tracking import Look

FOLDER = "under-way"


def checkpoint_of(run: Path, case_ids: Sequence[str]) -> Path:
    """The file that the edit of these cases together goes on from."""
    return run / FOLDER / f"{_name(case_ids)}.safetensors"


def clear(run: Path) -> None:
    """Removes what is kept of batches: all that the run was asked for is recorded."""
    shutil.rmtree(run / FOLDER, ignore_errors=True)


class OnItsWay(Protocol):
    """A case of the batch."""

    @property
    def record(self) -> CaseRecord: ...
    def score_input(self, edited: Tensor) -> ScoreInput: ...


class Looks:
    """Looks at a batch every so many steps: scores its cases, and shows them.

    Args:
        scorer: `piva.metrics.scorer.Scorer`, or what scores like it.
        metrics_every: steps between two looks that score; 0: never.
        image_every: steps between two that show; a look that scores shows too.
        show: is called with each look.
    """

    def __init__(
        self,
        run: Path,
        works: Sequence[OnItsWay],
        scorer: Any,
        metrics_every: int,
        image_every: int,
        show: Callable[[Look], None],
    ):
        self.works, self.scorer, self.show = works, scorer, show
        self.metrics_every, self.image_every = metrics_every, image_every
        ids = [work.record.case_id for work in works]
        files = [run / FOLDER / f"{_name(ids)}-{number}.json" for number in range(len(ids))]
        self.courses = [Course(file, work.record.content) for file, work in zip(files, works, strict=True)]

    def at(self, step: int, images: Tensor) -> None:
        """Images [B,3,H,W] in [0,1] of the cases, after so many steps."""
        ids = [work.record.case_id for work in self.works]
        pictures = dict(zip(ids, images, strict=True))
        if self.metrics_every and step % self.metrics_every == 0:
            self.show(Look(step, pictures, self._score(step, images)))
        elif self.image_every and step % self.image_every == 0:
            self.show(Look(step, pictures))

    def _score(self, step: int, images: Tensor) -> dict[str, dict[str, float | None]]:
        started = time.monotonic()
        edited = to_eight_bits(images.float().cpu())
        scores = self.scorer.score_batch(
            [work.score_input(image) for work, image in zip(self.works, edited, strict=True)]
        )
        found = {}
        for work, course, score in zip(self.works, self.courses, scores, strict=True):
            found[work.record.case_id] = values = dict(score.values)
            course.note(step, values, (time.monotonic() - started) / len(self.works))
        return found

    def close(self) -> None:
        """The batch's edits are recorded."""
        for course in self.courses:
            course.remove()


def _name(case_ids: Sequence[str]) -> str:
    return hashlib.sha256("\n".join(case_ids).encode()).hexdigest()[:16]
