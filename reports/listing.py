"""What runs are on the disk, a line each: read fast, without looking into every record.

A line of cases.jsonl begins with its case and its status; hundreds of runs are listed in about a second.
"""

import json
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from piva.errors import ConfigError
from piva.keys import flat
from piva.records import CASES_FILE, RUN_FILE, RunRecord, is_busy, read_run
from piva.records.files import opened
from piva.records.run_files import shards_of, size_of, with_shards
from piva.registry import resolve
from reports.labels import apart_from_siblings, facts, said

State = Literal["running", "complete", "failed", "unfinished", "shards", "damaged"]
"""complete: every case asked for is recorded and none failed; failed: every one is recorded, some failed; unfinished:
some have no record, or scores of other metrics; shards: all there is lies in shards that are not merged."""

_BEGINNING = re.compile(rb'\{(?:"record_version":\d+,)?"case_id":"([A-Za-z0-9._-]+)","status":"(ok|error|skipped)"')
_UNSCORED = b'"unscored":true'
_OWN_COLUMNS = ("benchmark", "split", "steps", "seed")


@dataclass(frozen=True)
class ListedRun:
    """One line of the list."""

    path: Path
    state: State
    benchmark: str
    method: str
    """Of a damaged run, its folder's name."""
    split: str | None = None
    key: str = ""
    """Its edit_key."""
    steps: int | None = None
    seed: int | None = None
    settings: list[str] = field(default_factory=list)
    """`name=value` of what is not as it comes, or sets it apart from the other runs listed."""
    ok: int = 0
    failed: int = 0
    skipped: int = 0
    left: int = 0
    """Cases asked for that have no record yet, or scores of other metrics."""
    started: str | None = None
    """When the last launch began."""
    ended: str | None = None
    """When it ended; None where it was killed, runs, or did not write it down."""
    bytes: int = 0
    shards: int = 0
    """Shards that are not merged."""
    why: str | None = None
    """What is wrong with a damaged run."""

    def to_json(self) -> dict[str, Any]:
        """For machines."""
        return asdict(self) | {"path": str(self.path)}


def list_runs(root: Path) -> list[ListedRun]:
    """Every run below `root`, in the order of folders' names; a damaged one says what is wrong with it."""
    found = [_read(folder) for folder in _folders(root)]
    records = [record for _, record in found if record is not None]
    settings = iter(_settings(records))
    return [line if record is None else replace(line, settings=next(settings)) for line, record in found]


def _folders(root: Path) -> list[Path]:
    """Folders that hold a run or shards of one, or once began to."""
    places = {file.parent for name in (RUN_FILE, CASES_FILE) for file in root.glob(f"*/*/{name}")}
    return sorted(places | with_shards(root))


def _read(folder: Path) -> tuple[ListedRun, RunRecord | None]:
    shards, size = shards_of(folder), size_of(folder)
    parts = [folder] if (folder / RUN_FILE).exists() or not shards else shards
    try:
        records = [read_run(part) for part in parts]
        record = records[0]
        counts = {id_: how for part in parts for id_, how in count_cases(part, record.score_key).items()}
    except (ConfigError, OSError) as problem:
        line = ListedRun(folder, "damaged", folder.parent.name, folder.name, bytes=size, why=_sentence(problem))
        return line, None
    launches = sorted((launch for part in records for launch in part.launches), key=lambda launch: launch.started)
    planned = {case_id for launch in launches for case_id in launch.planned}
    left = len(planned - counts.keys()) + sum(counts[id_] == "stale" for id_ in planned & counts.keys())
    ended = Counter(counts.values())
    launch = launches[-1] if launches else None
    line = ListedRun(
        folder, "complete", record.benchmark, record.method, record.split, record.edit_key, record.steps, record.seed,
        ok=ended["ok"], failed=ended["error"], skipped=ended["skipped"], left=left,
        started=launch.started if launch else None, ended=launch.ended if launch else None, bytes=size,
        shards=len(shards),
    )  # fmt: skip
    return replace(line, state=_state(line)), record


def _state(line: ListedRun) -> State:
    if is_busy(line.path) or any(is_busy(shard) for shard in shards_of(line.path)):
        return "running"
    if not (line.path / RUN_FILE).exists():
        return "shards"
    if line.left:
        return "unfinished"
    return "failed" if line.failed else "complete"


def count_cases(folder: Path, score_key: str) -> dict[str, str]:
    """Case id -> ok, error, skipped; or "stale": edited, but without scores of these metrics. Later lines win.

    Raises:
        ConfigError: a whole line is damaged; names the line.
    """
    try:
        with opened(folder, CASES_FILE) as cases:
            content = cases.read()
    except FileNotFoundError:
        return {}
    current = f'"score_key":"{score_key}"'.encode()
    counts = {}
    for number, line in enumerate(content.split(b"\n")[:-1], start=1):
        case_id, status = _beginning(line) or _slowly(line, number)
        stale = _UNSCORED in line or (status == "ok" and current not in line)
        counts[case_id] = "stale" if stale else status
    return counts


def _beginning(line: bytes) -> tuple[str, str] | None:
    match = _BEGINNING.match(line)
    return (match[1].decode(), match[2].decode()) if match and line.endswith(b"}") else None


def _slowly(line: bytes, number: int) -> tuple[str, str]:
    """Of a line that another program wrote in another order."""
    try:
        content = json.loads(line)
        return str(content["case_id"]), str(content["status"])
    except (ValueError, KeyError, TypeError):
        raise ConfigError(f"line {number} of {CASES_FILE} is damaged") from None


def _settings(records: Sequence[RunRecord]) -> list[list[str]]:
    """For each run the method's settings that are not as they come, and what else sets it apart from the others.

    Benchmark, split, steps and seed have columns of their own.
    """
    found = []
    for record, apart in zip(records, apart_from_siblings(records), strict=True):
        own, usual = facts(record), _usual(record)
        unusual = [name for name, value in usual.items() if name in own and own[name] != value]
        others = [name for name in apart if name not in usual and name not in _OWN_COLUMNS]
        found.append([f"{name.rpartition('.')[2]}={own[name]}" for name in unusual] + said(own, others))
    return found


def _usual(record: RunRecord) -> dict[str, Any]:
    """The defaults of the run's method, under dotted names; none of a method that this program does not know."""
    from benchmarks.identity_rows import IDENTITY_ROWS
    from piva.instructed import SCENE_EDITORS
    from piva.methods import METHODS
    from piva.sampling import SAMPLERS

    table = METHODS | SAMPLERS | SCENE_EDITORS | IDENTITY_ROWS
    if record.method not in table:
        return {}
    return flat(resolve("method", table, record.method)().model_dump(mode="json"))


def _sentence(problem: Exception) -> str:
    return " ".join(str(problem).split())
