"""Per-step values as a CSV file.

Not Lightning's CSVLogger: that has a column for each name, writes the file anew when a name is new, and deletes what an
earlier launch left. Scores are in no CSV: `cases.jsonl` has them.
"""

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from piva.records import CaseRecord, RunRecord
from piva.tracking.mirror import Look


class CsvMirror:
    """`steps.csv` in the run's folder: one row per update and value (update, name, value); later launches add."""

    def start(self, record: RunRecord, folder: Path) -> None:
        path = folder / "steps.csv"
        content = path.read_bytes() if path.exists() else b""
        whole = content[: content.rfind(b"\n") + 1]  # a launch that was killed may leave a torn last line
        rows = whole.splitlines()[1:]
        self._update = int(rows[-1].split(b",")[0]) + 1 if rows else 0
        self._file = path.open("a", newline="")
        self._file.truncate(len(whole))
        self._writer = csv.writer(self._file)
        if not whole:
            self._writer.writerow(["update", "name", "value"])

    def step(self, values: Mapping[str, float]) -> None:
        self._writer.writerows((self._update, name, value) for name, value in values.items())
        self._update += 1

    def look(self, look: Look) -> None:
        """A CSV holds no pictures."""

    def case(self, record: CaseRecord, source: Any, edited: Any) -> None:
        self._file.flush()

    def finish(self) -> None:
        self._file.close()
