"""The one way from the disk into reports: runs as typed records, their cases as one long polars table."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import polars as pl

from piva.metrics import INFO, MetricInfo
from piva.records import CaseRecord, RunRecord, find_run, read_cases, read_run, run_folders
from reports.labels import labels_of

COSTS = (
    "seconds_edit", "seconds_step", "unet_rows", "unet_rows_backward", "rows_cached", "psi_rows", "peak_bytes",
    "lpips_growth",
)  # fmt: skip
"""Numbers that the runner measures, whatever the metrics are."""
SCHEMA = {
    "run": pl.Int64,
    "case_id": pl.String,
    "type_id": pl.String,
    "status": pl.String,
    "name": pl.String,
    "value": pl.Float64,
    "reason": pl.String,
}


@dataclass(frozen=True)
class Run:
    """One run as it lies on the disk."""

    path: Path
    record: RunRecord
    cases: dict[str, CaseRecord]

    @cached_property
    def planned(self) -> set[str]:
        """Ids of all cases that any launch was asked for."""
        return {case_id for launch in self.record.launches for case_id in launch.planned}

    @cached_property
    def ok(self) -> dict[str, CaseRecord]:
        """The cases that were edited, and scored with the run's present metrics."""
        key = self.record.score_key
        return {id_: case for id_, case in self.cases.items() if case.status == "ok" and case.score_key == key}

    def value(self, case_id: str, name: str) -> float | None:
        """A case's score, or its cost (`seconds_edit`, `unet_rows`, ...); None where it has none."""
        case = self.ok.get(case_id)
        found = None if case is None else case.metrics.get(name, getattr(case, name, None))
        return None if found is None else float(found)

    @property
    def is_identity_row(self) -> bool:
        """Whether nothing was edited: `copy` and `no-edit`."""
        return self.record.method in ("copy", "no-edit")


def load_runs(names: Sequence[str], root: Path) -> list[Run]:
    """The runs named, or all below `root`.

    Raises:
        ConfigError: a name matches none or several, or a record is damaged.
    """
    folders = [find_run(name, root) for name in names] if names else list(run_folders(root))
    return [Run(folder, read_run(folder), read_cases(folder)) for folder in folders]


def long_table(runs: Sequence[Run]) -> pl.DataFrame:
    """One row for each run (by its index), case and number. A case that failed has rows too, without values."""
    rows: list[tuple[Any, ...]] = []
    for index, run in enumerate(runs):
        names = [*run.record.metrics, *COSTS]
        for case_id, case in run.cases.items():
            ok = case_id in run.ok
            values: dict[str, float | None] = case.metrics | {cost: getattr(case, cost) for cost in COSTS}
            for name in names:
                reason = case.reasons.get(name) if ok else case.error or "scored with other metrics"
                value = values.get(name) if ok else None
                rows.append((index, case_id, case.type_id, case.status, name, value, reason))
    return pl.DataFrame(rows, schema=SCHEMA, orient="row")


def labels(runs: Sequence[Run]) -> list[str]:
    """A short name for each run, as `reports.labels.labels_of` makes it."""
    return labels_of([run.record for run in runs])


def info(name: str) -> MetricInfo:
    """Declared facts about a number; for a name that this version does not know, neutral ones."""
    return INFO.get(name, MetricInfo("unknown", name, None, (-float("inf"), float("inf")), digits=4))
