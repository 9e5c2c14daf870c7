"""Commands on a large archive, each in a fresh process on one thread."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest.mock import patch

from benchmarks.speed.memory import in_new_process

ONE_THREAD = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "POLARS_MAX_THREADS": "1",
}
READ, TABLE, CSV = "read the records", "table of means and intervals", "CSV by edit type"


def archive_seconds(root: Path, keys: Sequence[str]) -> dict[str, float]:
    """What is done -> seconds; commands are whole, the steps of `piva report` without imports."""
    first, second = keys[:2]
    commands = {
        "piva list (imports no records)": ["list"],
        "piva runs": ["runs", "--out", str(root)],
        "piva show": ["show", first, "--runs", str(root)],
        "piva compare": ["compare", first, second, "--runs", str(root)],
    }
    with patch.dict(os.environ, ONE_THREAD), TemporaryDirectory() as out:
        commands["piva report --tables-only"] = ["report", "--tables-only", "--runs", str(root), "--out", out]
        found = {name: command_seconds(words) for name, words in commands.items()}
        return found | in_new_process(table_seconds, root)


def command_seconds(words: Sequence[str]) -> float:
    """Wall time of a command that has to succeed."""
    started = time.perf_counter()
    subprocess.run([sys.executable, "-m", "piva.cli", *words], check=True, capture_output=True)
    return time.perf_counter() - started


def table_seconds(root: Path) -> dict[str, float]:
    """The steps from an archive to its tables, in this process."""
    from reports.reading import load_runs
    from reports.tables.documents import markdown
    from reports.tables.long_format import table, to_csv
    from reports.tables.rows import present, usual_columns

    times = [time.perf_counter()]
    runs = load_runs((), root)
    times.append(time.perf_counter())
    names = present(runs, usual_columns(runs))
    markdown("archive", runs, names, (), "")
    times.append(time.perf_counter())
    to_csv(table(runs, (), ["type"]))
    times.append(time.perf_counter())
    return {name: after - before for name, before, after in zip((READ, TABLE, CSV), times, times[1:], strict=False)}
