"""Tables as Markdown, with a footer that says how each number was made; and which runs stand in one table."""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from html import escape
from pathlib import Path, PurePosixPath

from piva.config import RunConfig
from piva.disk import write_atomically
from piva.errors import ConfigError
from piva.records import RunRecord, find_run
from reports.frontier import matched, shared_levels
from reports.parts import By
from reports.reading import Run, labels
from reports.tables.cells import axis_title, head, shown
from reports.tables.grids import Cell, Grid
from reports.tables.markdown import table
from reports.tables.origins import how_rows_were_made
from reports.tables.ranking import BEST, SECOND
from reports.tables.sheet import Sheet, sheet

LABELS_SAID = 4
"""Of each table, where a name is none."""
BEGIN, END = "<!-- results: begin -->", "<!-- results: end -->"


def groups(runs: Sequence[Run]) -> dict[str, list[Run]]:
    """Runs that may stand in one table: those of one benchmark, version and split."""
    result: dict[str, list[Run]] = {}
    for run in runs:
        record = run.record
        split = f", {record.split} split" if record.split else ""
        result.setdefault(f"{record.benchmark} (version {record.benchmark_version}{split})", []).append(run)
    return result


def slug(title: str) -> str:
    """A title as the name of a file."""
    return "-".join("".join(char if char.isalnum() or char == "-" else " " for char in title).split())


def baselines(runs: Sequence[Run], named: Sequence[str], root: Path) -> list[Run]:
    """What others are compared with: those of `runs` that are named, by label (as tables show it), folder or key.

    Where none is named, the only DDS run, or of several the only one with default settings; none where that leaves a
    choice, which is the user's.
    """
    if named:
        found = [_named(name, runs, root) for name in named]
        return [run for run in found if run is not None]
    dds = [run for run in runs if run.record.method == "dds"]
    if len(dds) > 1:
        dds = [run for run in dds if _is_default(run.record)]
    return dds if len(dds) == 1 else []


def check_baselines(groups: Iterable[Sequence[Run]], named: Sequence[str], root: Path) -> None:
    """Raises ConfigError where a name is none of a run in any group."""
    everything = list(groups)
    for name in named:
        if not any(_named(name, runs, root) for runs in everything):
            said = ", ".join(repr(label) for runs in everything for label in labels(runs)[:LABELS_SAID])
            raise ConfigError(f"--baseline {name}: no run of this report has this label, folder or key, as {said} have")


def _named(name: str, runs: Sequence[Run], root: Path) -> Run | None:
    by_label = dict(zip(labels(runs), runs, strict=True))
    if name in by_label:
        return by_label[name]
    with suppress(ConfigError):
        path = find_run(name, root).resolve()
        return next((run for run in runs if run.path.resolve() == path), None)
    return None


def _is_default(record: RunRecord) -> bool:
    """Whether a DDS run has the settings, the number of steps and the seed that a command without flags has."""
    fields = RunConfig.model_fields
    if (record.steps, (record.seed,)) != (fields["steps"].default, fields["seeds"].default):
        return False
    from piva.methods.dds import DDS  # brings torch with it

    return record.settings == DDS().model_dump(mode="json")


def markdown(
    title: str, runs: Sequence[Run], names: Sequence[str], against: Sequence[Run], command: str, by: Sequence[By] = ()
) -> str:
    """One benchmark's tables and their footer; rows are marked by what sets them apart from the first baseline."""
    return to_markdown(sheet(title, runs, names, against, command, by))


def to_markdown(tables: Sheet, page: str | None = None, pictures: Sequence[str] = ()) -> str:
    """The tables of a sheet.

    Args:
        page: the page with every edit, relative to the document, for a link.
        pictures: figures, relative to the document.
    """
    first, *others = tables.grids()
    parts = [f"## {tables.title}", "", *_table(first), ""]
    for grid in others:
        parts += ["", _caption(grid.caption), "", *_table(grid), ""]
    made_of = [(row.label, row.run.record) for row in tables.rows]
    parts += ["", " ".join(tables.footer()), f"Made by `{tables.command}`."]
    parts += ["", f"[Every edit, case by case]({page})"] if page else []
    for picture in pictures:
        parts += ["", f"![{escape(PurePosixPath(picture).stem, quote=False)}](<{picture}>)"]
    parts += ["", *(f"- [{number}] {escape(mark, quote=False)}" for mark, number in tables.notes.items())]
    return "\n".join([*parts, "", *how_rows_were_made(made_of, tables.names)]) + "\n"


def _table(grid: Grid) -> list[str]:
    """A grid's lines; what a block's rows are of stands in a column of its own."""
    body = []
    for block in grid.blocks:
        for line in block.lines:
            notes = f" [{', '.join(map(str, line.notes))}]" if line.notes else ""
            part = [escape(block.title, quote=False)] if grid.of else []
            body.append([*part, escape(line.label, quote=False) + notes, *map(_cell, line.cells)])
    return table([*([grid.of] if grid.of else []), "run", *grid.heads], body)


def _cell(cell: Cell) -> str:
    text = {BEST: "**{}**", SECOND: "<u>{}</u>", None: "{}"}[cell.place].format(escape(cell.text, quote=False))
    return " ".join(part for part in (text, cell.bounds, cell.counts) if part)


def _caption(text: str) -> str:
    """As it is between backticks, where Markdown escapes; elsewhere without HTML."""
    return "`".join(part if k % 2 else escape(part, quote=False) for k, part in enumerate(text.split("`")))


def write_between_markers(file: Path, text: str) -> None:
    """Replaces what stands between BEGIN and END in a document.

    Raises:
        ConfigError: the document lacks the markers.
    """
    before, after = check_markers(file)
    write_atomically(file, f"{before}{BEGIN}\n\n{text.strip()}\n\n{END}{after}".encode())


def check_markers(file: Path) -> tuple[str, str]:
    """(what stands before BEGIN, what stands after END).

    Raises:
        ConfigError: the document lacks them.
    """
    before, begin, rest = file.read_text(encoding="utf-8").partition(BEGIN) if file.is_file() else ("", "", "")
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ConfigError(f"{file} has no {BEGIN} ... {END}")
    return before, after


def frontier_markdown(
    methods: Sequence[str],
    groups: Sequence[Sequence[Run]],
    pairs: Sequence[tuple[str, str]],
    budgets: Sequence[int],
    command: str,
) -> str:
    """Two methods at matched levels, a table for each pair of numbers (over, match) and each budget of UNet rows."""
    parts: list[str] = []
    for budget in (None, *budgets):
        within = [[run for run in group if budget is None or _rows_a_case(run) <= budget] for group in groups]
        for name, runs in zip(methods, within, strict=True):
            if not runs:
                raise ConfigError(f"--rows {budget}: no run of {name} took so few")
        counts = " and ".join(f"{len(runs)} of {name}" for name, runs in zip(methods, within, strict=True))
        limit = "" if budget is None else f", at most {budget} UNet rows a case"
        parts += [f"## {methods[0]} against {methods[1]}{limit}", "", f"Runs: {counts}.", ""]
        for over, match in pairs:
            parts += [*_matched_table(methods, within, over, match), ""]
    parts += [
        "A column: the best mean that mixtures of a method's runs reach where the number on the left is at the level.",
        "Difference: [95 % bootstrap interval over cases]. Reached: share of the resamples where both get there.",
        f"Made by `{command}`.",
    ]
    return "\n".join(parts) + "\n"


def _matched_table(methods: Sequence[str], groups: Sequence[Sequence[Run]], over: str, match: str) -> list[str]:
    a, b = groups
    levels = shared_levels(a, b, over, match)
    if not levels:
        return [f"{head(match)}: no level that both methods reach."]
    body = []
    for found in matched(a, b, over, match, levels):
        bounds = "" if found.low is None else f" [{shown(over, found.low, True)}, {shown(over, found.high, True)}]"
        difference = shown(over, found.difference, signed=True) + bounds
        row = [shown(match, found.level), shown(over, found.a), shown(over, found.b), difference]
        body.append([*row, f"{found.reached:.0%}"])
    titles = [axis_title(match), *(f"{axis_title(over)}, {name}" for name in methods)]
    return table([*titles, f"{methods[0]} - {methods[1]}", "reached"], body)


def _rows_a_case(run: Run) -> float:
    """Mean UNet rows that a run's cases need: those a cache had and a stored psi's training included."""
    rows = [(case.unet_rows or 0) + (case.rows_cached or 0) + (case.psi_rows or 0) for case in run.ok.values()]
    return sum(rows) / max(1, len(rows))
