"""The one way from the disk into reports: runs as typed records, each with its cases as a polars table.

Every line is checked as a record is; of a large archive only what tables need is kept, and `Run.cases` reads the rest
when a page or a figure asks for it.
"""

from collections.abc import Iterable, Sequence
from functools import cached_property
from operator import attrgetter
from pathlib import Path
from typing import Any

import polars as pl

from piva.allocator import uncollected
from piva.metrics import INFO, MetricInfo
from piva.records import CaseRecord, RunRecord, each_line, find_run, read_cases, read_run, run_folders
from reports.labels import labels_of

COSTS = (
    "seconds_edit", "seconds_step", "unet_rows", "unet_rows_backward", "rows_cached", "psi_rows", "peak_bytes",
    "lpips_growth",
)  # fmt: skip
"""Numbers that the runner measures, whatever the metrics are."""
FACTS = {
    "case_id": pl.String, "type_id": pl.String, "scene": pl.String, "content": pl.String, "status": pl.String,
    "score_content": pl.String,
    "score_key": pl.String, "unscored": pl.Boolean, "resized": pl.Boolean,
}  # fmt: skip
"""What a run's table has of each case besides numbers, and the type of the column."""


class Run:
    """One run as it lies on the disk.

    Args:
        path: its folder.
        cases: the records of its cases, where they are known; else they are read from the folder.
    """

    def __init__(self, path: Path, record: RunRecord, cases: dict[str, CaseRecord] | None = None) -> None:
        self.path, self.record, self._known = path, record, cases

    @cached_property
    def cases(self) -> dict[str, CaseRecord]:
        """Case id -> its record, whole."""
        return read_cases(self.path) if self._known is None else self._known

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
    def scored(self) -> set[str]:
        """Ids of the cases in `ok`, from the table."""
        return set(self.table.filter("scored").get_column("case_id"))

    @property
    def numbers(self) -> list[str]:
        """Names of all numbers that the run's cases may have, in the order of the table's columns."""
        return self.table.columns[len(FACTS) :]

    @cached_property
    def table(self) -> pl.DataFrame:
        """A row for each case, in the order of their ids: `FACTS` (for score_key: `scored`), and every number.

        A case that failed has a row too, without values; so has one with scores of other metrics than the run's.
        """
        metrics = [name for name in self.record.metrics if name not in COSTS and name not in FACTS]
        names, key = [*metrics, *COSTS], self.record.score_key
        rows = _rows(each_line(self.path) if self._known is None else self._known.values(), metrics)
        ordered = [rows[case_id] for case_id in sorted(rows)]
        columns = dict(zip([*FACTS, *names], map(list, zip(*ordered, strict=True)), strict=True)) if rows else {}
        types: dict[str, Any] = FACTS | dict.fromkeys(names, pl.Float64)
        scored = (pl.col("status") == "ok") & (pl.col("score_key") == key)
        return (
            pl.DataFrame(columns, schema=types)
            .with_columns(scored.alias("score_key"))
            .rename({"score_key": "scored"})
            .with_columns(pl.when("scored").then(pl.col(name)).alias(name) for name in names)
        )

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


def _rows(cases: Iterable[CaseRecord], metrics: Sequence[str]) -> dict[str, tuple[Any, ...]]:
    """Case id -> its facts and numbers; of a case with several records those of the last."""
    facts, costs = attrgetter(*FACTS), attrgetter(*COSTS)
    with uncollected():
        return {case.case_id: (*facts(case), *map(case.metrics.get, metrics), *costs(case)) for case in cases}


def load_runs(names: Sequence[str], root: Path) -> list[Run]:
    """The runs named, each once, or all below `root`.

    Raises:
        ConfigError: a name matches none or several, or a record is damaged.
    """
    named = [find_run(name, root) for name in names] if names else run_folders(root)
    runs = [Run(folder, read_run(folder)) for folder in {folder.resolve(): folder for folder in named}.values()]
    for run in runs:
        run.table  # noqa: B018 - read now, so that a damaged record is known before anything is written
    return runs


def same_cases(runs: Sequence[Run], ids: Iterable[str]) -> list[str]:
    """Those of the ids that stand for one case in all runs: image and prompts, and mask and true edit, were the same.

    An older record does not say what its mask and its true edit were.
    """
    edited: dict[str, set[str]] = {}
    scored: dict[str, set[str]] = {}
    for run in runs:
        for id_, content, score_content in run.table.select("case_id", "content", "score_content").iter_rows():
            edited.setdefault(id_, set()).add(content)
            scored.setdefault(id_, set()).add(score_content)
    return [id_ for id_ in ids if len(edited.get(id_, ())) <= 1 and len(scored.get(id_, set()) - {""}) <= 1]


def labels(runs: Sequence[Run]) -> list[str]:
    """A short name for each run, as `reports.labels.labels_of` makes it."""
    return labels_of([run.record for run in runs])


def info(name: str) -> MetricInfo:
    """Declared facts about a number; for a name that this version does not know, neutral ones."""
    return INFO.get(name, MetricInfo("unknown", name, None, (-float("inf"), float("inf")), digits=4))
