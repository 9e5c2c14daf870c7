"""Pictures in rows and columns with words beside them: the one layout of all contact sheets."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from piva.data.images import to_pil

TILE = 160
"""Side of one picture on a sheet, in pixels."""
GAP = 8
TEXT = 13
LINE = TEXT + 4
INK, PAPER = (40, 40, 40), (255, 255, 255)


@dataclass(frozen=True)
class Row:
    """Lines of text with pictures below them."""

    lines: tuple[str, ...]
    pictures: tuple[Image.Image, ...]


def picture_grid(rows: Sequence[Row], titles: Sequence[str] = ()) -> Image.Image:
    """A sheet with a row of tiles for each row, under as many lines as the first row has, and titles below the columns.

    Titles that are wider than a tile have several lines. Each picture fills a tile as far as its shape lets it; small
    ones keep hard pixels.
    """
    words = LINE * len(rows[0].lines)
    height, columns = words + TILE + GAP, max(len(row.pictures) for row in rows)
    font = ImageFont.load_default(TEXT)
    wrapped = [_wrapped(title, font) for title in titles]
    below = TEXT + GAP + LINE * (max(map(len, wrapped)) - 1) if wrapped else 0
    sheet = Image.new("RGB", (columns * (TILE + GAP) + GAP, len(rows) * height + GAP + below), PAPER)
    draw = ImageDraw.Draw(sheet)
    for k, row in enumerate(rows):
        top = k * height + GAP
        for line, text in enumerate(row.lines):
            draw.text((GAP, top + line * LINE), text, INK, font)
        for column, picture in enumerate(row.pictures):
            sheet.paste(tile(picture), (GAP + column * (TILE + GAP), top + words))
    for column, lines in enumerate(wrapped):
        for line, text in enumerate(lines):
            draw.text((GAP + column * (TILE + GAP), len(rows) * height + GAP + line * LINE), text, INK, font)
    return sheet


def _wrapped(title: str, font: Any) -> list[str]:
    """The title in lines that a column has room for, as far as its words allow."""
    lines = [""]
    for word in title.split():
        longer = f"{lines[-1]} {word}".strip()
        if lines[-1] and font.getlength(longer) > TILE:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines


def tile(picture: Image.Image) -> Image.Image:
    """The picture with its longer side TILE pixels long."""
    how = Image.Resampling.NEAREST if max(picture.size) < TILE else Image.Resampling.LANCZOS
    scale = TILE / max(picture.size)
    return picture.resize((round(picture.width * scale), round(picture.height * scale)), how)


def view_sheet(file: Path, stacks: Mapping[str, Tensor], columns: int = 6) -> None:
    """Writes a picture of some views of each stack: a row a stack under its name, the same views below each other.

    Args:
        stacks: name -> [V, 3, H, W] in [0, 1], all of the same V cameras.
        columns: how many views, evenly spaced along the path; all where there are fewer.
    """
    count = len(next(iter(stacks.values())))
    shown = [k * count // columns for k in range(columns)] if columns < count else list(range(count))
    rows = [Row((name,), tuple(to_pil(views[view]) for view in shown)) for name, views in stacks.items()]
    file.parent.mkdir(parents=True, exist_ok=True)
    picture_grid(rows, [f"view {view}" for view in shown]).save(file)
