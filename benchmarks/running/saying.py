"""What the terminal is told of a run before it begins and after it ended."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path
from typing import Any

from benchmarks.running.plan import Plan
from benchmarks.running.runs import Runs
from benchmarks.running.shards import unmerged
from piva.errors import COMPLETE, SOME_FAILED
from piva.records import read_cases


def announce(runs: Runs, path: Path, plan: Plan[Any]) -> None:
    """Says what is going to be done."""
    parts = runs.intentions(plan)
    parts[0] += f" ({len(plan.retry)} of them to retry)" if plan.retry else ""
    parts += [f"{len(plan.done)} done before"] if plan.done else []
    parts += [f"{len(plan.left)} failed before (--overwrite retry-errors tries them again)"] if plan.left else []
    print(f"{path}: " + ", ".join(parts), file=sys.stderr)
    for note in (*runs.notes(plan), unmerged(path)):
        if note is not None:
            print(f"  {note}", file=sys.stderr)


def conclude(path: Path, plan: Plan[Any]) -> int:
    """Says how the cases asked for ended."""
    records = read_cases(path)
    counts = Counter(records[case.id].status if case.id in records else "not done" for case in plan.cases)
    print(f"{path}: " + ", ".join(f"{count} {status}" for status, count in sorted(counts.items())))
    return COMPLETE if counts["ok"] == len(plan.cases) else SOME_FAILED
