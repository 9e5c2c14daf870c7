"""`piva report [RUNS...]`: tables (Markdown, CSV) and a page with every edit, from what is on the disk."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import tyro

from piva.commands.arguments import parse
from piva.config import Settings, runtime
from piva.errors import COMPLETE, ConfigError


class ReportConfig(Settings):
    """What `piva report` does."""

    names: Annotated[tuple[str, ...], tyro.conf.Positional, tyro.conf.arg(metavar="[RUN ...]")] = runtime(())
    """Folders, or beginnings of keys; all runs below --runs otherwise."""

    runs: Path = runtime(Path("runs"))
    """Folder that holds all runs."""

    out: Path | None = runtime(None)
    """Folder to write to; RUNS/report otherwise."""

    metrics: tuple[str, ...] = runtime(())
    """Columns of the table; the usual ones otherwise."""

    baseline: tuple[str, ...] = runtime(())
    """Runs that others are compared with: folders, beginnings of keys, or labels as the table shows them, such as
    "dds guidance=3.0"; otherwise the only DDS run, or the only one with default settings."""

    into: Path | None = runtime(None)
    """Also put the tables between the results markers of this file, such as README.md."""

    picture: Path | None = runtime(None)
    """Also draw source, true edit and every run of some cases into this PNG."""

    picture_cases: int = runtime(6, ge=1)
    """How many cases that picture shows, of as many edit types as there are."""

    full_images: bool = runtime(False)
    """Also copy images that are larger than a thumbnail at their own size."""


def main(arguments: Sequence[str]) -> int:
    """Writes table.md, table.csv and a page for each benchmark; prints the tables and where they are."""
    config = parse(ReportConfig, "report", arguments, "Tables (Markdown, CSV) and a page with every edit.")
    from piva.disk import write_atomically
    from piva.provenance import command_line
    from reports.documents import baselines, groups, markdown, to_csv, write_between_markers
    from reports.gallery import write_page
    from reports.reading import load_runs
    from reports.tables import check_names, present, usual_columns
    from reports.terminal import print_table

    runs = load_runs(config.names, config.runs)
    if not runs:
        raise ConfigError(f"there is no run below {config.runs}/ yet: piva run pie-toybox --method piva --limit 20")
    check_names(config.metrics, runs)
    out = config.out or config.runs / "report"
    texts, pages = [], []
    columns = list(dict.fromkeys(name for group in groups(runs).values() for name in usual_columns(group)))
    for title, group in groups(runs).items():
        names = present(group, config.metrics or usual_columns(group))
        against = baselines(group, config.baseline, config.runs)
        first = against[0] if against else None
        if not against and any(run.record.method == "dds" for run in group):
            print(f"{title}: no paired differences; say with --baseline RUN what to compare with", file=sys.stderr)
        texts.append(markdown(title, group, names, against, command_line()))
        folder = out if len(groups(runs)) == 1 else out / _folder(title)
        pages.append(write_page(folder, title, group, names, command_line(), config.full_images, first))
        print_table(title, group, names, against)
    write_atomically(out / "table.md", "\n".join(texts).encode())
    if config.into is not None:
        write_between_markers(config.into, "\n".join(texts))
    if config.picture is not None:
        from reports.contact_sheet import contact_sheets

        for file, count in contact_sheets(runs, config.picture_cases, config.picture).items():
            print(f"{file}: {count} rows")
    write_atomically(out / "table.csv", to_csv(runs, config.metrics or columns).encode())
    print(f"\ntables: {out / 'table.md'}, {out / 'table.csv'}")
    for page in pages:
        print(f"page: {page}")
    return COMPLETE


def _folder(title: str) -> str:
    """A title as a folder's name."""
    return "-".join("".join(char if char.isalnum() or char == "-" else " " for char in title).split())
