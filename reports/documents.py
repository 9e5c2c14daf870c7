"""Tables as documents: Markdown with a footer that says how each number was made, and CSV with raw values."""

import csv
from collections.abc import Sequence
from io import StringIO
from pathlib import Path

from piva.config import RunConfig
from piva.data.pie_bench import EDIT_TYPES
from piva.disk import write_atomically
from piva.errors import ConfigError
from piva.methods.dds import DDS
from piva.records import RunRecord, find_run
from piva.stats import bootstrap_mean
from reports.frontier import matched, shared_levels
from reports.markdown import table
from reports.origins import how_rows_were_made
from reports.reading import Run, labels
from reports.tables import SEED, Difference, Row, cell, differences, head, rows, shown

BEGIN, END = "<!-- results: begin -->", "<!-- results: end -->"
CSV_COLUMNS = ["benchmark", "split", "run", "edit_key", "type", "metric"]
CSV_COLUMNS += ["metric_id", "mean", "low", "high", "n", "missing"]


def groups(runs: Sequence[Run]) -> dict[str, list[Run]]:
    """Runs that may stand in one table: those of one benchmark, version and split."""
    result: dict[str, list[Run]] = {}
    for run in runs:
        record = run.record
        split = f", {record.split} split" if record.split else ""
        result.setdefault(f"{record.benchmark} (version {record.benchmark_version}{split})", []).append(run)
    return result


def baselines(runs: Sequence[Run], named: Sequence[str], root: Path) -> list[Run]:
    """What others are compared with: those of `runs` that are named, by label (as tables show it), folder or key.

    Where none is named, the only DDS run, or of several the only one with default settings; none where that leaves a
    choice, which is the user's.

    Raises:
        ConfigError: a name is no label here, and no run below `root` either.
    """
    if named:
        by_label = dict(zip(labels(runs), runs, strict=True))
        by_path = {run.path.resolve(): run for run in runs}
        found = [by_label.get(name) or by_path.get(find_run(name, root).resolve()) for name in named]
        return [run for run in found if run is not None]
    dds = [run for run in runs if run.record.method == "dds"]
    if len(dds) > 1:
        dds = [run for run in dds if _is_default(run.record)]
    return dds if len(dds) == 1 else []


def _is_default(record: RunRecord) -> bool:
    """Whether a DDS run has the settings, the number of steps and the seed that a command without flags has."""
    fields = RunConfig.model_fields
    given = (record.settings, record.steps, (record.seed,))
    return given == (DDS().model_dump(mode="json"), fields["steps"].default, fields["seeds"].default)


def markdown(title: str, runs: Sequence[Run], names: Sequence[str], against: Sequence[Run], command: str) -> str:
    """One benchmark's tables and their footer; rows are marked by what sets them apart from the first baseline."""
    lines = rows(runs, names, against[0] if against else None)
    parts = [f"## {title}", "", *_main_table(lines, names), ""]
    for one in against:
        label = dict(zip((run.path for run in runs), labels(runs), strict=True))[one.path]
        found = differences(runs, one, names)
        if found:
            parts += ["", f"Paired differences: each run minus `{label}`, on the same cases.", ""]
            parts += [*_difference_table(found, names), ""]
    parts += ["", *_footer(lines, names, command)]
    return "\n".join(parts) + "\n"


def to_csv(runs: Sequence[Run], names: Sequence[str]) -> str:
    """Raw means and intervals for each run, metric and edit type ("all" first)."""
    file = StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(CSV_COLUMNS)
    for run, label in zip(runs, labels(runs), strict=True):
        types = ["all", *sorted({case.type_id for case in run.cases.values() if case.status == "ok"})]
        for type_id in types:
            for name in names:
                interval = bootstrap_mean(run.values(name, None if type_id == "all" else type_id), SEED)
                record = run.record
                kind = type_id if type_id == "all" else f"{type_id} {EDIT_TYPES.get(type_id, '')}".strip()
                what = [record.benchmark, record.split or "", label, record.edit_key, kind]
                numbers = [interval.mean, interval.low, interval.high, interval.n, interval.missing]
                writer.writerow([*what, name, record.metrics.get(name, ""), *numbers])
    return file.getvalue()


def write_between_markers(file: Path, text: str) -> None:
    """Replaces what stands between BEGIN and END in a document.

    Raises:
        ConfigError: the document lacks the markers.
    """
    before, begin, rest = file.read_text(encoding="utf-8").partition(BEGIN) if file.is_file() else ("", "", "")
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ConfigError(f"{file} has no {BEGIN} ... {END}")
    write_atomically(file, f"{before}{BEGIN}\n\n{text.strip()}\n\n{END}{after}".encode())


def _main_table(lines: Sequence[Row], names: Sequence[str]) -> list[str]:
    body = []
    for row in lines:
        ended = f"{len(row.run.ok)}/{len(row.run.planned)}"
        counts = {"failed": row.failed, "skipped": row.skipped, "not done": row.unfinished}
        ended += "".join(f", {count} {what}" for what, count in counts.items() if count > 0)
        mark = f" [{lines.index(row) + 1}]" if row.marks else ""
        body.append([f"{row.label}{mark}", ended, *(cell(name, row.cells[name]) for name in names)])
    return table(["run", "cases", *(head(name) for name in names)], body)


def _difference_table(found: Sequence[Difference], names: Sequence[str]) -> list[str]:
    body = []
    for difference in found:
        cells = []
        for name in names:
            pair = difference.cells[name]
            wins = f", {pair.wins} better {pair.ties} equal {pair.losses} worse" if pair.n else ""
            cells.append(cell(name, pair, signed=True) + wins)
        body.append([difference.label, *cells])
    return table(["run", *(head(name) for name in names)], body)


def _footer(lines: Sequence[Row], names: Sequence[str], command: str) -> list[str]:
    parts = [
        "Cells: mean [95 % bootstrap interval over cases] n. `×` is a factor of display; CSV holds raw values.",
        f"Made by `{command}`.",
        "",
    ]
    for number, row in enumerate(lines, start=1):
        if row.marks:
            parts.append(f"- [{number}] {row.label}: " + "; ".join(row.marks))
    return [*parts, "", *how_rows_were_made([(row.label, row.run.record) for row in lines], names)]


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
    titles = [head(match), *(f"{head(over)}, {name}" for name in methods), f"{methods[0]} - {methods[1]}", "reached"]
    return table(titles, body)


def _rows_a_case(run: Run) -> float:
    """Mean UNet rows that a run's cases need: those a cache had and a stored psi's training included."""
    rows = [(case.unet_rows or 0) + (case.rows_cached or 0) + (case.psi_rows or 0) for case in run.ok.values()]
    return sum(rows) / max(1, len(rows))
