"""Numbers that others published, quoted with their source: `paper.json`. They stand in a table of their own.

They are shown where the setting is the same: benchmark, id of the metric, and as many cases. Nothing here is ranked.
"""

from collections.abc import Sequence
from functools import lru_cache
from importlib.resources import files

from pydantic import BaseModel, ConfigDict, model_validator

from reports.reading import Run
from reports.tables.cells import head, shown
from reports.tables.grids import Block, Cell, Grid, Line


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Source(_Strict):
    """Where numbers stand."""

    title: str
    year: int | None = None
    url: str | None = None
    seen: str | None = None
    """Where they were read, if that was not the paper itself."""


class Setting(_Strict):
    """What numbers were measured on."""

    benchmark: str
    cases: int | None = None
    """How many; None where that is not known."""
    prior: str | None = None


class Published(_Strict):
    """One published number."""

    source: str
    """Key of `Papers.sources`."""
    table: str | None
    """None: it is yet to be found."""
    row: str
    metric: str
    metric_id: str | None
    """The id that our metric of the same measurement has; None where it is not known how it was measured."""
    setting: Setting
    value: float
    """Raw, as our records have it."""
    checked: bool
    """Whether somebody compared it with the source; False: from notes, check before printing."""
    note: str = ""


class Papers(_Strict):
    """All of `paper.json`."""

    sources: dict[str, Source]
    numbers: tuple[Published, ...]

    @model_validator(mode="after")
    def _every_source_is_named(self) -> "Papers":
        unknown = {number.source for number in self.numbers} - self.sources.keys()
        if unknown:
            raise ValueError(f"no such source: {', '.join(sorted(unknown))}")
        return self


@lru_cache(maxsize=1)
def papers() -> Papers:
    """The published numbers that this program knows."""
    return Papers.model_validate_json((files("reports") / "paper.json").read_bytes())


def quoted(runs: Sequence[Run]) -> list[Published]:
    """The published numbers whose setting is that of one of the runs, in the order of the file."""
    return [number for number in papers().numbers if any(same_setting(number, run) for run in runs)]


def same_setting(number: Published, run: Run) -> bool:
    """Whether a run was scored on the same cases by the same metric."""
    setting, record = number.setting, run.record
    return (
        record.benchmark == setting.benchmark
        and number.metric_id is not None
        and record.metrics.get(number.metric) == number.metric_id
        and len(run.planned) == setting.cases
    )


def table_of(numbers: Sequence[Published]) -> Grid:
    """Quoted rows, a column for each of their metrics."""
    names = list(dict.fromkeys(number.metric for number in numbers))
    by_row: dict[tuple[str, str], dict[str, Published]] = {}
    for number in numbers:
        by_row.setdefault((number.row, number.source), {})[number.metric] = number
    lines = []
    for (row, source), found in by_row.items():
        any_one = next(iter(found.values()))
        cells = [Cell(shown(name, found[name].value) if name in found else "–") for name in names]
        lines.append(Line(row, (Cell(any_one.setting.prior or "not said"), *cells, Cell(_place(any_one, source)))))
    caption = "Published: quoted from others for the same cases and metrics, not run here, and not ranked."
    return Grid(caption, ("prior", *(head(name) for name in names), "source"), (Block("", tuple(lines)),))


def _place(number: Published, key: str) -> str:
    source = papers().sources[key]
    parts = [source.title, str(source.year) if source.year else "", number.table or "table not known"]
    parts += [f"read at {source.seen}" if source.seen else "", "" if number.checked else "NOT CHECKED"]
    return ", ".join(part for part in parts if part)
