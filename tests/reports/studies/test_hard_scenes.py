"""The study of hard scenes: its cases, its page from made-up scores, and what counts as which kind of object."""

import json
from collections import Counter

import pytest
from study_world import found, table_rows, write_setting

from piva.stats import bootstrap_mean
from piva.toybox.hard_scenes import in2n_toybox_hard
from reports.studies.drawing import Figures
from reports.studies.found import settings_of
from reports.studies.hard_scenes import STUDY, by_kind, kind_of, light_of, page
from reports.tables.cells import SEED, cell

PIVA = "piva lambda 0.4, lora"
OBJECTS = {
    "companion": {"psnr": 30.0, "color_shift": 0.01}, "clutter-1": {"psnr": 20.0, "color_shift": 0.05},
    "clutter-2": {"psnr": 24.0, "color_shift": 0.03}, "clutter-3": {"psnr": None, "color_shift": 0.0},
    "ground": {"psnr": 28.0, "color_shift": 0.02}, "sky": {"psnr": 35.0, "color_shift": 0.0},
    "changed": {"pixels": 80.0, "change_made_to_true": 0.4},
}  # fmt: skip


@pytest.fixture(scope="module")
def settings(tmp_path_factory):
    """DDS keeps 20 dB, and 15 in moving light; Piva 2 dB more everywhere, and changes half as much."""
    root = tmp_path_factory.mktemp("runs")
    (sweep,) = STUDY.sweeps()
    for setting in settings_of(sweep, [])[:2]:
        piva = setting.config.method.name == "piva"

        def scores(config, seed, case_id, piva=piva):
            kept = (15.0 if light_of()[case_id] == "moving" else 20.0) + 2.0 * piva
            metrics = {"psnr_kept_objects": kept, "change_made_to_true": 0.3 if piva else 0.6}
            return {"metrics": metrics, "by_view": f"scenes/{case_id}/by_view.json"}

        write_setting(root, setting, scores, list(setting.config.case))
    for file in root.glob("*/*/run.json"):
        for case_id in setting.config.case:
            own = file.parent / "scenes" / case_id / "by_object.json"
            own.parent.mkdir(parents=True)
            own.write_text(json.dumps(OBJECTS))
    return found(STUDY, root)


def test_its_edits_are_spread_over_scenes_lights_and_groups():
    (sweep,) = STUDY.sweeps()
    points = settings_of(sweep, [])
    edits = {edit.id: (scene.id, scene.light, edit.group) for scene in in2n_toybox_hard() for edit in scene.edits}
    chosen = [edits[id_] for id_ in points[0].config.case]
    assert len(set(points[0].config.case)) == 12
    assert all(setting.config.case == points[0].config.case for setting in points)
    for part, count in ((0, 2), (1, 4), (2, 4)):
        assert set(Counter(facts[part] for facts in chosen).values()) == {count}
    assert [setting.config.method.name for setting in points] == ["dds", "piva", "piva", "piva"]
    assert {(one.benchmark, one.config.steps, one.config.method.guidance) for one in points} == {
        ("in2n-toybox-hard", 200, 3.0)
    }


def test_the_page_tells_lights_apart_and_pairs_cases(settings, tmp_path):
    lines = page(settings, Figures(tmp_path, "hard-scenes"))
    kept = bootstrap_mean([15.0] * 4 + [20.0] * 8, SEED)
    rows = {row[1]: row for row in table_rows(lines, "all lights") if len(row) == 4}
    first = next(row for row in table_rows(lines, "all lights") if row[1] == "dds")
    assert first[3] == f"18.33 [{kept.low:.2f}, {kept.high:.2f}] n=12"
    assert first[2].startswith("60.0 ")
    moving = [row for row in table_rows(lines, "moving light") if row[1] == PIVA]
    assert moving[0][3] == cell("psnr_kept_objects", bootstrap_mean([17.0] * 4, SEED))
    assert moving[1][2:] == ["-30.0 [-30.0, -30.0] n=4", "+2.00 [+2.00, +2.00] n=4"]  # against DDS
    assert rows[PIVA][3].startswith("+2.00")
    for name in ("trade", "objects"):
        assert (tmp_path / f"hard-scenes-{name}.svg").is_file()
        assert (tmp_path / f"hard-scenes-{name}.png").is_file()


def test_objects_that_a_caption_names_and_those_it_does_not(settings, tmp_path):
    run = settings[0].run
    assert [kind_of(name) for name in OBJECTS] == ["named object", *["clutter"] * 3, "ground", "sky", "changed"]
    assert set(by_kind(run, "psnr", "clutter").values()) == {22.0}  # one of three is as it was: it has no PSNR
    assert by_kind(run, "color_shift", "clutter")["snowman-addition"] == pytest.approx(0.08 / 3)
    assert len(by_kind(run, "psnr", "named object")) == 12
    lines = page(settings, Figures(tmp_path, "hard-scenes"))
    (row,) = [row for row in table_rows(lines, "coloured light") if row[1:3] == [PIVA, "psnr"]]
    assert [text.split()[0] for text in row[3:]] == ["30.00", "22.00", "28.00", "35.00"]
    assert all(text.endswith("n=4") for text in row[3:])


def test_nothing_is_said_without_runs(tmp_path):
    (sweep,) = STUDY.sweeps()
    assert page(settings_of(sweep, []), Figures(tmp_path, "x")) == ["No run has scores by object yet.", ""]
