"""What the terminal shows of a run: a bar with the time left, or a line now and then where there is no terminal."""

import sys
import time
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from piva.records import CaseRecord

SECONDS_BETWEEN_LINES = 10.0


class Bar:
    """Counts cases; a case on its way counts by the share of its updates that are done."""

    def __init__(self, title: str, cases: int, steps: int) -> None:
        self._title, self._cases, self._steps = title, cases, steps
        self._recorded, self._failed, self.moved = 0, 0, 0.0
        self._under_way: dict[int, float] = {}
        self._console = Console(stderr=True)
        self._said = time.monotonic()
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.fields[recorded]}/{task.total:.0f} cases{task.fields[failed]}"),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=self._console,
            disable=not self._console.is_terminal,
        )
        self._task: TaskID = self._progress.add_task(title, total=cases, recorded=0, failed="")

    def __enter__(self) -> "Bar":
        self._progress.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._progress.stop()

    def step(self, values: dict[str, Any]) -> None:
        """Update number `values["step"]`, from 0, of `values["cases"]` cases: one that goes on counts from there.

        Several workers are told apart by `values["worker"]`.
        """
        self._under_way[values.get("worker", 0)] = values["cases"] * (values["step"] + 1) / self._steps
        self._move()

    def note_reconstruction(self, scene: str, step: int, steps: int) -> None:
        """One update of a scene's reconstruction, which is in no count: it is made once for all runs."""
        if step in (1, steps):
            state = "begins" if step == 1 else "is done"
            print(f"{self._title}: the reconstruction of {scene} {state}", file=sys.stderr)

    def case(self, record: CaseRecord, source: Any, edited: Any) -> None:
        """One case is recorded."""
        self._recorded += 1
        self._failed += record.status == "error"
        farthest = max(
            self._under_way, key=self._under_way.__getitem__, default=0
        )  # of several workers, likely its own
        self._under_way[farthest] = max(0.0, self._under_way.get(farthest, 0.0) - 1)
        self._move()
        if record.status == "error":
            self._console.print(f"{record.case_id}: {record.stage} failed: {record.error}", style="red", markup=False)

    def _move(self) -> None:
        """Never back, though a batch is taken apart or goes to another worker."""
        self.moved = max(self.moved, min(self._recorded + sum(self._under_way.values()), self._cases))
        self._show()

    def _show(self) -> None:
        failed = f", {self._failed} failed" if self._failed else ""
        self._progress.update(self._task, completed=self.moved, recorded=self._recorded, failed=failed)
        if self._progress.disable and time.monotonic() - self._said > SECONDS_BETWEEN_LINES:
            self._said = time.monotonic()
            share = f"{100 * self.moved / self._cases:.0f} %"
            print(f"{self._title}: {share}, {self._recorded}/{self._cases} cases{failed}", file=sys.stderr)
