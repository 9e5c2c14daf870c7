"""What lies in a run's folder: which record names which file, shards, and what nobody names.

runs/<benchmark>/<method>-<edit_key>/
    shards/<i>-of-<n>/   of a run that several machines do: run folders of their own, until they are merged
    .NAME.PID-*.tmp      a file that process PID is writing, or was when it died
"""

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from piva.errors import ConfigError
from piva.records.files import RUN_FILE, SHARDS
from piva.records.model import IMAGES, SCENES, CaseRecord
from piva.records.reading import find_run

_TEMPORARY = re.compile(r"^\..+\.(\d+)(?:-[0-9a-f]+)?\.tmp$")


@dataclass(frozen=True)
class NamedFile:
    """A file that a record names."""

    path: str
    """Below the run's folder."""
    sha256: str | None
    """Of its bytes; None where the record does not say."""


def named_files(record: CaseRecord) -> list[NamedFile]:
    """The files of a case, which its record names."""
    pairs = [(record.image, record.image_sha256), (record.field, record.field_sha256)]
    pairs += [(record.turntable, None), (record.by_view, None)]
    return [NamedFile(path, sha256) for path, sha256 in pairs if path is not None]


def archived(record: CaseRecord) -> bool:
    """Whether of a case's edit only the hash is here: `piva archive` leaves files behind."""
    return (record.image or record.field) is None and (record.image_sha256 or record.field_sha256) is not None


def shards_of(run: Path) -> list[Path]:
    """The shards below a run's folder, in the order of their numbers."""
    found = [file.parent for file in run.glob(f"{SHARDS}/*/{RUN_FILE}")]
    return sorted(found, key=lambda shard: ([int(number) for number in re.findall(r"\d+", shard.name)], shard.name))


def with_shards(root: Path) -> set[Path]:
    """Every run's folder below `root` that has shards, whether or not it has records of its own."""
    return {file.parents[2] for file in root.glob(f"*/*/{SHARDS}/*/{RUN_FILE}")}


def find_run_or_shards(text: str, root: Path) -> Path:
    """As `find_run`; a folder that holds only shards is found as well, by its path or the beginning of its key.

    Raises:
        ConfigError: none or several match.
    """
    if shards_of(Path(text)):
        return Path(text)
    matches = [
        run
        for run in sorted(with_shards(root))
        if not (run / RUN_FILE).exists() and (run.name.startswith(text) or run.name.rpartition("-")[2].startswith(text))
    ]
    if len(matches) > 1:
        raise ConfigError(f"{text!r} is not unique: " + ", ".join(map(str, matches)))
    return matches[0] if matches else find_run(text, root)


def unnamed(run: Path, records: Mapping[str, CaseRecord]) -> Iterator[Path]:
    """Images that no record names, and scene folders of cases that have none."""
    images = {record.image for record in records.values()}
    for image in sorted((run / IMAGES).glob("*")):
        if f"{IMAGES}/{image.name}" not in images and not is_temporary(image.name):
            yield image
    for scene in sorted((run / SCENES).glob("*")):
        if scene.name not in records and not is_temporary(scene.name):
            yield scene


def is_temporary(name: str) -> bool:
    """Whether a file of this name is one that is being written, or was."""
    return _TEMPORARY.match(name) is not None


def writer_is_gone(name: str) -> bool:
    """Whether no process of this machine has the number in the name of a temporary file."""
    match = _TEMPORARY.match(name)
    if match is None:
        return False
    try:
        os.kill(int(match[1]), 0)
    except (ProcessLookupError, OverflowError):
        return True
    except PermissionError:
        pass
    return False


def size_of(path: Path) -> int:
    """Bytes of a file, or of all files below a folder; links are not followed."""
    if path.is_symlink() or not path.is_dir():
        return path.lstat().st_size
    total, waiting = 0, [str(path)]
    while waiting:
        folder = waiting.pop()
        try:
            with os.scandir(folder) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(entry.path)
                    else:
                        total += entry.stat(follow_symlinks=False).st_size
        except FileNotFoundError:
            continue  # whoever writes here has put it somewhere else meanwhile
    return total
