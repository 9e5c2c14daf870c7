"""A large archive of runs: real records, with other ids and slightly other numbers."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from piva.records import CASES_FILE, RUN_FILE, CaseRecord, RunRecord

ONE_FAILS_OF = 50
TRACEBACK = "Traceback (most recent call last):\n" + 12 * '  File "somewhere.py", line 1, in something\n    do(it)\n'


def write_archive(
    root: Path, record: RunRecord, cases: Sequence[CaseRecord], runs: int, cases_a_run: int
) -> list[Path]:
    """The folders of `runs` runs of DDS by different guidance, with images named and not written.

    Args:
        record: a run that was really made, with its launch.
        cases: its records, which are taken in turn.
    """
    return [_write_run(root, record, cases, number, cases_a_run) for number in range(runs)]


def _write_run(root: Path, record: RunRecord, cases: Sequence[CaseRecord], number: int, count: int) -> Path:
    key = f"{number + 1:016x}"
    folder = root / record.benchmark / f"{record.method}-{key}"
    folder.mkdir(parents=True)
    ids = [f"{k:012d}" for k in range(count)]
    launches = [launch.model_copy(update={"planned": ids}) for launch in record.launches[-1:]]
    settings = record.settings | {"guidance": 1.0 + number}
    made = record.model_copy(update={"edit_key": key, "settings": settings, "launches": launches})
    (folder / RUN_FILE).write_text(made.model_dump_json(indent=2) + "\n")
    contents = [json.loads(case.model_dump_json(exclude_none=True)) for case in cases]
    draw = random.Random(number)
    with (folder / CASES_FILE).open("w") as file:
        for k, id_ in enumerate(ids):
            line = _another(contents[k % len(contents)], id_, draw, fails=k % ONE_FAILS_OF == ONE_FAILS_OF - 1)
            file.write(json.dumps(line, separators=(",", ":"), ensure_ascii=False) + "\n")
    return folder


def _another(content: Mapping[str, Any], id_: str, draw: random.Random, fails: bool) -> dict[str, Any]:
    """The line of another case: of the same shape, every score a little off."""
    if fails:
        problem = {"status": "error", "stage": "edit", "error": "RuntimeError: no", "traceback": TRACEBACK}
        gone = ("metrics", "reasons", "image", "image_sha256")
        return {name: value for name, value in content.items() if name not in gone} | {"case_id": id_, **problem}
    metrics = {name: value and value * (1 + 0.1 * draw.random()) for name, value in content["metrics"].items()}
    return {**content, "case_id": id_, "metrics": metrics, "image": f"images/{id_}.png"}
