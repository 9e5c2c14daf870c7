"""Tables for machines: every number that any run has, raw, a line each. As CSV and parquet.

table.csv, table.parquet    a mean with its interval, or a paired difference, over some of a run's cases
cases.parquet               the value of one number of one case of one run
"""

from collections.abc import Iterator, Sequence
from io import BytesIO
from typing import Any

import polars as pl

from piva.data.edit_types import group_of
from piva.stats import Interval, PairedDifference
from reports.parts import By, Part, parts
from reports.reading import Run, labels
from reports.tables.rows import pairs, present, rows

COLUMNS: dict[str, Any] = {
    "benchmark": pl.String, "benchmark_version": pl.Int64, "split": pl.String, "run": pl.String,
    "edit_key": pl.String, "against": pl.String, "by": pl.String, "part": pl.String, "metric": pl.String,
    "metric_id": pl.String, "mean": pl.Float64, "low": pl.Float64, "high": pl.Float64, "n": pl.Int64,
    "missing": pl.Int64, "interval": pl.String, "better": pl.Int64, "equal": pl.Int64, "worse": pl.Int64,
    "planned": pl.Int64, "ok": pl.Int64, "failed": pl.Int64, "skipped": pl.Int64, "not_done": pl.Int64,
}  # fmt: skip
"""`against` is the label of the baseline of a paired difference, empty for a mean; `by` and `part` are "all", or such
as "type" and "6 change-colour"; `interval` says how the ends were found: "drawn", or "expansion" (`piva.stats`)."""


def table(runs: Sequence[Run], against: Sequence[Run], by: Sequence[By] = ()) -> pl.DataFrame:
    """Means and paired differences of the runs of one benchmark: of all numbers, over all cases and parts of them."""
    names = present(runs, list(dict.fromkeys(name for run in runs for name in run.numbers)))
    kinds: list[Part | None] = [None, *(part for kind in by for part in parts(runs, kind))]
    named = dict(zip((run.path for run in runs), labels(runs), strict=True))
    lines = [line for part in kinds for line in _means(runs, names, part)]
    for baseline in against:
        others = [run for run in runs if run is not baseline and not run.is_identity_row]
        for run in sorted(others, key=lambda run: named[run.path]):
            own = [name for name in names if name in run.numbers and name in baseline.numbers]
            for part in kinds:
                facts = _of_run(run, named[run.path], part) | {"against": named[baseline.path]}
                lines += [facts | _of_number(run, name, pair) for name, pair in pairs(run, baseline, own, part).items()]
    return pl.DataFrame(lines, schema=COLUMNS)


def cases(runs: Sequence[Run]) -> pl.DataFrame:
    """A row for each number of each case of each run; null where a case has none."""
    frames = []
    for run, label in zip(runs, labels(runs), strict=True):
        record = run.record
        names = present([run], run.numbers)
        facts = ["case_id", "type_id", "scene", "status", "scored"]
        own = run.table.unpivot(on=names, index=facts, variable_name="metric", value_name="value")
        what = {"benchmark": record.benchmark, "split": record.split or "", "run": label, "edit_key": record.edit_key}
        groups = {type_id: group_of(type_id) for type_id in run.table.get_column("type_id").unique()}
        group = pl.col("type_id").replace_strict(groups, return_dtype=pl.String).alias("group")
        frames.append(own.select(*(pl.lit(v).alias(k) for k, v in what.items()), *facts, group, "metric", "value"))
    return pl.concat(frames)


def to_csv(frame: pl.DataFrame) -> bytes:
    """The frame as CSV: shortest digits that give the same number back, nothing where there is none."""
    return frame.write_csv().encode()


def to_parquet(frame: pl.DataFrame) -> bytes:
    """The frame as parquet."""
    file = BytesIO()
    frame.write_parquet(file, compression="zstd")
    return file.getvalue()


def _means(runs: Sequence[Run], names: Sequence[str], part: Part | None) -> Iterator[dict[str, Any]]:
    for row in rows(runs, names, part=part):
        counts = {"planned": row.planned, "ok": row.ok, "failed": row.failed, "skipped": row.skipped}
        facts = _of_run(row.run, row.label, part) | {"against": "", **counts, "not_done": row.unfinished}
        for name, interval in row.cells.items():
            if name in row.run.numbers:
                yield facts | _of_number(row.run, name, interval)


def _of_run(run: Run, label: str, part: Part | None) -> dict[str, Any]:
    record = run.record
    return {
        "benchmark": record.benchmark, "benchmark_version": record.benchmark_version, "split": record.split or "",
        "run": label, "edit_key": record.edit_key, "by": part.by if part else "all",
        "part": part.title if part else "all",
    }  # fmt: skip


def _of_number(run: Run, name: str, interval: Interval) -> dict[str, Any]:
    drawn = None if interval.low is None else "expansion" if interval.worked_out else "drawn"
    found = {
        "metric": name, "metric_id": run.record.metrics.get(name, ""), "mean": interval.mean, "low": interval.low,
        "high": interval.high, "n": interval.n, "missing": interval.missing, "interval": drawn,
    }  # fmt: skip
    if isinstance(interval, PairedDifference):
        found |= {"better": interval.wins, "equal": interval.ties, "worse": interval.losses}
    return found
