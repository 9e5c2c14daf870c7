"""Mirrors of a run: Weights & Biases, or a CSV file of per-step values. The records on disk are the truth.

W&B runs offline unless a key is set (`WANDB_MODE` wins over both). It never asks for a key, and at the start it is
waited for INIT_SECONDS at most, at the end FINISH_SECONDS for what is still to be sent. A continued run has the same
id (its edit_key): online it resumes; offline, where W&B ignores `resume`, each launch leaves one more segment, and
`wandb sync RUN/wandb` sends them in order as one run.

A mirror that fails says so once and is dropped: it cannot fail the run.
"""

import csv
import netrc
import os
import sys
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlparse

from piva.records import CaseRecord, RunRecord, read_cases

INIT_SECONDS = 20
FINISH_SECONDS = 120
STEPS_TOGETHER = 25
"""Per-step values are read from the device this many steps at a time: reading one waits for all before it."""
PANEL_CASES = 24
"""Images in W&B's panel, at most."""
SIZES = ("aux_parameters", "aux_bytes")
"""Fields of a case's record that W&B shows beside its scores: how large psi and phi are."""


class Mirror(Protocol):
    """What is told of a run as it goes."""

    def start(self, record: RunRecord, folder: Path) -> None: ...
    def step(self, values: Mapping[str, float]) -> None: ...
    def case(self, record: CaseRecord, source: Any, edited: Any) -> None: ...
    def finish(self) -> None: ...


def open_mirror(name: str) -> "Guarded":
    """The mirror called "wandb", "csv" or "none", guarded."""
    kinds: dict[str, type[Mirror]] = {"wandb": WandbMirror, "csv": CsvMirror}
    return Guarded(kinds[name]() if name in kinds else None)


class Guarded:
    """Passes everything on to a mirror until that fails; then says so once, and drops it.

    Steps are kept as they come and passed on as numbers, STEPS_TOGETHER at a time, before a case and at the end.
    """

    def __init__(self, mirror: Mirror | None) -> None:
        self._mirror = mirror
        self._steps: list[Mapping[str, Any]] = []

    def start(self, record: RunRecord, folder: Path) -> None:
        self._tell("start", record, folder)

    def step(self, values: Mapping[str, Any]) -> None:
        if self._mirror is None:
            return
        self._steps.append({name: value for name, value in values.items() if name != "images"})
        if len(self._steps) == STEPS_TOGETHER:
            self._pass_steps_on()

    def case(self, record: CaseRecord, source: Any, edited: Any) -> None:
        self._pass_steps_on()
        self._tell("case", record, source, edited)

    def finish(self) -> None:
        self._pass_steps_on()
        self._tell("finish")

    def _pass_steps_on(self) -> None:
        steps, self._steps = self._steps, []
        for values in steps:
            self._tell("step", scalars(values))

    def _tell(self, what: str, *facts: Any) -> None:
        if self._mirror is None:
            return
        try:
            getattr(self._mirror, what)(*facts)
        except Exception as problem:  # whatever a third party's service does, the run goes on
            self._mirror = None
            print(f"tracking stopped ({type(problem).__name__}: {problem}); the run goes on", file=sys.stderr)


def scalars(values: Mapping[str, Any]) -> dict[str, float]:
    """One number for each entry of a step's dict: itself, or its mean over the cases; images are left out."""
    numbers = {}
    for name, value in values.items():
        cases = value.tolist() if getattr(value, "ndim", None) == 1 else value
        if isinstance(cases, (list, tuple)) and cases:
            numbers[name] = sum(map(float, cases)) / len(cases)
        elif isinstance(cases, (int, float)):
            numbers[name] = float(cases)
    return numbers


class CsvMirror:
    """`steps.csv` in the run's folder: one row per update and value (update, name, value); later launches add."""

    def start(self, record: RunRecord, folder: Path) -> None:
        path = folder / "steps.csv"
        content = path.read_bytes() if path.exists() else b""
        whole = content[: content.rfind(b"\n") + 1]  # a launch that was killed may leave a torn last line
        rows = whole.splitlines()[1:]
        self._update = int(rows[-1].split(b",")[0]) + 1 if rows else 0
        self._file = path.open("a", newline="")
        self._file.truncate(len(whole))
        self._writer = csv.writer(self._file)
        if not whole:
            self._writer.writerow(["update", "name", "value"])

    def step(self, values: Mapping[str, float]) -> None:
        self._writer.writerows((self._update, name, value) for name, value in values.items())
        self._update += 1

    def case(self, record: CaseRecord, source: Any, edited: Any) -> None:
        self._file.flush()

    def finish(self) -> None:
        self._file.close()


class WandbMirror:
    """One W&B run: group = benchmark, job type = method, id = edit_key.

    `live/*` are the scalars of every update, in the order in which batches ran; `case/*` are the scores of each case,
    and the sizes of its auxiliaries. The edit of a scene also has its turntable, as a video, and `course/<case>/*`: how
    the scores of a few views went while it was edited.
    """

    def start(self, record: RunRecord, folder: Path) -> None:
        import wandb

        self._wandb, self._folder = wandb, folder
        self._run = _init(wandb, record, folder)
        self._run.define_metric("update")
        self._run.define_metric("live/*", step_metric="update")
        self._run.define_metric("cases")
        self._run.define_metric("case/*", step_metric="cases")
        if record.scenes is not None:
            self._run.define_metric("step")
            self._run.define_metric("course/*", step_metric="step")
        records = read_cases(folder)
        self._update, self._cases = updates_done(record.steps, records.values()), len(records)
        self._panel: list[Any] = []

    def step(self, values: Mapping[str, float]) -> None:
        self._run.log({"update": self._update, **{f"live/{name}": value for name, value in values.items()}})
        self._update += 1

    def case(self, record: CaseRecord, source: Any, edited: Any) -> None:
        self._cases += 1
        known = {f"case/{name}": value for name, value in _numbers(record).items() if value is not None}
        self._run.log({"cases": self._cases, **known})
        self._show_scene(record)
        if edited is not None and len(self._panel) < PANEL_CASES:
            import torch

            pixels = torch.cat([source.cpu(), edited.cpu()], dim=-1).permute(1, 2, 0).numpy()  # [H, 2W, 3]
            self._panel.append(self._wandb.Image(pixels, caption=f"{record.case_id}: {record.src} -> {record.tgt}"))

    def _show_scene(self, record: CaseRecord) -> None:
        if record.turntable is not None:
            video = self._wandb.Video(str(self._folder / record.turntable), format="mp4", caption=record.tgt)
            self._run.log({f"turntable/{record.case_id}": video})
        course = record.course or {}
        for k, step in enumerate(course.get("step", [])):
            scores = {f"course/{record.case_id}/{name}": values[k] for name, values in course.items() if name != "step"}
            self._run.log({"step": step, **{name: value for name, value in scores.items() if value is not None}})

    def finish(self) -> None:
        records = read_cases(self._folder)
        numbers = {case_id: _numbers(record) for case_id, record in records.items()}
        names = sorted({name for found in numbers.values() for name in found})
        table = self._wandb.Table(columns=["case", "type", "status", "source", "target", *names])
        sums: dict[str, list[float]] = defaultdict(list)
        for case_id, record in records.items():
            values = [numbers[case_id].get(name) for name in names]
            table.add_data(record.case_id, record.type_id, record.status, record.src, record.tgt, *values)
            for name, value in zip(names, values, strict=True):
                if value is not None and record.status == "ok":
                    sums[name].append(value)
        self._run.log({"cases_table": table, "panel": self._panel})
        self._run.summary.update({f"mean/{name}": sum(values) / len(values) for name, values in sums.items()})
        self._run.summary.update({"n": sum(record.status == "ok" for record in records.values())})
        self._run.finish()


def _numbers(record: CaseRecord) -> dict[str, float | None]:
    """What W&B shows of a case: its scores, and its sizes where they are known."""
    sizes = {name: size for name in SIZES if (size := getattr(record, name)) is not None}
    return {**record.metrics, **sizes}


def updates_done(steps: int, records: Iterable[CaseRecord]) -> int:
    """Updates that went into the recorded edits: `steps` for each batch. A continued run counts on from there."""
    return round(sum(steps / record.batch for record in records if record.seconds_edit is not None))


def wandb_mode() -> str:
    """`WANDB_MODE` where it is set; else "online" where a key is, and "offline" where none is."""
    if os.environ.get("WANDB_MODE"):
        return os.environ["WANDB_MODE"]
    if os.environ.get("WANDB_API_KEY"):
        return "online"
    host = urlparse(os.environ.get("WANDB_BASE_URL", "https://api.wandb.ai")).hostname or ""
    try:
        file = os.environ.get("NETRC", str(Path.home() / ".netrc"))
        return "online" if netrc.netrc(file).authenticators(host) else "offline"
    except (OSError, netrc.NetrcParseError):
        return "offline"


def _init(wandb: Any, record: RunRecord, folder: Path) -> Any:
    settings = wandb.Settings(
        console="off",
        silent=True,
        init_timeout=INIT_SECONDS,
        finish_timeout=FINISH_SECONDS,
        finish_timeout_raises=True,
        disable_git=True,
        disable_code=True,
    )
    common = {
        "project": os.environ.get("WANDB_PROJECT", "piva"),
        "id": record.edit_key,
        "name": folder.name,
        "group": record.benchmark,
        "job_type": record.method,
        "dir": str(folder),
        "config": wandb_config(record),
        "resume": "allow",
        "settings": settings,
    }
    try:
        return wandb.init(mode=wandb_mode(), **common)
    except wandb.errors.Error as problem:
        print(f"W&B did not answer ({problem}); logging offline", file=sys.stderr)
        return wandb.init(mode="offline", **common)


def wandb_config(record: RunRecord) -> dict[str, Any]:
    """The run's settings twice: nested, and flat with dotted names, which is how sweeps and filters name them."""
    nested: dict[str, Any] = {
        "benchmark": record.benchmark,
        "split": record.split,
        "steps": record.steps,
        "seed": record.seed,
        "edit_key": record.edit_key,
        "score_key": record.score_key,
        "method": {"name": record.method, **record.settings},
        "prior": record.prior,
    }
    return nested | dict(_flat(nested))


def _flat(values: Mapping[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    pairs: list[tuple[str, Any]] = []
    for name, value in values.items():
        pairs += _flat(value, f"{prefix}{name}.") if isinstance(value, Mapping) else [(prefix + name, value)]
    return [(name, value) for name, value in pairs if "." in name or prefix]
