"""One picture of some cases: source | true edit | each run, a row a case; for a README or a slide."""

from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from benchmarks.plan import spread
from piva.data.images import read_image, resize_image, to_pil
from piva.data.pie_bench import Case
from piva.errors import ConfigError
from piva.rendering.picture_grid import Row, picture_grid
from reports.gallery import benchmark_cases
from reports.reading import Run, labels


def contact_sheet(runs: Sequence[Run], count: int, file: Path) -> int:
    """Draws `count` cases, taken from the edit types in turn, and returns how many there were.

    Images stand as they were scored; above each row are both prompts, what the edit changes in brackets.

    Raises:
        ConfigError: the benchmark's folder is gone, or no case has an image in every run.
    """
    by_label = dict(zip(labels(runs), runs, strict=True))
    named = {label: run for label, run in sorted(by_label.items()) if not run.is_identity_row}
    edits = list(named.values())
    shared = set.intersection(*(set(run.ok) for run in edits)) if edits else set()
    known = benchmark_cases(runs)
    cases = spread([known[id_] for id_ in sorted(shared) if id_ in known], count)
    if not cases:
        raise ConfigError("no case has a source and an image of every run")
    titles = ["source", *(["true edit"] if cases[0].true_edit_path else []), *named]
    rows = [Row((case.raw_src, "-> " + case.raw_tgt), _images(case, edits)) for case in cases]
    file.parent.mkdir(parents=True, exist_ok=True)
    picture_grid(rows, titles).save(file)
    return len(cases)


def _images(case: Case, edits: Sequence[Run]) -> tuple[Image.Image, ...]:
    """Source, true edit where there is one, and every run's edit, in the size in which they were scored."""
    size = edits[0].record.image_size or case.image_size
    paths = [case.image_path, case.true_edit_path, *(run.path / str(run.ok[case.id].image) for run in edits)]
    return tuple(to_pil(resize_image(read_image(path), size)) for path in paths if path is not None)
