"""What the page's script works on: numbers, prompts and how each case ended, a list for each thing, by case.

    cases    id, type (index into `types`), prompts in pieces, endings of source, true edit, mask (see `Pictures`)
    runs     id, label, method; for each case a letter of `STATUS`, the picture's ending, each number or null

Numbers are raw, with `DIGITS` digits; `metrics` says how each is shown and which way is better.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars.selectors as cs

from piva.data.pie_bench import EDIT_TYPES, NO_TYPE, Case
from piva.records.run_files import archived
from piva.scenes.evaluation import VIEWS_FOLDER
from reports.gallery.pictures import SHEET, THUMBNAIL, Files, Pictures
from reports.gallery.scenes import VIEWS, by_view, view_pictures
from reports.gallery.sources import benchmark_cases, marked_words
from reports.parts import parts
from reports.reading import COSTS, Run, info, labels

STATUS = {
    "ok": "o",
    "error": "e",
    "skipped": "s",
    "unscored": "u",
    "outdated": "p",
    "missing": "m",
    "not planned": "n",
}
"""How a case ended in a run. Outdated: scored with other metrics than the run's present ones; missing: not done yet."""
DIGITS = 8
"""Significant digits of a number: more than any table shows."""
PIXEL_ART = 128
"""Images of at most this size are shown with hard pixels."""
SHOWN = 5
"""How many numbers stand below a picture unless others are chosen."""


@dataclass(frozen=True)
class Shown:
    """A run on the page."""

    id: str
    label: str
    run: Run


def shown_runs(runs: Sequence[Run]) -> list[Shown]:
    """The runs in the order of the table, identity rows first, each with a name for addresses and folders.

    That is the name of its folder; of runs whose folders have the same name each has a number behind it.
    """
    found: list[Shown] = []
    for run, label in sorted(
        zip(runs, labels(runs), strict=True), key=lambda pair: (not pair[0].is_identity_row, pair[1])
    ):
        plain = re.sub(r"[^A-Za-z0-9_-]", "-", run.path.name) or "run"
        twins = sum(other.id.rpartition(".")[0] == plain or other.id == plain for other in found)
        found.append(Shown(f"{plain}.{twins + 1}" if twins else plain, label, run))
    return found


def page_data(runs: Sequence[Shown], names: Sequence[str], baseline: Run | None, pictures: Pictures) -> dict[str, Any]:
    """All of it, ready for JSON; copies the pictures.

    Args:
        names: numbers of the page's table; the first of them are shown below the pictures.
    """
    plain = [one.run for one in runs]
    known = benchmark_cases(plain)
    types = {id_: case.type_id for id_, case in known.items()}
    types |= {id_: record.type_id for run in plain for id_, record in run.cases.items()}
    asked = {id_ for run in plain for id_ in run.planned | run.cases.keys()}
    ids = sorted(asked, key=lambda id_: (types.get(id_, NO_TYPE), id_))
    kinds = sorted({types.get(id_, NO_TYPE) for id_ in ids})
    size = next((run.record.image_size for run in plain if run.record.image_size), None)
    height, width = size or next((case.image_size for case in known.values()), (1, 1))
    scene_of = {id_: part.title for part in parts(plain, "scene") for id_ in part.ids}
    scenes = any(run.record.scenes is not None for run in plain)
    return {
        "baseline": next((one.id for one in runs if baseline is not None and one.run.path == baseline.path), None),
        "size": [height, width],
        "pixelated": max(height, width) <= PIXEL_ART,
        "scenes": scenes,
        "full": pictures.full,
        "views": VIEWS if scenes else 0,
        "types": [{"id": kind, "name": EDIT_TYPES.get(kind, kind)} for kind in kinds],
        "metrics": _metrics(plain, names),
        "cases": {
            "id": ids,
            "type": [kinds.index(types.get(id_, NO_TYPE)) for id_ in ids],
            "scene": [scene_of.get(id_, "") for id_ in ids],
            **_prompts(ids, plain, known),
            **_sources(ids, plain, known, size, pictures),
        },
        "runs": [_run(one, ids, pictures) for one in runs],
    }


def as_json(data: dict[str, Any]) -> str:
    """JSON that may stand in a <script> element: what HTML could take for its own is escaped."""
    text = json.dumps(data, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _metrics(runs: Sequence[Run], names: Sequence[str]) -> list[dict[str, Any]]:
    """Every number that some case has, those of the table first, costs last."""
    held = {column.name for run in runs for column in run.table.iter_columns() if column.null_count() < len(column)}
    numbers = [name for run in runs for name in run.record.metrics if name not in COSTS]
    order = [name for name in dict.fromkeys([*names, *numbers, *COSTS]) if name in held]
    usual = [name for name in names if name in held and name not in COSTS and name != "edit_success"][:SHOWN]
    found = []
    for name in order:
        facts = info(name)
        found.append({
            "name": name, "about": facts.about, "higher": facts.higher_is_better, "best": facts.best,
            "scale": facts.display_scale, "unit": facts.unit, "digits": facts.digits, "shown": name in usual,
        })  # fmt: skip
    return found


def _prompts(ids: Sequence[str], runs: Sequence[Run], known: dict[str, Case]) -> dict[str, Any]:
    src, tgt = [], []
    for id_ in ids:
        record = next((run.cases[id_] for run in runs if id_ in run.cases), None)
        case = known.get(id_)
        raw = (case.raw_src, case.raw_tgt) if case else (record.src, record.tgt) if record else ("", "")
        src.append(marked_words(raw[0]))
        tgt.append(marked_words(raw[1]))
    return {"src": src, "tgt": tgt}


def _sources(
    ids: Sequence[str],
    runs: Sequence[Run],
    known: dict[str, Case],
    size: tuple[int, int] | None,
    pictures: Pictures,
) -> dict[str, Any]:
    """Endings of source, true edit and mask, and their folders; of scenes, those of the original's views."""
    if any(run.record.scenes is not None for run in runs):
        edited = {id_: run.path / record.image for run in runs for id_, record in run.cases.items() if record.image}
        folders = [edited[id_].parent / VIEWS_FOLDER if id_ in edited else None for id_ in ids]
        return {"original": view_pictures(ids, folders, "original", "views/original", pictures)}
    suffix = "" if size is None else f"-{size[1]}x{size[0]}"
    source: Files = [(id_, known[id_].image_path if id_ in known else None) for id_ in ids]
    truth: Files = [(id_, known[id_].true_edit_path if id_ in known else None) for id_ in ids]
    return {
        "folder": suffix,
        "source": pictures.images(f"source{suffix}", source, size),
        "truth": pictures.images(f"true-edit{suffix}", truth, size),
        "mask": pictures.masks(f"mask{suffix}", ids, known, size),
    }


def _run(one: Shown, ids: Sequence[str], pictures: Pictures) -> dict[str, Any]:
    run = one.run
    drawn = [(id_, _picture(run, id_)) for id_ in ids]
    scenes = run.record.scenes is not None
    found = {
        "id": one.id,
        "label": one.label,
        "method": run.record.method,
        "identity": run.is_identity_row,
        "status": "".join(STATUS[status(run, id_)] for id_ in ids),
        "picture": pictures.images(f"runs/{one.id}", drawn, longest=SHEET if scenes else THUMBNAIL),
        "values": _values(run, ids),
        "archived": [index for index, id_ in enumerate(ids) if id_ in run.cases and archived(run.cases[id_])],
        "notes": {index: notes for index, id_ in enumerate(ids) if (notes := _notes(run, id_))},
    }
    if not scenes:
        return found
    films = [(id_, _below(run, run.cases[id_].turntable) if id_ in run.cases else None) for id_ in ids]
    folders = [None if file is None else file.parent / VIEWS_FOLDER for _, file in drawn]
    scores = {index: found_here for index, id_ in enumerate(ids) if (found_here := by_view(run, id_))}
    return found | {
        "film": pictures.films(f"films/{one.id}", films),
        "views": view_pictures(ids, folders, "edited", f"views/{one.id}", pictures),
        "by_view": scores,
    }


def status(run: Run, case_id: str) -> str:
    """How a case ended in a run: a key of STATUS."""
    record = run.cases.get(case_id)
    if record is None:
        return "missing" if case_id in run.planned else "not planned"
    if record.unscored:
        return "unscored"
    return "outdated" if record.status == "ok" and case_id not in run.ok else record.status


def _picture(run: Run, case_id: str) -> Path | None:
    """The case's picture; none of an edit that failed, which leaves its last finite image."""
    record = run.cases.get(case_id)
    return None if record is None or record.stage == "edit" else _below(run, record.image)


def _below(run: Run, file: str | None) -> Path | None:
    return None if file is None else run.path / file


def _values(run: Run, ids: Sequence[str]) -> dict[str, list[float | int | None]]:
    """Each number that the run has: its value for every case."""
    place = {id_: index for index, id_ in enumerate(ids)}
    places = [place[id_] for id_ in run.table["case_id"]]
    found = {}
    for column in run.table.select(cs.float().round_sig_figs(DIGITS)).iter_columns():
        if column.null_count() < len(column):
            values: list[float | int | None] = [None] * len(ids)
            for index, value in zip(places, column, strict=True):
                values[index] = _short(value)
            found[column.name] = values
    return found


def _short(value: float | None) -> float | int | None:
    """Whole numbers without their .0, which are many."""
    return int(value) if value is not None and value.is_integer() and abs(value) < 1e15 else value


def _notes(run: Run, case_id: str) -> dict[str, Any]:
    """What is to be said of a case besides its numbers: error, traceback, why a number is missing."""
    record = run.cases.get(case_id)
    if record is None:
        return {}
    found = {
        "error": record.error, "stage": record.stage, "traceback": record.traceback,
        "reasons": record.reasons, "note": record.note,
    }  # fmt: skip
    return {name: value for name, value in found.items() if value}
