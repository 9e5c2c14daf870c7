"""A study's page: what was written by hand stays, what stands between the markers is made from the records."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from piva.disk import write_atomically
from reports.reading import Run, labels
from reports.studies.drawing import Figures
from reports.studies.found import Setting
from reports.studies.study import Study
from reports.tables.documents import BEGIN, END, write_between_markers
from reports.tables.markdown import table
from reports.tables.origins import how_rows_were_made
from reports.tables.rows import marks

NEW = """\
# {title}

{question}

{begin}
{end}
"""


def write_page(study: Study, settings: Sequence[Setting], folder: Path, command: str) -> Path:
    """Writes the page of a study with its figures; a new one has the question only, and room for words of yours.

    Args:
        settings: of all its sweeps.
        folder: of the page, and of its figures.
        command: what makes it anew.
    """
    file = folder / f"{study.name}.md"
    if not file.exists():
        text = NEW.format(title=study.title, question=study.question, begin=BEGIN, end=END)
        write_atomically(file, text.encode())
    runs = list({run.path: run for setting in settings for run in setting.recorded}.values())
    body = study.page(settings, Figures(folder, study.name)) if runs else []
    lines = [*recorded(study, settings), "", *body, "", *_footer(runs, command)]
    write_between_markers(file, "\n".join(lines))
    return file


def recorded(study: Study, settings: Sequence[Setting]) -> list[str]:
    """How much of the study is there: a line for each sweep, and what a reader must know of its runs."""
    body = []
    for part in study.parts:
        own = [setting for setting in settings if setting.part == part.file]
        asked = sum(setting.asked * len(setting.runs) for setting in own)
        cases = [(run, case) for setting in own for run in setting.recorded for case in setting.cases(run).values()]
        ok = sum(case.case_id in run.ok for run, case in cases)
        failed = sum(case.status == "error" for _, case in cases)
        runs = f"{sum(len(setting.recorded) for setting in own)}/{sum(len(setting.runs) for setting in own)}"
        body.append([f"`{part.file}.yaml`", runs, f"{ok}/{asked}", str(failed), str(asked - ok - failed)])
    return [
        "## What is recorded",
        "",
        *table(["sweep", "runs", "cases", "failed", "missing"], body),
    ]


def note(text: str) -> list[str]:
    """A paragraph below a table or a figure."""
    return ["", text, ""]


def details(title: str, lines: Sequence[str]) -> list[str]:
    """Lines that a reader has to open."""
    return [f"<details><summary>{title}</summary>", "", *lines, "", "</details>"]


def known(names: Sequence[str], settings: Sequence[Setting]) -> list[str]:
    """Those of `names` that some recorded case has a value for."""
    runs = [run for setting in settings for run in setting.recorded]
    return [name for name in names if any(run.value(id_, name) is not None for run in runs for id_ in run.ok)]


def _footer(runs: Sequence[Run], command: str) -> list[str]:
    """What the numbers mean, what makes them, and how each run came about."""
    named = sorted(zip(labels(runs), runs, strict=True), key=lambda pair: (pair[0], pair[1].record.edit_key))
    marked = [
        f"- {label}: " + "; ".join(found) for label, run in named if (found := marks(run, run.planned))
    ]  # each study says which cases a run has
    parts = [
        "Cells: mean [95 % bootstrap interval over cases] n. `×` is a factor of display.",
        f"Made by `{command}`.",
        *(["", *marked] if marked else []),
    ]
    return [*parts, "", *how_rows_were_made([(label, run.record) for label, run in named])] if runs else parts
