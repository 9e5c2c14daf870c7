"""Views of an edited scene: a row for the original and for each run."""

import pytest
from gallery_world import write_scenes
from PIL import Image

from piva.cli import main
from piva.errors import ConfigError
from piva.rendering.picture_grid import GAP, TILE
from reports.figures.view_grids import view_grid
from reports.reading import load_runs


@pytest.fixture
def runs(tmp_path):
    """DDS and Piva over one scene of 12 views; view k of the original is (40, 10 k, 0), of the edits 120 and 180."""
    write_scenes(tmp_path)
    return tmp_path / "runs"


def test_rows_are_the_original_and_the_runs_and_columns_views_along_the_path(runs, tmp_path):
    assert view_grid(load_runs([], runs), "cube", tmp_path / "grid.png", views=3) == 3
    grid = Image.open(tmp_path / "grid.png").convert("RGB")
    step = TILE + GAP
    assert grid.width == 3 * step + GAP
    tiles = [[grid.getpixel((GAP + column * step + TILE // 2, y)) for column in range(3)] for y in range(grid.height)]
    shown = [
        row for k, row in enumerate(tiles) if row != tiles[k - 1] and row[0][2] == 0 and row[0][0] in (40, 120, 180)
    ]
    assert shown == [[(red, 10 * view, 0) for view in (0, 4, 8)] for red in (40, 120, 180)]


def test_a_case_without_views_and_views_outside_the_run_are_refused(runs, tmp_path):
    loaded = load_runs([], runs)
    with pytest.raises(ConfigError, match="no run has views of case cone"):
        view_grid(loaded, "cone", tmp_path / "grid.png")
    views = loaded[0].path / "scenes/cube/views"
    views.rename(tmp_path / "elsewhere")
    views.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ConfigError, match="outside the run's folder"):
        view_grid(loaded, "cube", tmp_path / "grid.png")
    assert not (tmp_path / "grid.png").exists()


def test_the_report_draws_it_for_a_scene_that_is_named_and_its_tables_show_it(runs, tmp_path, capsys):
    out = tmp_path / "report"
    assert main(["report", "--runs", str(runs), "--out", str(out), "--tables-only", "--strip", "cube"]) == 0
    assert f"figures: {out / 'figures/views-cube.png'}" in capsys.readouterr().out
    assert Image.open(out / "figures/views-cube.png").width == 6 * (TILE + GAP) + GAP
    assert "![views-cube](<figures/views-cube.png>)" in (out / "table.md").read_text(encoding="utf-8")
