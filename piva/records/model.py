"""What a run and its cases say of themselves: the fields of run.json and of a line of cases.jsonl."""

from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from piva.config import Executor, Overwrite
from piva.provenance import Provenance
from piva.records import versions

RECORD_VERSION = versions.VERSION
IMAGES, SCENES = "images", "scenes"

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

    @field_validator("started")
    @classmethod
    def _is_a_time(cls, started: str) -> str:
        datetime.fromisoformat(started)
        return started


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

    @property
    def place(self) -> Path:
        """`<benchmark>/<method>-<edit_key>`: its folder below that of all runs."""
        return Path(self.benchmark) / f"{self.method}-{self.edit_key}"


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
