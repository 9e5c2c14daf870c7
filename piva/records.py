"""Records: what a run writes to disk, and how it is read back.

    runs/<benchmark>/<method>-<edit_key>/
        run.json       what the run is: written first, atomically, and again at each launch
        run.lock       who writes to it now; empty when nobody does
        cases.jsonl    one line per case as it ends; flushed to the disk; later lines win
        images/<id>.png
        scenes/<id>/   of the edit of a scene: its field, views, turntable, contact sheet, scores by view

A case's image is written before its line is. A process killed at any point leaves at most one torn last line,
which readers ignore and the next writer cuts off. The disk is the truth; trackers only mirror it.

A machine that loses its power keeps every line (each is waited for), and may lose the images of the last seconds (they
are not). Such a case has a line whose image is gone or has another hash: `piva check run` names it, and the command
that made the run edits it again.
"""

import errno
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from piva import record_versions
from piva.allocator import uncollected
from piva.config import Executor, Overwrite
from piva.disk import disk, write_atomically, write_png
from piva.errors import ConfigError
from piva.interrupts import finishing
from piva.provenance import Provenance
from piva.record_files import CASES_FILE as CASES_FILE
from piva.record_files import RUN_FILE as RUN_FILE
from piva.record_files import opened, settle
from piva.run_lock import BusyError as BusyError
from piva.run_lock import RunLock
from piva.run_lock import is_busy as is_busy
from piva.run_lock import is_locked as is_locked

RECORD_VERSION = record_versions.VERSION
IMAGES, SCENES = "images", "scenes"

_OWN_LINE = f'{{"record_version":{RECORD_VERSION},'.encode()

Status = Literal["ok", "error", "skipped"]
Stage = Literal["load", "edit", "score"]


class Record(BaseModel):
    """Base of records: strict about what it writes, patient with fields a newer version added."""

    model_config = ConfigDict(extra="ignore", allow_inf_nan=False)


class Launch(Record):
    """One start of the command; a run that was interrupted has several."""

    started: str
    planned: list[str]
    """Ids of the cases asked for."""
    batch_size: int
    provenance: Provenance
    ended: str | None = None
    """When it ended; None while it runs, and for good where it was killed."""
    seconds: float | None = None
    """Wall time."""
    peak_bytes: int | None = None
    """Most memory that a case of it took."""
    executor: Executor | None = None
    """Who did the work; None where records were only scored, and before record version 2."""
    workers: int | None = None
    """As the flag had it."""
    shard: str | None = None
    overwrite: Overwrite | None = None


class RunRecord(Record):
    """One run: one benchmark, one method configuration, one seed."""

    record_version: int = RECORD_VERSION
    edit_key: str
    score_key: str
    benchmark: str
    benchmark_version: int
    split: str | None = None
    root: str
    """Folder of the benchmark's data when the run was last launched."""
    method: str
    method_version: int
    settings: dict[str, Any]
    prior: dict[str, Any]
    """Settings of the prior, its name, the fingerprint of its weights, and the number type it runs in."""
    steps: int
    seed: int
    image_size: tuple[int, int] | None = None
    """(H, W) that images are edited and scored at; None where each case has its own."""
    scenes: dict[str, Any] | None = None
    """Of a benchmark of scenes: settings of the edit besides the method's, of the reconstruction and of the evaluation,
    and the method's defaults that are the benchmark's."""
    metrics: dict[str, str]
    """Name of every number -> id of its metric: backbone, weights, input size and version."""
    key_facts: dict[str, Any] | None = None
    """What the edit_key is made of (`piva.keys.edit_facts`); None in records that are older than this field."""
    launches: list[Launch] = Field(default_factory=list)


class CaseRecord(Record):
    """How one case ended."""

    record_version: int = RECORD_VERSION
    """First in its line, so that a reader sees at once whether it is its own."""
    case_id: str = Field(pattern=r"^[A-Za-z0-9._-]+$")
    status: Status
    type_id: str
    content: str
    """Hash of the source image and both prompts; the case is edited again when it changes."""
    score_content: str = ""
    """Hash of mask, true edit and labels; the case is scored again when it changes."""
    score_key: str
    launch: int
    """Index into the run's launches."""
    stage: Stage | None = None
    """Where an error happened."""
    error: str | None = None
    traceback: str | None = None
    metrics: dict[str, float | None] = Field(default_factory=dict)
    reasons: dict[str, str] = Field(default_factory=dict)
    """Why a metric is null."""
    unscored: bool = False
    """Whether the edit is kept and its scores are still to come; the status is "error" until then."""
    source_size: tuple[int, int] | None = None
    """(H, W) of the source file."""
    resized: bool = False
    """Whether the source was resized to the prior's size, and the mask with it."""
    scene: str | None = None
    """That was edited; None of an image, and in older records."""
    src: str = ""
    tgt: str = ""
    image: str | None = None
    """Path of the edited image below the run's folder; of a scene, its contact sheet."""
    image_sha256: str | None = None
    field: str | None = None
    """Path of the edited scene's radiance field below the run's folder."""
    field_sha256: str | None = None
    turntable: str | None = None
    """Path of the video of original and edited scene."""
    by_view: str | None = None
    """Path of the scores of the single views."""
    course: dict[str, list[float | None]] | None = None
    """Scores while the case was edited, of a scene those of a few views: "step" -> steps done, number -> its values."""
    lpips_growth: float | None = None
    """LPIPS to the original at the last step minus that half-way, in `course`."""
    seconds_step: float | None = None
    """Wall time of a scene's edit divided by its steps."""
    reconstruction: str | None = None
    """Key of the field that the edit started from."""
    seconds_edit: float | None = None
    """Wall time of the batch divided by its size."""
    unet_rows: int | None = None
    """Rows sent forward through the UNet, with a gradient or without."""
    unet_rows_backward: int | None = None
    """Those of them that a gradient came back through."""
    rows_cached: int | None = None
    """Rows that an earlier run had left in the cache of source rows, in no other count."""
    psi_rows: int | None = None
    """Rows a stored psi was trained on before the edit, in no other count; 0 where the store had it."""
    aux_parameters: int | None = None
    """Numbers that were trained for this case, in its psi and phi together."""
    aux_bytes: int | None = None
    """What psi and phi of this case take of the device, with AdamW's states."""
    peak_bytes: int | None = None
    batch: int = 1
    """How many cases were edited together."""
    note: str | None = None
    """What was done otherwise than planned: "batch of 8 halved to 4: out of memory"."""
    history: dict[str, dict[str, float]] = Field(default_factory=dict)
    """Per-step scalar -> first, last, mean."""

    @property
    def failed(self) -> bool:
        """Whether it ended with an error. (An edit that only has no scores yet did not.)"""
        return self.status == "error" and not self.unscored

    @model_validator(mode="after")
    def _stays_in_its_folder(self) -> "CaseRecord":
        if ".." in self.case_id:
            raise ValueError("a case id has no .. in it")
        if self.field is None and self.image not in (None, f"{IMAGES}/{self.case_id}.png"):
            raise ValueError(f"the image of case {self.case_id} is {IMAGES}/{self.case_id}.png, not {self.image}")
        own = f"{SCENES}/{self.case_id}/"
        files = [self.field, self.turntable, self.by_view, *([self.image] if self.field else [])]
        if any(file is not None and (not file.startswith(own) or ".." in file) for file in files):
            raise ValueError(f"the files of case {self.case_id} are below {own}")
        return self


class RunFolder:
    """The folder of one run, open for writing by one process.

    Raises:
        BusyError: another process writes to it.
        PreflightError: the disk refuses.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with disk(path):
            (path / IMAGES).mkdir(parents=True, exist_ok=True)
            self._lock = RunLock(path)
            settle(path)
            self._cases = (path / CASES_FILE).open("ab", buffering=0)

    def __enter__(self) -> "RunFolder":
        return self

    def __exit__(self, *exception: object) -> None:
        self._cases.close()
        with disk(self.path):
            self._lock.release()

    def write_run(self, record: RunRecord) -> None:
        with finishing(), disk(self.path):
            write_atomically(self.path / RUN_FILE, record.model_dump_json(indent=2).encode() + b"\n")

    def append(self, record: CaseRecord) -> None:
        """Add a line and wait until it is on the disk; Ctrl-C waits, too.

        Raises:
            BusyError: another machine has taken the run over.
        """
        with finishing(), disk(self.path):
            self._lock.check()
            line = record.model_dump_json(exclude_none=True).encode() + b"\n"
            if self._cases.write(line) < len(line):  # the next writer cuts off what there is of it
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            os.fsync(self._cases.fileno())

    def write_image(self, case_id: str, image: Any) -> tuple[str, str]:
        """(path below the folder, SHA-256 of the file) of a PIL image written as PNG."""
        return f"{IMAGES}/{case_id}.png", write_png(self.path / IMAGES / f"{case_id}.png", image)


def read_run(path: Path) -> RunRecord:
    """The run recorded in a folder.

    Raises:
        ConfigError: there is none, or it cannot be read by this version.
    """
    try:
        with opened(path, RUN_FILE) as file:
            content = json.loads(file.read())
        version = content.get("record_version")
        return RunRecord.model_validate(record_versions.upgraded(content, record_versions.RUNS, version))
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
    return CaseRecord.model_validate(record_versions.upgraded(content, record_versions.CASES, version))


def run_folders(root: Path) -> Iterator[Path]:
    """Every folder below `root` that holds a run, in the order of their names."""
    return (file.parent for file in sorted(root.glob(f"*/*/{RUN_FILE}")))


def find_run(text: str, root: Path) -> Path:
    """The run's folder that `text` names: a path, or the beginning of a key (or of `<method>-<key>`) below `root`.

    Raises:
        ConfigError: none or several match.
    """
    if (Path(text) / RUN_FILE).exists():
        return Path(text)
    matches = [
        folder
        for folder in run_folders(root)
        if folder.name.startswith(text) or folder.name.rpartition("-")[2].startswith(text)
    ]
    if len(matches) == 1:
        return matches[0]
    if not matches:
        raise ConfigError(f"no run {text!r}: neither a run's folder nor the beginning of a key below {root}/")
    raise ConfigError(f"{text!r} is not unique: " + ", ".join(str(folder) for folder in matches))
