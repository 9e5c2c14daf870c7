"""The one way from the disk into reports: runs as typed records, each with its cases as a polars table."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from operator import attrgetter
from pathlib import Path
from typing import Any

import polars as pl

from piva.allocator import uncollected
from piva.metrics import INFO, MetricInfo
from piva.records import CaseRecord, RunRecord, find_run, read_cases, read_run, run_folders
from reports.labels import labels_of

COSTS = (
    "seconds_edit", "seconds_step", "unet_rows", "unet_rows_backward", "rows_cached", "psi_rows", "peak_bytes",
    "lpips_growth",
)  # fmt: skip
"""Numbers that the runner measures, whatever the metrics are."""
_FACTS = ("case_id", "type_id", "status")


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

    @cached_property
    def table(self) -> pl.DataFrame:
        """A row for each case, in the order of their ids: `case_id`, `type_id`, `status`, and every number.

        A case that failed has a row too, without values; so has one with scores of other metrics than the run's.
        """
        metrics = [name for name in self.record.metrics if name not in COSTS]
        names = [*_FACTS, *metrics, *COSTS]
        facts, costs, without = attrgetter(*_FACTS), attrgetter(*COSTS), (None,) * (len(names) - len(_FACTS))
        rows: list[tuple[Any, ...]] = []
        with uncollected():
            for case_id in sorted(self.cases):
                case = self.cases[case_id]
                numbers = (*map(case.metrics.get, metrics), *costs(case)) if case_id in self.ok else without
                rows.append((*facts(case), *numbers))
            columns = dict(zip(names, map(list, zip(*rows, strict=True)), strict=True)) if rows else {}
        types: dict[str, Any] = {name: pl.String if name in _FACTS else pl.Float64 for name in names}
        return pl.DataFrame(columns, schema=types)

    def values(self, name: str, type_id: str | None = None) -> list[float | None]:
        """A number of every case that ended well (of one type), in the order of their ids; None where one lacks it.

        Empty where the run has no such number.
        """
        if name not in self.table.columns:
            return []
        own = self.table.filter(pl.col("status") == "ok")
        own = own if type_id is None else own.filter(pl.col("type_id") == type_id)
        return own.get_column(name).to_list()

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


def labels(runs: Sequence[Run]) -> list[str]:
    """A short name for each run, as `reports.labels.labels_of` makes it."""
    return labels_of([run.record for run in runs])


def info(name: str) -> MetricInfo:
    """Declared facts about a number; for a name that this version does not know, neutral ones."""
    return INFO.get(name, MetricInfo("unknown", name, None, (-float("inf"), float("inf")), digits=4))
