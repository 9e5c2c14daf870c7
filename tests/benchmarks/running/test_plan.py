"""Batches come from the full plan; what is recorded is left out."""

from collections import Counter

import pytest
from harness_world import case_file, write_bench
from PIL import Image

from benchmarks.running.plan import compose, contents, spread
from piva.data.pie_bench import read
from piva.errors import ConfigError
from piva.keys import file_hash
from piva.records import CaseRecord


@pytest.fixture
def cases(tmp_path):
    return spread(read(write_bench(tmp_path / "bench", n=20)), None)


def record(case, folder, score_key="k", **facts):
    """An ok record whose image is on the disk."""
    file = folder / "images" / f"{case.id}.png"
    file.parent.mkdir(exist_ok=True)
    Image.new("RGB", (4, 4)).save(file)
    hashes = contents(case)
    fields = {
        "case_id": case.id, "status": "ok", "type_id": case.type_id, "content": hashes.edit, "launch": 0,
        "score_content": hashes.score, "score_key": score_key, "image": f"images/{file.name}",
        "image_sha256": file_hash(file),
    }  # fmt: skip
    return CaseRecord(**(fields | facts))


def test_any_limit_is_spread_over_the_types(cases):
    assert [case.type_id for case in cases[:10]] == [str(k) for k in range(10)]
    assert set(Counter(case.type_id for case in spread(cases, 20)).values()) == {2}
    assert len({case.type_id for case in spread(cases, 13)}) == 10
    assert spread(cases, 7) == cases[:7]


def test_uneven_types_leave_no_one_out(cases):
    uneven = [case for case in cases if case.type_id == "8" or case.id.endswith("0000000001")]
    assert sorted(case.id for case in spread(uneven, None)) == sorted(case.id for case in uneven)


def test_a_fresh_plan_is_all_cases_in_fixed_batches(cases, tmp_path):
    plan = compose(cases, 8, {}, "k", tmp_path)
    assert [len(batch.cases) for batch in plan.batches] == [8, 8, 4]
    assert plan.edits == 20
    assert plan.done == plan.rescore == ()


def test_a_resumed_plan_forms_the_same_batches(cases, tmp_path):
    records = {case.id: record(case, tmp_path) for case in cases[:11]}
    fresh, plan = compose(cases, 8, {}, "k", tmp_path), compose(cases, 8, records, "k", tmp_path)
    assert [batch.cases for batch in plan.batches] == [batch.cases for batch in fresh.batches[1:]]
    assert plan.batches[0].wanted == {case.id for case in cases[11:16]}
    assert len(plan.done) == 11


@pytest.fixture
def after(cases, tmp_path):
    """What is recorded when an edit failed, and another's scores did, and a third has none yet."""
    records = {case.id: record(case, tmp_path) for case in cases}
    gone = {"image": None, "image_sha256": None}
    records[cases[3].id] = record(cases[3], tmp_path, status="error", stage="edit", **gone)
    records[cases[4].id] = record(cases[4], tmp_path, status="error", stage="score")
    records[cases[5].id] = record(cases[5], tmp_path, status="error", stage="score", unscored=True)
    return records


def test_a_failed_case_is_left_unless_errors_are_asked_for(cases, after, tmp_path):
    plan = compose(cases, 8, after, "k", tmp_path)
    assert plan.batches == ()
    assert plan.left == (cases[3].id, cases[4].id)
    assert plan.rescore == (cases[5],)


def test_a_failed_case_is_tried_again_alone(cases, after, tmp_path):
    plan = compose(cases, 8, after, "k", tmp_path, overwrite="retry-errors")
    assert [batch.cases for batch in plan.batches] == [(cases[3],)]
    assert plan.rescore == (cases[4], cases[5])
    assert (plan.retry, plan.left) == ((cases[3].id,), ())


def test_always_does_everything_in_the_batches_of_a_fresh_run(cases, after, tmp_path):
    plan = compose(cases, 8, after, "k", tmp_path, overwrite="always")
    assert plan.batches == compose(cases, 8, {}, "k", tmp_path).batches
    assert plan.rescore == plan.done == plan.left == ()


def test_never_adds_nothing_to_what_is_recorded(cases, after, tmp_path):
    some = {id_: after[id_] for id_ in list(after)[:2]}
    with pytest.raises(ConfigError, match=rf"records of 2 of these {len(cases)} cases, {cases[0].id} among"):
        compose(cases, 8, some, "k", tmp_path, overwrite="never")
    assert compose(cases, 8, {}, "k", tmp_path, overwrite="never").batches


def test_other_metrics_try_a_failed_score_again(cases, after, tmp_path):
    plan = compose(cases, 8, after, "new", tmp_path)
    assert plan.left == (cases[3].id,)
    assert {case.id for case in plan.rescore} == {case.id for case in cases} - {cases[3].id}


def test_other_metrics_mean_scoring_again_not_editing_again(cases, tmp_path):
    records = {case.id: record(case, tmp_path, score_key="old") for case in cases}
    plan = compose(cases, 8, records, "k", tmp_path)
    assert plan.batches == ()
    assert plan.rescore == tuple(cases)


def test_a_changed_mask_means_scoring_again(cases, tmp_path):
    records = {case.id: record(case, tmp_path, score_content="old") for case in cases[:2]}
    assert compose(cases[:2], 8, records, "k", tmp_path).rescore == tuple(cases[:2])


def test_a_changed_source_or_a_lost_image_means_editing_again(cases, tmp_path):
    records = {case.id: record(case, tmp_path) for case in cases[:4]}
    Image.new("RGB", (16, 16), "red").save(case_file(tmp_path / "bench", int(cases[1].id)))
    (tmp_path / "images" / f"{cases[2].id}.png").unlink()
    (tmp_path / "images" / f"{cases[3].id}.png").write_bytes(b"other")
    plan = compose(cases[:4], 8, records, "k", tmp_path)
    assert plan.batches[0].wanted == {case.id for case in cases[1:4]}
    assert plan.done == (cases[0].id,)


def test_an_archived_case_is_done_until_it_needs_its_image(cases, tmp_path):
    """`piva archive` left its image behind; its scores stand, but scores by other metrics need the edit again."""
    records = {case.id: record(case, tmp_path, image=None) for case in cases[:3]}
    records[cases[1].id].score_key = "old"
    records[cases[2].id].content = "of another source"
    plan = compose(cases[:3], 8, records, "k", tmp_path)
    assert plan.done == (cases[0].id,)
    assert plan.rescore == ()
    assert plan.batches[0].wanted == {case.id for case in cases[1:3]}
