"""One picture of some cases."""

import pytest
from harness_world import use_plain_world, write_bench
from PIL import Image

from piva.cli import main
from piva.errors import ConfigError
from piva.rendering.picture_grid import GAP, TILE
from reports.contact_sheet import contact_sheet
from reports.reading import load_runs


@pytest.fixture
def runs(tmp_path, monkeypatch):
    """DDS on four cases, by an edit that adds .2."""
    use_plain_world(monkeypatch)
    root = write_bench(tmp_path / "bench", n=4)
    where = ["--root", str(root), "--out", str(tmp_path / "runs"), "--tracker", "none"]
    assert main(["run", "pie-bench", "--method", "dds", *where]) == 0
    return tmp_path / "runs"


def test_a_row_a_case_and_a_column_for_source_and_edit(runs, tmp_path):
    assert contact_sheet(load_runs([], runs), 3, tmp_path / "sheet.png") == 3
    sheet = Image.open(tmp_path / "sheet.png")
    assert sheet.width == 2 * (TILE + GAP) + GAP
    loaded = load_runs([], runs)[0]
    ids = sorted(loaded.ok)
    edited = Image.open(loaded.path / loaded.ok[ids[0]].image).convert("RGB")
    corner = (GAP + TILE + GAP, GAP + 2 * 17)
    assert sheet.getpixel(corner) == edited.getpixel((0, 0))


def test_the_report_draws_it(runs, tmp_path, capsys):
    picture = tmp_path / "pictures" / "sheet.png"
    assert main(["report", "--runs", str(runs), "--picture", str(picture), "--picture-cases", "2"]) == 0
    assert f"{picture}: 2 rows" in capsys.readouterr().out
    assert picture.is_file()


def test_without_edits_there_is_nothing_to_draw(tmp_path):
    with pytest.raises(ConfigError, match="no case has a source"):
        contact_sheet([], 3, tmp_path / "sheet.png")
