"""One picture of some cases."""

import pytest
from harness_world import use_plain_world, write_bench
from PIL import Image

from piva.cli import main
from piva.errors import ConfigError
from piva.rendering.picture_grid import GAP, TILE
from reports.figures.contact_sheet import contact_sheet, contact_sheets
from reports.reading import Run, load_runs


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


def test_the_report_draws_the_cases_asked_for_in_that_order(runs, tmp_path, capsys):
    out, (first, _, third, _) = tmp_path / "report", sorted(load_runs([], runs)[0].ok)
    assert main(["report", "--runs", str(runs), "--out", str(out), "--tables-only", "--strip", third, first]) == 0
    assert f"figures: {out / 'figures' / 'strip.png'}" in capsys.readouterr().out
    strip = Image.open(out / "figures" / "strip.png").convert("RGB")
    column = [strip.getpixel((GAP + TILE // 2, y)) for y in range(strip.height)]
    levels = [level for k, level in enumerate(column) if level == column[k - 1] and level != column[k - 2]]
    assert [level for level in levels if level in ((40, 40, 40), (0, 0, 0))] == [(40, 40, 40), (0, 0, 0)]
    assert "![strip](<figures/strip.png>)" in (out / "table.md").read_text(encoding="utf-8")


def test_a_case_that_no_run_has_is_refused_before_anything_is_written(runs, tmp_path, capsys):
    command = ["report", "--runs", str(runs), "--out", str(tmp_path / "report")]
    assert main([*command, "--strip", "nothing"]) == 2
    assert "--strip nothing: no run has such a case" in capsys.readouterr().err
    assert main([*command, "--figures", "--figure-metrics", "lpips", "levle"]) == 2
    assert "did you mean 'level'?" in capsys.readouterr().err
    assert not (tmp_path / "report").exists()


def test_a_case_that_was_not_edited_cannot_be_chosen(runs, tmp_path):
    with pytest.raises(ConfigError, match="case nothing was not edited and scored in every run"):
        contact_sheet(load_runs([], runs), 1, tmp_path / "sheet.png", ["nothing"])


def test_the_numbers_of_the_figures_are_those_asked_for(runs, tmp_path):
    command = ["report", "--runs", str(runs), "--tables-only", "--out", str(tmp_path / "report")]
    drawn = tmp_path / "report" / "figures"
    assert main(command) == 0
    assert not drawn.exists()
    assert main([*command, "--figures", "--figure-metrics", "shift", "level"]) == 0
    text = (drawn / "identity-alignment.svg").read_text(encoding="utf-8")
    assert "<!-- shift" in text
    assert "<!-- level" in text
    tables = (tmp_path / "report" / "table.md").read_text(encoding="utf-8")
    assert "![identity-alignment](<figures/identity-alignment.png>)" in tables


def test_splits_have_a_sheet_each(runs, tmp_path):
    loaded = load_runs([], runs)
    other = Run(loaded[0].path, loaded[0].record.model_copy(update={"split": "dev"}))
    drawn = contact_sheets([*loaded, other], 2, tmp_path / "sheet.png")
    assert list(drawn.values()) == [2, 2]
    assert sum(file.stem.endswith("-dev-split") for file in drawn) == 1
    assert all(file.is_file() for file in drawn)
