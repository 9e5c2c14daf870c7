"""`piva report [RUNS...]`: tables (Markdown, LaTeX, CSV, parquet) and a page with every edit, from the disk."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from piva.commands.arguments import parse
from piva.config import Settings, runtime
from piva.errors import COMPLETE, ConfigError

if TYPE_CHECKING:
    from reports.reading import Run
    from reports.tables.sheet import Sheet
    from reports.tables.writing import Tables


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

    by: tuple[Literal["type", "scene", "group"], ...] = runtime(())
    """Also break the tables down: by edit type, by scene, by group of edits (appearance, addition, translation)."""

    tables_only: bool = runtime(False)
    """Write no page and no picture: of very many cases these take most of the time."""

    into: Path | None = runtime(None)
    """Also put the tables between the results markers of this file, such as README.md."""

    picture: Path | None = runtime(None)
    """Also draw source, true edit and every run of some cases into this PNG."""

    picture_cases: int = runtime(6, ge=1)
    """How many cases that picture shows, of as many edit types as there are."""

    strip: tuple[str, ...] = runtime(())
    """Also draw source, true edit and every run of these cases (ids) into figures/strip.png; of a scene the original
    and every run from six sides, into figures/views-CASE.png."""

    figures: bool = runtime(False)
    """Also draw figures, svg and png, into figures/: what the records allow."""

    figure_metrics: tuple[str, str] | None = runtime(None)
    """Identity and alignment of the figures; otherwise lpips and clip_text, or what there is instead."""

    full_images: bool = runtime(False)
    """Also copy images that are larger than a thumbnail at their own size."""


def main(arguments: Sequence[str]) -> int:
    """Writes the tables, and a page for each benchmark; prints the tables and where everything is."""
    config = parse(ReportConfig, "report", arguments, "Tables, and a page with every edit.")
    from piva.provenance import command_line
    from reports.reading import load_runs
    from reports.tables.documents import (
        baselines,
        check_baselines,
        check_markers,
        groups,
        slug,
        to_markdown,
        write_between_markers,
    )
    from reports.tables.rows import check_names, present, usual_columns
    from reports.tables.sheet import sheet
    from reports.tables.terminal import print_table
    from reports.tables.writing import Tables, write_tables

    runs = load_runs(config.names, config.runs)
    if not runs:
        raise ConfigError(f"there is no run below {config.runs}/ yet: piva run pie-toybox --method piva --limit 20")
    check_names([*config.metrics, *(config.figure_metrics or ())], runs)
    for id_ in config.strip:
        if not any(id_ in run.planned for run in runs):
            raise ConfigError(f"--strip {id_}: no run has such a case")
    check_baselines(groups(runs).values(), config.baseline, config.runs)
    if config.into is not None:
        check_markers(config.into)
    out = config.out or config.runs / "report"
    found = []
    for title, group in groups(runs).items():
        names = present(group, config.metrics or usual_columns(group))
        against = baselines(group, config.baseline, config.runs)
        tables = sheet(title, group, names, against, command_line(), config.by)
        folder = out if len(groups(runs)) == 1 else out / slug(title)
        found.append(Tables(tables, group, against, folder, _figures(config, group, against, folder)))
        print_table(tables)
        for line in _remarks(tables, config):
            print(line, file=sys.stderr)
    files = write_tables(found, out, page=None if config.tables_only else "index.html")
    if config.into is not None:
        write_between_markers(config.into, "\n".join(to_markdown(one.sheet) for one in found))
    print("\ntables: " + ", ".join(map(str, files)))
    if config.figures or config.strip:
        drawn = ", ".join(str(file) for one in found for file in one.figures)
        print(f"figures: {drawn or 'none: the records lack what they need'}")
    if not config.tables_only:
        _write_pictures(config, found)
    return COMPLETE


def _figures(config: ReportConfig, runs: "Sequence[Run]", against: "Sequence[Run]", folder: Path) -> list[Path]:
    """Draws the figures of one benchmark, and strips of the cases asked for, as far as they were."""
    files: list[Path] = []
    if config.figures:
        from reports.figures.drawing import Drawn, draw_all

        files += draw_all(runs, folder, against, Drawn(*(config.figure_metrics or ())))
    return files + _strips(runs, [id_ for id_ in config.strip if any(id_ in run.planned for run in runs)], folder)


def _strips(runs: "Sequence[Run]", ids: Sequence[str], folder: Path) -> list[Path]:
    """A picture of all cases; of scenes one each."""
    if not ids:
        return []
    from reports.figures.contact_sheet import contact_sheet
    from reports.figures.view_grids import view_grid

    if runs[0].record.scenes is None:
        file = folder / "figures" / "strip.png"
        contact_sheet(runs, len(ids), file, ids)
        return [file]
    files = {id_: folder / "figures" / f"views-{id_}.png" for id_ in ids}
    for id_, file in files.items():
        view_grid(runs, id_, file)
    return list(files.values())


def _write_pictures(config: ReportConfig, found: "Sequence[Tables]") -> None:
    """The page of each benchmark, and the picture if it was asked for."""
    from piva.provenance import command_line
    from reports.gallery import write_page

    if config.picture is not None:
        from reports.figures.contact_sheet import contact_sheets

        runs = [run for one in found for run in one.runs]
        for file, count in contact_sheets(runs, config.picture_cases, config.picture).items():
            print(f"{file}: {count} rows")
    for one in found:
        first = one.against[0] if one.against else None
        names, title = one.sheet.names, one.sheet.title
        page = write_page(
            one.folder, title, one.runs, names, command_line(), config.full_images, first, one.sheet.sections
        )
        print(f"page: {page}")


def _remarks(tables: "Sheet", config: ReportConfig) -> list[str]:
    """What a user may have wanted and did not get."""
    found = []
    if not tables.differences and any(row.run.record.method == "dds" for row in tables.rows) and len(tables.rows) > 1:
        found.append(f"{tables.title}: no paired differences; say with --baseline RUN what to compare with")
    lacking = [kind for kind in config.by if kind not in tables.sections]
    if config.figures:
        from reports.figures.drawing import left_out
        from reports.figures.style import MOST

        if crowded := left_out([row.run for row in tables.rows]):
            named = " and ".join(crowded)
            found.append(f"{tables.title}: no figure of {named}: there is room for {MOST} runs; name those to draw")
    return [*found, *(f"{tables.title}: --by {kind}: no case says its {kind}" for kind in lacking)]
