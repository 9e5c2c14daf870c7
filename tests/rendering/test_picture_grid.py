"""Contact sheets: which picture stands where."""

import torch
from PIL import Image

from piva.rendering.picture_grid import GAP, LINE, PAPER, TEXT, TILE, Row, picture_grid, view_sheet


def plain(colour, size=(16, 16)):
    return Image.new("RGB", size, colour)


def test_rows_columns_words_and_titles():
    rows = [Row(("a", "b"), (plain("red"), plain("blue"))), Row(("c", "d"), (plain("lime"),))]
    sheet = picture_grid(rows, ["one", "two"])
    height = 2 * LINE + TILE + GAP
    assert sheet.size == (2 * (TILE + GAP) + GAP, 2 * height + GAP + TEXT + GAP)
    top = GAP + 2 * LINE
    assert sheet.getpixel((GAP, top)) == (255, 0, 0)
    assert sheet.getpixel((2 * GAP + 2 * TILE - 1, top + TILE - 1)) == (0, 0, 255)
    assert sheet.getpixel((GAP, top + height)) == (0, 255, 0)
    assert sheet.getpixel((GAP + TILE + GAP, top + height)) == PAPER
    words = [sheet.crop((0, y, sheet.width, y + LINE)).getextrema() for y in (GAP, GAP + LINE, 2 * height + GAP)]
    assert all(low < 100 for channels in words for low, _ in channels)
    assert picture_grid(rows).height == 2 * height + GAP
    long = picture_grid(rows, ["one", "far too many words for a column as narrow as this one"])
    assert long.height == sheet.height + 2 * LINE
    assert long.crop((0, 2 * height + GAP + LINE, TILE, long.height)).getextrema() == ((255, 255),) * 3


def test_pictures_keep_their_shape_and_small_ones_their_pixels():
    checks = Image.new("RGB", (2, 1))
    checks.putpixel((1, 0), (255, 255, 255))
    sheet = picture_grid([Row((), (checks, plain("red", (320, 640))))])
    assert [sheet.getpixel((GAP + x, GAP + 40))[0] for x in (0, TILE // 2 - 1, TILE // 2, TILE - 1)] == [0, 0, 255, 255]
    assert sheet.getpixel((GAP, GAP + TILE // 2)) == PAPER
    second = GAP + TILE + GAP
    assert sheet.getpixel((second + TILE // 2 - 1, GAP + TILE - 1)) == (255, 0, 0)
    assert sheet.getpixel((second + TILE // 2, GAP)) == PAPER


def test_the_same_views_of_each_stack_stand_below_each_other(tmp_path):
    grey = torch.arange(12)[:, None, None, None].expand(-1, 3, 8, 8) / 51
    file = tmp_path / "new" / "views.png"
    view_sheet(file, {"original": grey, "edit": 1 - grey}, columns=4)
    sheet = Image.open(file)
    assert sheet.size == (4 * (TILE + GAP) + GAP, 2 * (LINE + TILE + GAP) + GAP + TEXT + GAP)
    columns = [GAP + k * (TILE + GAP) for k in range(4)]
    assert [sheet.getpixel((x, GAP + LINE))[0] for x in columns] == [0, 15, 30, 45]
    assert [sheet.getpixel((x, GAP + LINE + LINE + TILE + GAP))[0] for x in columns] == [255, 240, 225, 210]
    view_sheet(file, {"original": grey[:2]}, columns=4)
    assert Image.open(file).width == 2 * (TILE + GAP) + GAP
