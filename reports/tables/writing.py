"""The files that tables go to. The same records give the same bytes.

OUT/table.md, table.tex         for readers, a section for each benchmark
OUT/table.csv, table.parquet    raw numbers of all benchmarks; `reports.tables.long_format` has the columns
OUT/cases.parquet               every number of every case
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from piva.disk import write_atomically
from reports.reading import Run
from reports.tables import long_format
from reports.tables.documents import to_markdown
from reports.tables.latex import latex
from reports.tables.sheet import Sheet


@dataclass(frozen=True)
class Tables:
    """What a report says of one benchmark."""

    sheet: Sheet
    runs: Sequence[Run]
    against: Sequence[Run]
    """Baselines."""
    folder: Path
    """Of its page."""
    figures: Sequence[Path] = ()
    """What was drawn of it."""


def write_tables(found: Sequence[Tables], out: Path, page: str | None = None) -> list[Path]:
    """Writes all of them; returns the paths.

    Args:
        page: name of each benchmark's page in its folder, for links.
    """
    links = [None if page is None else (one.folder / page).relative_to(out).as_posix() for one in found]
    shown = [[file.relative_to(out).as_posix() for file in one.figures if file.suffix == ".png"] for one in found]
    texts = [to_markdown(one.sheet, link, own) for one, link, own in zip(found, links, shown, strict=True)]
    summary = pl.concat([long_format.table(one.runs, one.against, list(one.sheet.sections)) for one in found])
    contents = {
        "table.md": "\n".join(texts).encode(),
        "table.tex": latex([one.sheet for one in found]).encode(),
        "table.csv": long_format.to_csv(summary),
        "table.parquet": long_format.to_parquet(summary),
        "cases.parquet": long_format.to_parquet(pl.concat([long_format.cases(one.runs) for one in found])),
    }
    for name, content in contents.items():
        write_atomically(out / name, content)
    return [out / name for name in contents]
