"""One picture of some cases: source | true edit | each run, a row a case; for a README or a slide.

An edited scene has a row for each of two of its views instead, and the original in place of source and true edit.
"""

from collections.abc import Sequence
from itertools import zip_longest
from pathlib import Path

from PIL import Image

from benchmarks.running.plan import spread
from piva.data.images import read_image, resize_image, to_pil
from piva.data.pie_bench import Case
from piva.errors import ConfigError
from piva.rendering.picture_grid import Row, picture_grid
from piva.scenes.evaluation import VIEWS_FOLDER
from reports.gallery import benchmark_cases
from reports.reading import Run, labels
from reports.tables.documents import groups, slug


def contact_sheets(runs: Sequence[Run], count: int, file: Path, chosen: Sequence[str] = ()) -> dict[Path, int]:
    """`contact_sheet` of all runs that may stand in one table; the files, with how many rows they have.

    Of several benchmarks each has its name in that of its file: sheet.png becomes sheet-pie-toybox.png; of several
    versions or splits of one these too.
    """
    together = dict(sorted(groups(runs).items()))
    benchmarks = [own[0].record.benchmark for own in together.values()]
    found = {}
    for title, own in together.items():
        name = own[0].record.benchmark
        name = name if benchmarks.count(name) == 1 else slug(title)
        path = file if len(together) == 1 else file.with_stem(f"{file.stem}-{name}")
        found[path] = contact_sheet(own, count, path, chosen)
    return found


def contact_sheet(runs: Sequence[Run], count: int, file: Path, chosen: Sequence[str] = ()) -> int:
    """Draws `count` rows, of cases taken from the edit types in turn, and returns how many there were.

    Images stand as they were scored; above each row are both prompts, what the edit changes in brackets.

    Args:
        chosen: ids of the cases to draw, in this order, instead of `count` of all.

    Raises:
        ConfigError: a chosen case has no image in some run, the benchmark's folder is gone, or no case has an
            image in every run.
    """
    by_label = dict(zip(labels(runs), runs, strict=True))
    named = {label: run for label, run in sorted(by_label.items()) if not run.is_identity_row}
    edits = list(named.values())
    shared = set.intersection(*(set(run.ok) for run in edits)) if edits else set()
    for id_ in chosen:
        if id_ not in shared:
            raise ConfigError(f"case {id_} was not edited and scored in every run")
    if edits and edits[0].record.scenes is not None:
        titles, rows = ["original", *named], _scene_rows(edits, shared, count, chosen)
    else:
        titles, rows = _image_rows(edits, shared, count, chosen)
        titles += named
    if not rows:
        raise ConfigError("no case has a source and an image of every run")
    file.parent.mkdir(parents=True, exist_ok=True)
    picture_grid(rows, titles).save(file)
    return len(rows)


def _image_rows(
    edits: Sequence[Run], shared: set[str], count: int, chosen: Sequence[str]
) -> tuple[list[str], list[Row]]:
    """The titles of the columns before the runs', and a row for each case."""
    known = benchmark_cases(edits)
    every = [known[id_] for id_ in chosen or sorted(shared) if id_ in known]
    cases = every if chosen else spread(every, count)
    truth = ["true edit"] if cases and cases[0].true_edit_path else []
    return ["source", *truth], [Row((case.raw_src, "-> " + case.raw_tgt), _images(case, edits)) for case in cases]


def _scene_rows(edits: Sequence[Run], shared: set[str], count: int, chosen: Sequence[str]) -> list[Row]:
    """Two rows for each case: the first view along the path, and that half-way along it."""
    by_group: dict[str, list[str]] = {}
    for id_ in sorted(shared):
        by_group.setdefault(edits[0].ok[id_].type_id, []).append(id_)
    in_turn = [id_ for ids in zip_longest(*by_group.values()) for id_ in ids if id_ is not None]
    rows = []
    for id_ in chosen or in_turn[: (count + 1) // 2]:
        case = edits[0].ok[id_]
        folders = [(run.path / str(run.ok[id_].image)).parent / VIEWS_FOLDER for run in edits]
        views = len(list(folders[0].glob("edited-*.png")))
        for view in (0, views // 2):
            names = [folders[0] / f"original-{view:03}.png", *(folder / f"edited-{view:03}.png" for folder in folders)]
            rows.append(Row((case.src, "-> " + case.tgt), tuple(to_pil(read_image(name)) for name in names)))
    return rows


def _images(case: Case, edits: Sequence[Run]) -> tuple[Image.Image, ...]:
    """Source, true edit where there is one, and every run's edit, in the size in which they were scored."""
    size = edits[0].record.image_size or case.image_size
    paths = [case.image_path, case.true_edit_path, *(run.path / str(run.ok[case.id].image) for run in edits)]
    return tuple(to_pil(resize_image(read_image(path), size)) for path in paths if path is not None)
