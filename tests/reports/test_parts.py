"""Parts of the cases: types, groups, scenes."""

import pytest
from harness_world import case_record, launch, run_record, write_run
from report_world import make

from piva.data.edit_types import EDIT_GROUPS, EDIT_TYPES, group_of, type_title
from reports.parts import parts
from reports.reading import load_runs
from reports.tables.rows import differences, rows


def test_every_type_is_in_one_group():
    assert sorted(type_id for types in EDIT_GROUPS.values() for type_id in types) == sorted(EDIT_TYPES)
    assert [group_of(type_id) for type_id in ("1", "2", "3", "9", "0", "addition", "?")] == [
        "translation", "addition", "deletion", "appearance", "mixed", "addition", None,
    ]  # fmt: skip
    assert type_title("6") == "6 change-colour"
    assert type_title("addition") == "addition"


def test_types_and_groups_of_images(tmp_path):
    make(tmp_path, "aa11", "dds", [0.1, 0.2, 0.3])
    make(tmp_path, "bb22", "piva", [0.1, 0.2, 0.3, 0.4])
    runs = load_runs([], tmp_path)
    assert [(part.title, len(part.ids)) for part in parts(runs, "type")] == [("0 random", 2), ("1 change-object", 2)]
    assert [part.title for part in parts(runs, "group")] == ["translation", "mixed"]
    assert parts(runs, "scene") == []


def test_means_counts_and_differences_of_a_part(tmp_path):
    failed = case_record("f", type_id="1", status="error", stage="edit", error="RuntimeError: no")
    planned = [*(f"{k:012d}" for k in range(4)), "f", "never"]
    make(tmp_path, "aa11", "dds", [0.1, 0.2, 0.3, 0.4], planned=planned, cases=[failed])
    make(tmp_path, "bb22", "piva", [0.05, 0.25, 0.1, 0.1], planned=planned)
    runs = load_runs([], tmp_path)
    part = parts(runs, "type")[1]
    dds, piva = rows(runs, ["lpips"], part=part)
    assert (dds.cells["lpips"].mean, dds.ended) == (pytest.approx(0.3), "2/3, 1 failed")
    assert (piva.cells["lpips"].mean, piva.ended) == (pytest.approx(0.175), "2/3, 1 not done")
    (found,) = differences(runs, runs[0], ["lpips"], part)
    pair = found.cells["lpips"]
    assert (pair.mean, pair.n, pair.missing) == (pytest.approx((0.05 - 0.3) / 2), 2, 1)
    assert (pair.wins, pair.ties, pair.losses) == (1, 0, 1)


def test_scenes_are_those_that_records_name_and_of_older_ones_the_ids_say(tmp_path):
    facts = [("bear-1", "appearance", None), ("red-cube-addition", "addition", None), ("own-id", "translation", "bear")]
    cases = [case_record(id_, type_id=type_id, scene=scene) for id_, type_id, scene in facts]
    record = run_record("aa11", "dds", launches=[launch([case.case_id for case in cases])])
    write_run(tmp_path / "in2n" / "dds-aa11", record, cases)
    runs = load_runs([], tmp_path)
    assert {part.title: set(part.ids) for part in parts(runs, "scene")} == {
        "bear": {"bear-1", "own-id"}, "red-cube": {"red-cube-addition"},
    }  # fmt: skip
    assert [part.title for part in parts(runs, "group")] == ["appearance", "addition", "translation"]
