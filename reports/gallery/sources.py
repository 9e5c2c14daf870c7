"""What a benchmark's folder says of the cases that runs are of."""

import re
from collections.abc import Sequence
from pathlib import Path

from piva.data.pie_bench import Case, read
from piva.errors import ConfigError, PreflightError
from reports.reading import Run


def benchmark_cases(runs: Sequence[Run]) -> dict[str, Case]:
    """The benchmark's cases by id, from the folder that the runs name; empty where it is gone or has changed."""
    ids = {id_ for run in runs for id_ in run.planned | run.cases.keys()}
    for root in dict.fromkeys(run.record.root for run in runs):
        try:
            return {case.id: case for case in read(Path(root), lenient=True) if case.id in ids and not case.fault}
        except (ConfigError, PreflightError):
            continue
    return {}


def marked_words(prompt: str) -> list[tuple[str, bool]]:
    """The prompt in pieces, each with whether [ ] stood around it: the words that the edit changes."""
    pieces = re.split(r"\[([^\[\]]*)\]", prompt)
    return [(piece, index % 2 == 1) for index, piece in enumerate(pieces) if piece]
