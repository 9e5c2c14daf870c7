"""A static page of a benchmark's runs: source | true edit | every run, case by case. It opens from file://.

    OUT/index.html
    OUT/pictures/<kind or run>/<id>.png      copies, small enough to load lazily; the full image where it is larger
    OUT/pictures/<run>/<id>.mp4              of a scene: original | edit; its contact sheet is the picture

Everything is drawn from the runs' records and from the benchmark's own folder; where that is gone, the page shows the
edits alone.
"""

import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, StrictUndefined, select_autoescape
from PIL import Image

from piva.data.images import FORMATS
from piva.data.pie_bench import EDIT_TYPES, Case, load_mask, read
from piva.errors import ConfigError, PreflightError
from piva.records import CaseRecord
from reports.origins import how_made
from reports.reading import Run, labels
from reports.tables import Row, cell, head, rows, shown

THUMBNAIL = 336
"""Longest side of a picture on the page, in pixels: twice the width at which it is shown."""
PIXEL_ART = 128
"""Images of at most this size are shown with hard pixels."""
SHEET = 1024
"""The same of a scene's contact sheet."""
CASE_NUMBERS = ("clip_text", "clip_direction", "lpips", "psnr_background", "saturation_shift", "psnr_to_true")
SCENE_NUMBERS = ("clip_text", "clip_direction", "consistency_edit_direction", "lpips", "psnr_to_true", "janus_count")


@dataclass
class Picture:
    """One figure of a case."""

    label: str
    file: str | None = None
    full: str | None = None
    video: str | None = None
    """Of a scene."""
    note: str = ""
    """Why there is no image."""
    success: bool | None = None
    values: list[tuple[str, str]] = field(default_factory=list)


def write_page(
    out: Path,
    title: str,
    runs: Sequence[Run],
    names: Sequence[str],
    command: str,
    full: bool = False,
    against: Run | None = None,
) -> Path:
    """Writes the page for runs of one benchmark; returns the path of index.html.

    Args:
        out: folder to write to.
        names: numbers in the page's table.
        command: the command line that made it, for the footer.
        full: also copy images that are larger than a thumbnail at their own size.
        against: the baseline, for marks on rows that differ from it in more than the method.
    """
    known = benchmark_cases(runs)
    shown_runs = sorted(zip(runs, labels(runs), strict=True), key=lambda pair: (not pair[0].is_identity_row, pair[1]))
    ids = sorted({id_ for run in runs for id_ in run.cases}, key=lambda id_: (_type(runs, id_), id_))
    pictures = Pictures(out, full)
    cases = [_case(id_, known.get(id_), shown_runs, pictures) for id_ in ids]
    table = rows(runs, names, against)
    height, width = next((run.record.image_size for run in runs if run.record.image_size), (1, 1))
    page = _template().render(
        title=title,
        cases=cases,
        types=_types(cases),
        heads=[head(name) for name in names],
        table=[_row(row, names) for row in table],
        metric_ids=sorted({item for run in runs for item in run.record.metrics.items() if item[0] in names}),
        command=command,
        pixelated=max(height, width) <= PIXEL_ART,
        scenes=any(run.record.scenes is not None for run in runs),
        width=width,
        height=height,
    )
    out.mkdir(parents=True, exist_ok=True)
    (out / "index.html").write_text(page, encoding="utf-8")
    return out / "index.html"


def benchmark_cases(runs: Sequence[Run]) -> dict[str, Case]:
    """The benchmark's cases by id, from the folder that the runs name; empty where it is gone or has changed."""
    for root in dict.fromkeys(run.record.root for run in runs):
        ids = {id_ for run in runs for id_ in run.cases}
        try:
            return {case.id: case for case in read(Path(root), lenient=True) if case.id in ids and not case.fault}
        except (ConfigError, PreflightError):
            continue
    return {}


def marked_words(prompt: str) -> list[tuple[str, bool]]:
    """The prompt in pieces, each with whether [ ] stood around it: the words that the edit changes."""
    pieces = re.split(r"\[([^\[\]]*)\]", prompt)
    return [(piece, index % 2 == 1) for index, piece in enumerate(pieces) if piece]


class Pictures:
    """Copies images into the page's folder, each once."""

    def __init__(self, out: Path, full: bool) -> None:
        self.out, self.full = out, full

    def add(
        self, source: Path, group: str, name: str, size: tuple[int, int] | None = None, longest: int = THUMBNAIL
    ) -> tuple[str, str] | None:
        """(thumbnail, full image) relative to the page, or None where the file cannot be read.

        Args:
            size: (H, W) to resize to first, as the run did.
            longest: side of the thumbnail.
        """
        try:
            with Image.open(source, formats=FORMATS) as opened:
                image = opened.convert("RGB")
        except OSError:
            return None
        if size is not None and image.size != (size[1], size[0]):
            image = image.resize((size[1], size[0]), Image.Resampling.BICUBIC)
        small = image.copy()
        small.thumbnail((longest, longest), Image.Resampling.LANCZOS)
        thumbnail = self.save(small, group, name)
        large = self.full and small.size != image.size
        return thumbnail, self.save(image, group, f"{name}-full") if large else thumbnail

    def film(self, source: Path, group: str, name: str) -> str | None:
        """Path of the video relative to the page, or None where it is gone."""
        if not source.is_file():
            return None
        relative = f"pictures/{group}/{name}.mp4"
        shutil.copyfile(source, self.out / relative)
        return relative

    def save(self, image: Image.Image, group: str, name: str) -> str:
        """Path of the PNG relative to the page."""
        relative = f"pictures/{group}/{name}.png"
        (self.out / relative).parent.mkdir(parents=True, exist_ok=True)
        image.save(self.out / relative)
        return relative


def _case(id_: str, case: Case | None, shown_runs: Sequence[tuple[Run, str]], pictures: Pictures) -> dict[str, Any]:
    records = [run.cases[id_] for run, _ in shown_runs if id_ in run.cases]
    size = next((run.record.image_size for run, _ in shown_runs if run.record.image_size), None)
    figures = []
    if case is not None:
        figures.append(_figure("source", pictures.add(case.image_path, "source", id_, size)))
        if case.true_edit_path is not None:
            figures.append(_figure("true edit", pictures.add(case.true_edit_path, "true-edit", id_, size)))
    figures += [_edit(id_, run, label, pictures) for run, label in shown_runs if run.record.method != "copy"]
    return {
        "id": id_,
        "type_id": records[0].type_id,
        "type_name": EDIT_TYPES.get(records[0].type_id, records[0].type_id),
        "src": marked_words(case.raw_src if case else records[0].src),
        "tgt": marked_words(case.raw_tgt if case else records[0].tgt),
        "mask": None if case is None else pictures.save(_overlay(case, size), "mask", id_),
        "pictures": figures,
    }


def _figure(label: str, files_: tuple[str, str] | None) -> Picture:
    return Picture(label, *files_) if files_ else Picture(label, note="the file cannot be read")


def _edit(id_: str, run: Run, label: str, pictures: Pictures) -> Picture:
    record = run.cases.get(id_)
    if record is None or record.image is None or record.stage == "edit":  # which leaves its last finite image
        return Picture(label, note=_why(record))
    of_scene = record.field is not None
    files_ = pictures.add(run.path / record.image, run.path.name, id_, longest=SHEET if of_scene else THUMBNAIL)
    if files_ is None:
        return Picture(label, note="the image is gone")
    film = pictures.film(run.path / record.turntable, run.path.name, id_) if record.turntable else None
    success = record.metrics.get("edit_success")
    names = SCENE_NUMBERS if of_scene else CASE_NUMBERS
    values = [(name, shown(name, record.metrics[name])) for name in names if name in record.metrics]
    return Picture(label, *files_, film, success=None if success is None else success > 0.5, values=values)


def _why(record: CaseRecord | None) -> str:
    return "not done" if record is None else f"{record.status} ({record.stage}): {(record.error or '')[:200]}"


def _overlay(case: Case, size: tuple[int, int] | None) -> Image.Image:
    """The mask as a translucent red picture, transparent outside, at thumbnail size."""
    height, width = size or case.image_size
    scale = min(1.0, THUMBNAIL / max(height, width))
    mask = load_mask(case, (max(1, round(height * scale)), max(1, round(width * scale)))).numpy()
    pixels = np.zeros((*mask.shape, 4), dtype=np.uint8)
    pixels[mask] = (255, 40, 40, 110)
    return Image.fromarray(pixels)


def _type(runs: Sequence[Run], id_: str) -> str:
    return next(run.cases[id_].type_id for run in runs if id_ in run.cases)


def _types(cases: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    ids = [case["type_id"] for case in cases]
    return [{"id": id_, "name": EDIT_TYPES.get(id_, id_), "n": ids.count(id_)} for id_ in sorted(set(ids))]


def _row(row: Row, names: Sequence[str]) -> dict[str, Any]:
    cells = [cell(name, row.cells[name]).partition(" ") for name in names]
    return {
        "label": row.label,
        "marks": row.marks,
        "ended": f"{len(row.run.ok)}/{len(row.run.planned)}",
        "cells": [{"mean": mean, "rest": rest} for mean, _, rest in cells],
        "made": how_made(row.run.record),
    }


def _template() -> Any:
    environment = Environment(autoescape=select_autoescape(default=True), undefined=StrictUndefined, trim_blocks=True)
    return environment.from_string((files("reports") / "templates" / "index.html.j2").read_text(encoding="utf-8"))
