"""One picture of some cases: source | true edit | each run, a row a case; for a README or a slide."""

from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from benchmarks.plan import spread
from benchmarks.runner import to_pil
from piva.data.images import read_image, resize_image
from piva.data.pie_bench import Case
from piva.errors import ConfigError
from reports.gallery import benchmark_cases
from reports.reading import Run, labels

TILE = 160
"""Side of one image, in pixels."""
GAP = 8
TEXT = 13
INK, PAPER = (40, 40, 40), (255, 255, 255)


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
    caption, height = 2 * (TEXT + 4), TILE + 2 * (TEXT + 4) + GAP
    sheet = Image.new("RGB", (len(titles) * (TILE + GAP) + GAP, len(cases) * height + TEXT + 2 * GAP), PAPER)
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(TEXT)
    for line, case in enumerate(cases):
        top = line * height + GAP
        for k, prompt in enumerate((case.raw_src, "-> " + case.raw_tgt)):
            draw.text((GAP, top + k * (TEXT + 4)), prompt, INK, font)
        for column, image in enumerate(_images(case, edits)):
            sheet.paste(image, (GAP + column * (TILE + GAP), top + caption))
    for column, title in enumerate(titles):
        draw.text((GAP + column * (TILE + GAP), len(cases) * height + GAP), title, INK, font)
    file.parent.mkdir(parents=True, exist_ok=True)
    sheet.save(file)
    return len(cases)


def _images(case: Case, edits: Sequence[Run]) -> list[Image.Image]:
    """Source, true edit where there is one, and every run's edit, each TILE x TILE; small ones keep hard pixels."""
    size = edits[0].record.image_size or case.image_size
    paths = [case.image_path, case.true_edit_path, *(run.path / str(run.ok[case.id].image) for run in edits)]
    images = [to_pil(resize_image(read_image(path), size)) for path in paths if path is not None]
    how = Image.Resampling.NEAREST if max(size) < TILE else Image.Resampling.LANCZOS
    return [image.resize((TILE, TILE), how) for image in images]
