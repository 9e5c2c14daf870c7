"""What trackers show of a run besides its steps."""

import pytest
import torch
from harness_world import case_record, launch, run_record, write_run

from piva.tracking import Look
from piva.tracking.overview import PICTURED_CASES, CoursePoints, Pictured, Tally, goal, pair, settings


def test_settings_are_flat_and_named_as_the_flags_are():
    record = run_record(
        settings={"guidance": 7.5, "aux": {"rank": 8}},
        metrics={"psnr": "psnr@1", "detail_ratio": "detail@1", "mine": "mine@1"},
        scenes={"scene": {"views": 2}, "downscale": 1},
        launches=[launch([]), launch([], git_commit="b" * 40)],
    )
    found = settings(record)
    assert {type(value) for value in found.values()} <= {str, int, float, bool, type(None)}
    expected = {
        "method": "dds", "method.guidance": 7.5, "method.aux.rank": 8, "prior.fingerprint": "x", "steps": 200,
        "scene.views": 2, "downscale": 1, "code.commit": "b" * 40, "code.dirty": False, "metrics.psnr": "psnr@1",
        "goal.psnr": "maximize", "goal.detail_ratio": "nearest 1", "goal.mine": None,
    }  # fmt: skip
    assert {name: found[name] for name in expected} == expected


def test_which_way_is_better():
    assert [goal(name) for name in ("clip_text", "lpips", "janus_count")] == ["maximize", "minimize", "nearest 1"]


def test_means_are_of_cases_that_ended_well_with_the_present_scores(tmp_path):
    record = run_record(launches=[launch(["a", "b", "c", "d"])])
    cases = [
        case_record("a", metrics={"lpips": 0.25, "psnr": 20.0}, aux_parameters=1000),
        case_record("b", status="error", stage="score", metrics={"lpips": 9.0}),
        case_record("c", score_key="0" * 16, metrics={"lpips": 9.0}),  # of other metrics
    ]
    tally = Tally(record, write_run(tmp_path / "run", record, cases))
    assert (tally.scored, tally.failed, tally.is_complete) == (1, 1, False)
    tally.add(case_record("b", metrics={"lpips": 0.75, "psnr": None}))  # tried again
    tally.add(case_record("c", metrics={"lpips": 0.5, "psnr": 30.0}))
    assert tally.means() == {"lpips": 0.5, "psnr": 25.0, "aux_parameters": 1000}
    assert tally.best() == {"lpips": 0.25, "psnr": 30.0}
    assert (tally.scored, tally.failed, tally.is_complete) == (3, 0, False)
    tally.add(case_record("d", status="error", stage="load"))
    assert tally.is_complete


def test_updates_count_on_from_edits_with_other_scores_too(tmp_path):
    record = run_record(steps=50)
    cases = [case_record("a", seconds_edit=1.0), case_record("b", seconds_edit=1.0, score_key="0" * 16)]
    assert Tally(record, write_run(tmp_path / "run", record, cases)).updates == 100


def test_the_table_has_a_row_for_each_case(tmp_path):
    record = run_record()
    cases = [
        case_record("a", metrics={"psnr": 20.0, "lpips": 0.25}, src="s", tgt="t"),
        case_record("b", status="error", stage="load"),
    ]
    columns, rows = Tally(record, write_run(tmp_path / "run", record, cases)).table()
    assert columns == ["case", "type", "status", "source", "target", "lpips", "psnr"]
    assert rows == [["a", "1", "ok", "s", "t", 0.25, 20.0], ["b", "1", "error", "", "", None, None]]


def test_a_point_of_a_course_is_told_once():
    course = CoursePoints()
    seen = course.seen(Look(100, {}, {"a": {"lpips": 0.2, "psnr": None}}))
    assert seen == {"course/a/lpips": 0.2}
    columns = {"step": [50.0, 100.0, 150.0], "lpips": [0.1, 0.2, 0.3], "psnr": [None, 20.0, 30.0]}
    assert list(course.rest(case_record("a", course=columns))) == [
        (50, {"course/a/lpips": 0.1}), (150, {"course/a/lpips": 0.3, "course/a/psnr": 30.0}),
    ]  # fmt: skip
    assert list(course.rest(case_record("b"))) == []


def test_pictures_of_the_first_cases_are_shown():
    pictured = Pictured()
    names = [str(k) for k in range(PICTURED_CASES + 2)]
    assert [pictured.shows(name) for name in names] == [True] * PICTURED_CASES + [False, False]
    assert pictured.shows("0")  # again: it is one of them


@pytest.mark.parametrize(("width", "size"), [(8, (3, 8, 16)), (32, (3, 16, 32))])
def test_pictures_stand_side_by_side_and_strips_of_views_below_each_other(width, size):
    both = pair(torch.zeros(3, 8, width), torch.ones(3, 8, width))
    assert both.shape == size
    assert both[:, :8, :8].max() == 0
    assert both[:, -8:, -8:].min() == 1
