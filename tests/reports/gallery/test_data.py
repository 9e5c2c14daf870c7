"""What the page's script works on."""

import json

from gallery_world import NAMES, NASTY, numbers, write_runs
from harness_world import case_record, launch, run_record, write_run
from PIL import Image

from reports.gallery.data import as_json, page_data, shown_runs, status
from reports.gallery.pictures import Pictures
from reports.reading import load_runs


def data_of(runs, out, names=NAMES):
    return page_data(shown_runs(runs), names, None, Pictures(out, full=False))


def test_values_stand_by_case_with_nulls_where_there_is_none(tmp_path):
    data = data_of(write_runs(tmp_path), tmp_path / "out")
    copy, dds, piva = data["runs"]
    assert [run["method"] for run in data["runs"]] == ["copy", "dds", "piva"]
    assert data["cases"]["id"] == [f"{k:012d}" for k in range(6)]
    assert dds["status"] == "oemooo"
    assert dds["values"]["lpips"] == [numbers("dds", k)["lpips"] if k not in (1, 2) else None for k in range(6)]
    assert piva["values"]["saturation_shift"][3] is None
    assert dds["picture"] == [".png", "", "", ".png", ".png", ".png"]  # a failure leaves its last finite image
    assert dds["notes"] == {1: {"error": "RuntimeError: no", "stage": "edit", "traceback": "Traceback: no"}}
    assert copy["notes"] == {}


def test_every_number_that_some_run_has_is_there_and_the_table_says_which_are_shown(tmp_path):
    data = data_of(write_runs(tmp_path), tmp_path / "out", ["saturation_shift", "edit_success"])
    found = {metric["name"]: metric for metric in data["metrics"]}
    assert list(found)[:2] == ["saturation_shift", "edit_success"]
    assert {name for name, metric in found.items() if metric["shown"]} == {"saturation_shift"}
    lpips = found["lpips"]
    assert (lpips["higher"], lpips["best"], lpips["scale"], lpips["digits"]) == (False, 0, 1000, 1)


def test_cases_are_ordered_by_type_and_id_also_those_that_no_run_has_done(tmp_path):
    runs = write_runs(tmp_path, n=12)
    ids = data_of(runs, tmp_path / "out")["cases"]["id"]
    assert [int(id_) for id_ in ids] == [0, 10, 1, 11, *range(2, 10)]


def test_every_way_a_case_can_end_is_told_apart(tmp_path):
    cases = [
        case_record("fine"), case_record("failed", status="error", stage="score"),
        case_record("left", status="skipped"),
        case_record("kept", status="error", unscored=True), case_record("old", score_key="0" * 16),
    ]  # fmt: skip
    write_run(tmp_path / "b" / "r", run_record(launches=[launch(["fine", "coming"])]), cases)
    (run,) = load_runs([], tmp_path)
    names = ["fine", "failed", "left", "kept", "old", "coming", "another"]
    assert [status(run, name) for name in names] == [
        "ok", "error", "skipped", "unscored", "outdated", "missing", "not planned"
    ]  # fmt: skip


def test_runs_of_one_name_have_addresses_of_their_own(tmp_path):
    for root in ("a", "b"):
        write_run(tmp_path / root / "bench" / "x & <y>", run_record(), [])
    runs = [run for root in ("a", "b") for run in load_runs([], tmp_path / root)]
    assert [one.id for one in shown_runs(runs)] == ["x----y-", "x----y-.2"]


def test_json_holds_nothing_that_html_could_take_for_its_own():
    text = as_json({"prompt": NASTY + "<!--\u2028‮"})
    assert not set("<>&\u2028") & set(text)
    assert json.loads(text)["prompt"] == NASTY + "<!--\u2028‮"


def test_masks_are_red_inside_and_clear_outside(tmp_path):
    data = data_of(write_runs(tmp_path), tmp_path / "out")
    assert data["cases"]["mask"] == [".png"] * 6
    with Image.open(tmp_path / "out/pictures/mask-16x16/000000000000.png") as mask:
        assert mask.getpixel((2, 8)) == (255, 40, 40, 110)
        assert mask.getpixel((12, 8))[3] == 0


def test_sources_of_another_size_have_a_folder_of_their_own(tmp_path):
    runs = write_runs(tmp_path)
    data_of(runs, tmp_path / "out")
    resized = [type(run)(run.path, run.record.model_copy(update={"image_size": (8, 8)}), run.cases) for run in runs]
    data = data_of(resized, tmp_path / "out")
    assert data["cases"]["folder"] == "-8x8"
    assert Image.open(tmp_path / "out/pictures/source-8x8/000000000000.png").size == (8, 8)
    assert Image.open(tmp_path / "out/pictures/source-16x16/000000000000.png").size == (16, 16)
