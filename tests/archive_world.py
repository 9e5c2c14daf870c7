"""What holds of every run whose records are committed."""

import json
from pathlib import Path

from piva.records import CASES_FILE, RUN_FILE
from piva.records.archiving import nameless
from piva.records.checks import check_run


def check_published(folder: Path, under_way: bool = False) -> None:
    """It is whole, small, made from a clean tree, and names no person, machine or folder.

    Args:
        under_way: cases may be left to do.
    """
    problems = check_run(folder).problems
    assert [problem for problem in problems if not (under_way and "have no record" in problem)] == []
    run = json.loads((folder / RUN_FILE).read_text())
    assert nameless(run) == run
    for line in (folder / CASES_FILE).read_text().splitlines():
        case = {name: value for name, value in json.loads(line).items() if name not in ("src", "tgt")}
        assert nameless(case) == case
    assert not any(launch["provenance"]["git_dirty"] for launch in run["launches"])
    assert (folder / CASES_FILE).stat().st_size < 1_000_000
