"""Records are read back, of whatever version they are; and runs are found."""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path

from pydantic import ValidationError

from piva.allocator import uncollected
from piva.errors import ConfigError
from piva.records import versions
from piva.records.files import CASES_FILE, RUN_FILE, SHARDS, opened
from piva.records.model import RECORD_VERSION, CaseRecord, RunRecord

_OWN_LINE = f'{{"record_version":{RECORD_VERSION},'.encode()


def read_run(path: Path) -> RunRecord:
    """The run recorded in a folder.

    Raises:
        ConfigError: there is none, or it cannot be read by this version.
    """
    try:
        with opened(path, RUN_FILE) as file:
            content = json.loads(file.read())
        version = content.get("record_version")
        return RunRecord.model_validate(versions.upgraded(content, versions.RUNS, version))
    except FileNotFoundError:
        raise ConfigError(f"{path} holds no run (there is no {RUN_FILE})") from None
    except ConfigError as problem:
        raise ConfigError(f"{path / RUN_FILE}: {problem}") from None
    except (ValidationError, ValueError, AttributeError, RecursionError) as problem:
        raise ConfigError(f"{path / RUN_FILE} is damaged: {problem}") from problem


def read_cases(path: Path) -> dict[str, CaseRecord]:
    """Case id -> its last record. A torn last line (one without its newline) does not count.

    Raises:
        ConfigError: a whole line is damaged, or a newer version wrote it; names the line.
    """
    with uncollected():
        return {record.case_id: record for record in each_line(path)}


def each_line(path: Path) -> Iterator[CaseRecord]:
    """The record in every line of `read_cases`, one at a time, earlier ones of a case too."""
    file = path / CASES_FILE
    try:
        lines = opened(path, CASES_FILE)
    except FileNotFoundError:
        return
    with lines:
        for number, line in enumerate(lines, start=1):
            if not line.endswith(b"\n"):
                break
            try:
                yield parse_case(line)
            except (ConfigError, ValueError, RecursionError) as problem:
                damaged = "" if isinstance(problem, ConfigError) else " is damaged"
                raise ConfigError(f"{file}, line {number}{damaged}: {problem}") from problem


def parse_case(line: bytes) -> CaseRecord:
    """The record in a line, of whatever version.

    Raises:
        ValueError: it is damaged.
        ConfigError: a newer version wrote it.
    """
    if line.startswith(_OWN_LINE):
        return CaseRecord.model_validate_json(line)
    content = json.loads(line)
    version = content.get("record_version", 1) if isinstance(content, dict) else None
    return CaseRecord.model_validate(versions.upgraded(content, versions.CASES, version))


def run_folders(root: Path) -> Iterator[Path]:
    """Every folder below `root` that holds a run, in the order of their names."""
    return (file.parent for file in sorted(root.glob(f"*/*/{RUN_FILE}")))


def find_run(text: str, root: Path) -> Path:
    """The run's folder that `text` names: a path, or the beginning of a key (or of `<method>-<key>`) below `root`.

    Deeper folders, such as a study's, are looked through where `root` itself has no such run.

    Raises:
        ConfigError: none or several match.
    """
    if (Path(text) / RUN_FILE).exists():
        return Path(text)
    matches = _named(text, run_folders(root)) or _named(text, _runs_at_any_depth(root))
    if len(matches) == 1:
        return matches[0]
    if not matches:
        raise ConfigError(f"no run {text!r}: neither a run's folder nor the beginning of a key below {root}/")
    raise ConfigError(f"{text!r} is not unique: " + ", ".join(str(folder) for folder in matches))


def _runs_at_any_depth(root: Path) -> Iterator[Path]:
    """Every run below `root`; shards are none by themselves."""
    found = (file.parent for file in sorted(root.glob(f"**/{RUN_FILE}")))
    return (folder for folder in found if folder.parent.name != SHARDS)


def _named(text: str, folders: Iterable[Path]) -> list[Path]:
    return [
        folder for folder in folders if folder.name.startswith(text) or folder.name.rpartition("-")[2].startswith(text)
    ]
