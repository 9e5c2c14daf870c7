"""Curves over steps and late change, by hand; which cases stand in which column."""

import pytest
from harness_world import case_record
from study_world import setting_of, table_rows, write_setting

from piva.stats import bootstrap_mean
from reports.reading import load_runs
from reports.studies.drawing import Figures
from reports.studies.drift import at_step, course_of, late_change, page
from reports.studies.found import is_of
from reports.tables.cells import cell

STEPS = list(range(200, 15_001, 200))


def course(slope, last=15_000):
    """LPIPS that grows so much a step."""
    steps = [step for step in STEPS if step <= last]
    return {"step": steps, "lpips": [0.1 + slope * step for step in steps]}


def settings(root, benchmark, long_ids, short_ids, slopes, **facts):
    """DDS and Piva with 15,000 and with 5,000 steps; slopes: method -> growth a step."""
    bare = [
        setting_of(benchmark, "--method", method, "--method.guidance", "3", "--steps", str(steps), part=f"p{steps}")
        for steps in (15_000, 5000)
        for method in slopes
    ]
    for one in bare:
        steps = one.config.steps

        def scores(config, seed, case_id, steps=steps):
            slope = slopes[config.method.name] * (1 + int(case_id))
            return {"metrics": {"lpips": 1.0}, "course": course(slope, steps)}

        write_setting(root, one, scores, long_ids if steps == 15_000 else short_ids, **facts)
    runs = load_runs([], root)
    return [
        type(one)(one.part, {}, one.benchmark, one.config, tuple(
            run for run in runs if is_of(run.record, one.benchmark, one.config)
        ))
        for one in bare
    ]  # fmt: skip


SLOPES = {"dds": 4e-5, "piva": 1e-5}


@pytest.fixture(scope="module")
def in_2d(tmp_path_factory):
    found = settings(tmp_path_factory.mktemp("runs"), "pie-toybox", ["0", "1"], ["2", "3", "4"], SLOPES)
    figures = Figures(tmp_path_factory.mktemp("figures"), "drift")
    return page(found, figures), sorted(file.name for file in figures.folder.iterdir())


def grown(ids, slope, step):
    """The number of every case at a step."""
    return bootstrap_mean([0.1 + slope * (1 + int(i)) * step for i in ids], 0)


def test_a_course_is_cut_and_read_by_step():
    case = case_record("a", course={"step": [200, 400, 600], "lpips": [0.1, None, 0.3], "psnr": [9.0, 8.0, 7.0]})
    assert course_of(case, "lpips", 600) == {200: 0.1, 600: 0.3}
    assert course_of(case, "psnr", 400) == {200: 9.0, 400: 8.0}
    assert course_of(case, "clip_text", 600) == {}
    assert course_of(case_record("a"), "lpips", 600) == {}
    assert at_step({"a": {200: 0.1}, "b": {}}, 200) == [0.1, None]


def test_late_change_is_from_a_third_of_the_way_to_the_end():
    courses = {"a": {100: 1.0, 300: 2.0, 900: 5.0}, "b": {200: 1.0, 400: 9.0, 900: 4.0}, "unfinished": {300: 1.0}}
    assert late_change(courses, 900) == {"a": 3.0, "b": 3.0}
    assert late_change({"a": {600: 1.0, 900: 2.0}}, 900) == {}


def test_in_2d_the_beginnings_of_long_runs_count_among_the_short(in_2d):
    (row,) = [row for row in table_rows(in_2d[0], "5,000 steps, 5 cases") if row[2] == "dds" and len(row) == 7]
    every = ["0", "1", "2", "3", "4"]
    assert row[3:] == [*(cell("lpips", grown(every, 4e-5, step)) for step in (200, 1000, 5000)), ""]
    (row,) = [row for row in table_rows(in_2d[0], "15,000 steps, 2 cases") if row[2].startswith("piva")]
    assert row[2] == "piva lambda 0.4"
    assert row[6] == cell("lpips", grown(["0", "1"], 1e-5, 15_000))


def test_late_change_of_both_and_their_difference(in_2d):
    (row,) = [row for row in table_rows(in_2d[0], "15,000 steps, 2 cases") if row[2].startswith("+")]
    grows = [bootstrap_mean([slope * (1 + k) * 10_000 for k in (0, 1)], 0) for slope in (4e-5, 1e-5, -3e-5)]
    assert row[2:] == [cell("lpips", one, signed=True) for one in grows]


def test_a_figure_for_each_world_and_guidance(in_2d):
    assert in_2d[1] == ["drift-pie-toybox-guidance-3.png", "drift-pie-toybox-guidance-3.svg"]
    assert "## pie-toybox, guidance 3" in in_2d[0]


def test_in_3d_every_length_stands_for_itself(tmp_path):
    scene = setting_of("noe-toybox", "--method", "dds").config.scene.model_dump(mode="json")
    scenes = {"scene": scene, "downscale": 1, "eval_views": 40}
    found = settings(tmp_path / "runs", "noe-toybox", ["0", "1"], ["2", "3", "4"], SLOPES, scenes=scenes)
    lines = page(found, Figures(tmp_path / "figures", "drift"))
    assert table_rows(lines, "5,000 steps, 3 cases")
    assert table_rows(lines, "15,000 steps, 2 cases")


def test_a_case_that_one_method_lacks_is_in_neither_mean(tmp_path):
    found = settings(tmp_path / "runs", "pie-toybox", ["0", "1"], ["2"], SLOPES)
    dds = found[0].run
    lost = type(dds)(dds.path, dds.record, {"0": dds.cases["0"]})
    found[0] = type(found[0])("p15000", {}, "pie-toybox", found[0].config, (lost,))
    lines = page(found, Figures(tmp_path / "figures", "drift"))
    rows = [row for row in table_rows(lines, "15,000 steps, 1 cases") if len(row) == 7]
    assert [row[6] for row in rows] == [f"{1e3 * (0.1 + slope * 15_000):.1f} n=1" for slope in (4e-5, 1e-5)]


def test_without_a_course_there_is_nothing_to_draw(tmp_path):
    lines = page([setting_of("pie-toybox", "--method", "dds")], Figures(tmp_path, "drift"))
    assert lines == ["No run recorded a course: `--metrics-every` makes one.", ""]
