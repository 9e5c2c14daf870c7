"""A page between its markers: the same bytes from the same records, and what was written by hand stays."""

import re

import pytest
from harness_world import case_record
from study_world import setting_of, write_setting

from reports.reading import load_runs
from reports.studies.page import recorded, write_page
from reports.studies.study import Part, Study
from reports.tables.cells import axis_title
from reports.tables.documents import BEGIN, END

WORDS = ("pie-toybox", "--method", "dds", "--steps", "100", "--limit", "4", "--seeds", "0", "1")


def page(settings, figures):
    """A number and a figure."""
    figure, ((ax,),) = figures.grid(1, 1)
    ax.plot([1, 2], [settings[0].interval("lpips").mean] * 2)
    ax.set_title("drawn")
    return ["## Found", "", f"{settings[0].interval('lpips').mean:.3f}", figures.save(figure, "one", "a line")]


STUDY = Study("small", "A small study", "What is small?", (Part("part", 0.1),), page)


def setting(root):
    """The setting with what is recorded below `root`: both seeds, two cases each, one of them failed with seed 1."""
    bare = setting_of(*WORDS)
    failed = case_record("1", status="error", stage="edit", error="no", type_id="1")
    if not list(root.glob("*/*")):

        def scores(config, seed, case_id):
            lost = seed == 1 and case_id == "1"
            return {"metrics": {}, "status": "error", "stage": failed.stage, "error": failed.error} if lost else {
                "metrics": {"lpips": 0.25}}  # fmt: skip

        write_setting(root, bare, scores, ["1", "2"])
    runs = {run.record.seed: run for run in load_runs([], root)}
    return type(bare)(bare.part, bare.point, bare.benchmark, bare.config, (runs[0], runs[1]))


@pytest.fixture
def runs(tmp_path):
    return tmp_path / "runs"


def test_a_new_page_has_the_question_and_the_numbers(runs, tmp_path):
    file = write_page(STUDY, [setting(runs)], tmp_path / "reports", "piva study small")
    text = file.read_text()
    assert file.name == "small.md"
    assert text.startswith("# A small study\n\nWhat is small?\n")
    rest = text.split(BEGIN)[1]
    assert "0.250" in rest.split(END)[0]
    assert "Made by `piva study small`." in rest
    assert "edit_key 0000000000000001" in rest  # of the second seed
    assert sorted(f.name for f in file.parent.iterdir()) == ["small-one.png", "small-one.svg", "small.md"]


def test_written_again_every_byte_is_the_same(runs, tmp_path):
    folder = tmp_path / "reports"
    write_page(STUDY, [setting(runs)], folder, "piva study small")
    first = {file.name: file.read_bytes() for file in folder.iterdir()}
    write_page(STUDY, [setting(runs)], folder, "piva study small")
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == first


def test_prose_stays_and_numbers_are_made_anew(runs, tmp_path):
    one = setting(runs)
    file = write_page(STUDY, [one], tmp_path, "piva study small")
    text = file.read_text().replace("What is small?\n", "What is small?\n\n**Nothing.** A paragraph.\n")
    file.write_text(text.replace("0.250", "9.999") + "\nAnd an afterword.\n")
    write_page(STUDY, [one], tmp_path, "piva study small")
    again = file.read_text()
    assert "**Nothing.** A paragraph.\n" in again.split(BEGIN)[0]
    assert again.endswith("\nAnd an afterword.\n")
    assert "0.250" in again
    assert "9.999" not in again


def test_what_is_missing_and_failed_is_counted(runs):
    text = "\n".join(recorded(STUDY, [setting(runs)]))
    assert re.search(r"\| `part.yaml` \| 2/2 \| 3/8 \| 1 \| 4 \|", text)
    text = "\n".join(recorded(STUDY, [setting_of(*WORDS)]))
    assert re.search(r"\| `part.yaml` \| 0/1 \| 0/4 \| 0 \| 4 \|", text)


def test_without_any_run_there_is_a_page_that_says_so(tmp_path):
    file = write_page(STUDY, [setting_of(*WORDS)], tmp_path, "piva study small")
    assert "| 0/1 | 0/4 |" in file.read_text()
    assert "## Found" not in file.read_text()


def test_an_axis_says_what_is_drawn():
    assert axis_title("lpips") == "lpips ↓ ×1000"
    assert axis_title("saturation_shift") == "|saturation_shift| ×100"
    assert axis_title("detail_ratio") == "|detail_ratio - 1|"
    assert axis_title("psnr_to_true") == "psnr_to_true ↑ (dB)"
