"""Writes index.html: tables and how each run was made as HTML, the cases as data for the script that draws them."""

import base64
import hashlib
from collections.abc import Mapping, Sequence
from functools import partial
from importlib.resources import files
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import polars as pl
from jinja2 import Environment, FunctionLoader, StrictUndefined, select_autoescape
from markupsafe import Markup

from piva.disk import write_atomically
from piva.records import Launch
from piva.stats import Interval
from reports.gallery.data import Shown, as_json, page_data, shown_runs
from reports.gallery.pictures import Pictures
from reports.labels import facts
from reports.parts import By, Part
from reports.reading import Run, info
from reports.tables.cells import head, shown
from reports.tables.grids import footnotes
from reports.tables.origins import how_made
from reports.tables.ranking import BEST, SECOND, column_digits, digits_of, places
from reports.tables.rows import Row, differences, rows
from reports.tables.sheet import Section

SCRIPTS = (
    "state.js",
    "select.js",
    "pieces.js",
    "cases.js",
    "viewer.js",
    "views.js",
    "controls.js",
    "start.js",
)
"""Parts of the page's one script, in order."""


def write_page(
    out: Path,
    title: str,
    runs: Sequence[Run],
    names: Sequence[str],
    command: str,
    full: bool = False,
    against: Run | None = None,
    sections: Mapping[By, Sequence[Section]] | None = None,
) -> Path:
    """Writes the page for runs of one benchmark; returns the path of index.html.

    Args:
        out: folder to write to.
        names: numbers in the page's table.
        command: the command line that made it, for the footer.
        full: also copy images that are larger than a thumbnail at their own size.
        against: the baseline, for paired differences, and marks on rows that differ from it in more than the method.
        sections: breakdowns, as a sheet has them.
    """
    out.mkdir(parents=True, exist_ok=True)
    on_page = shown_runs(runs)
    data = page_data(on_page, names, against, Pictures(out, full))
    lines = rows(runs, names, against)
    notes = footnotes(lines)
    script = "\n".join(_template_text(name) for name in SCRIPTS)
    style = _template_text("page.css")
    environment = Environment(
        loader=FunctionLoader(_template_text),
        autoescape=select_autoescape(default=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    page = environment.get_template("index.html.j2").render(
        title=title,
        counts=_counts(data),
        heads=[{"name": name, "title": head(name), "about": info(name).about} for name in names],
        table=_table(on_page, lines, names, column_digits(names, lines), notes),
        notes=list(notes),
        breakdowns=[_breakdown(by, on_page, found, names, notes) for by, found in (sections or {}).items()],
        differences=_differences(on_page, runs, against, names),
        origins=[_origin(one) for one in on_page],
        metric_ids=sorted({item for run in runs for item in run.record.metrics.items()}),
        command=command,
        data=Markup(as_json(data)),
        style=Markup(style),
        style_hash=_content_hash(style),
        script=Markup(script),
        script_hash=_content_hash(script),
    )
    write_atomically(out / "index.html", page.encode())
    return out / "index.html"


def _counts(data: Mapping[str, Any]) -> str:
    height, width = data["size"]
    pictures = f" · {width}×{height}" if data["size"] != [1, 1] else ""
    return f"{len(data['cases']['id'])} cases · {len(data['runs'])} runs{pictures}"


def _table(
    on_page: Sequence[Shown],
    lines: Sequence[Row],
    names: Sequence[str],
    digits: Mapping[str, int],
    notes: Mapping[str, int],
    **within: str,
) -> list[dict[str, Any]]:
    """The table's rows; each number with the address of its cases, which are among those that `within` filters."""
    ids = {one.run.path: one.id for one in on_page}
    ranks = {name: places(name, lines, digits[name]) for name in names}
    found = []
    for number, row in enumerate(lines):
        address = partial(_address, run=ids[row.run.path], **within)
        counts = {"failed": row.failed, "skipped": row.skipped, "not done": row.unfinished}
        endings = {"failed": "error", "skipped": "skipped", "not done": "undone"}
        found.append({
            "label": row.label,
            "about": _address(about=ids[row.run.path]),
            "identity": row.run.is_identity_row,
            "marks": [(notes[mark], mark) for mark in row.marks if mark in notes],
            "ended": f"{row.ok}/{row.planned}",
            "ended_at": address(status="ok"),
            "counts": [(f"{n} {what}", address(status=endings[what])) for what, n in counts.items() if n > 0],
            "cells": [
                _cell(name, row.cells[name], digits[name], row.ok, address(sort=name))
                | {"rank": {BEST: "best", SECOND: "second"}.get(ranks[name][number] or 0, "")}
                for name in names
            ],
        })  # fmt: skip
    return found


def _breakdown(
    by: By, on_page: Sequence[Shown], sections: Sequence[Section], names: Sequence[str], notes: Mapping[str, int]
) -> dict[str, Any]:
    """The same rows for each part of the cases."""
    digits = column_digits(names, [row for section in sections for row in section.rows])
    found = []
    for section in sections:
        filters = {"scene": section.part.title} if by == "scene" else {"type": _types(on_page, section.part)}
        found.append((section.part.title, _table(on_page, section.rows, names, digits, notes, **filters)))
    return {"by": by, "parts": found}


def _types(on_page: Sequence[Shown], part: Part) -> str:
    """Ids of the edit types of a part's cases, as addresses have them."""
    tables = (one.run.table.filter(pl.col("case_id").is_in(part.ids)) for one in on_page)
    return ",".join(sorted({type_id for table in tables for type_id in table.get_column("type_id").to_list()}))


def _differences(
    on_page: Sequence[Shown], runs: Sequence[Run], against: Run | None, names: Sequence[str]
) -> dict[str, Any] | None:
    """Each run minus the baseline; None without one, or where there is nothing else."""
    if against is None:
        return None
    ids = {one.run.path: one.id for one in on_page}
    found = []
    lines = differences(runs, against, names)
    digits = {name: digits_of(name, [line.cells[name] for line in lines]) for name in names}
    for line in lines:
        address = partial(_address, run=ids[line.run.path], minus=ids[against.path])
        cells = []
        for name in names:
            pair = line.cells[name]
            found_here = _cell(name, pair, digits[name], 0, address(sort=name), signed=True)
            found_here["rest"] += [f"{pair.wins} better · {pair.ties} equal · {pair.losses} worse"] if pair.n else []
            cells.append(found_here)
        found.append({"label": line.label, "cells": cells})
    label = next(one.label for one in on_page if one.run.path == against.path)
    return {"baseline": label, "rows": found} if found else None


def _cell(name: str, interval: Interval, digits: int, cases: int, address: str, signed: bool = False) -> dict[str, Any]:
    """Mean, interval, and n where it is another than `cases`."""
    mean, low, high = (shown(name, number, signed, digits) for number in (interval.mean, interval.low, interval.high))
    bounds = [] if interval.low is None else [f"[{low}, {high}]"]
    missing = f", {interval.missing} missing" if interval.missing else ""
    n = [] if interval.n == cases and not missing else [f"n={interval.n}{missing}"]
    return {"mean": mean, "rest": bounds + n, "at": address}


def _address(**state: str) -> str:
    """A part of the page; see state.js."""
    return "#" + urlencode(state)


def _origin(one: Shown) -> dict[str, Any]:
    """How a run came about: what its key is made of, in words, and every start of its command."""
    record = one.run.record
    prior = {f"prior.{name}": value for name, value in record.prior.items()}
    settings = facts(record) | prior
    return {
        "id": one.id,
        "label": one.label,
        "folder": one.run.path.name,
        "settings": [(name, str(value)) for name, value in settings.items() if value is not None],
        "made": how_made(record),
        "launches": [_launch(launch) for launch in record.launches],
    }


def _launch(launch: Launch) -> dict[str, str]:
    made = launch.provenance
    commit = "–" if made.git_commit is None else made.git_commit[:12] + (" (dirty)" if made.git_dirty else "")
    return {
        "started": launch.started,
        "took": "did not end" if launch.ended is None else "–" if launch.seconds is None else f"{launch.seconds:.0f} s",
        "cases": str(len(launch.planned)),
        "device": made.device,
        "commit": commit,
        "command": made.command,
    }


def _content_hash(text: str) -> str:
    """As a Content-Security-Policy names an element's content."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _template_text(name: str) -> str:
    return (files("reports") / "templates" / name).read_text(encoding="utf-8")
