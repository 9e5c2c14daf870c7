"""What a shard has to do: its share of what the run lacks, in the run's own batches."""

import pytest
from harness_world import write_bench

from benchmarks.running.plan import Batch, Plan, compose, spread
from benchmarks.running.shards import of_shard, shard_folder, unmerged
from piva.data.pie_bench import read


@pytest.fixture
def cases(tmp_path):
    return spread(read(write_bench(tmp_path / "bench", n=8)), None)


@pytest.fixture
def fresh(cases, tmp_path):
    return compose(cases, 2, {}, "k", tmp_path)


def ids(cases, *numbers):
    return frozenset(cases[number].id for number in numbers)


def without(plan: Plan, done: frozenset[str]) -> Plan:
    """The plan of a folder in which these cases ended well."""
    batches = [Batch(batch.cases, batch.wanted - done) for batch in plan.batches]
    kept = tuple(case.id for case in plan.cases if case.id in done)
    return Plan(plan.cases, plan.contents, tuple(batch for batch in batches if batch.wanted), done=kept)


def batches(plan: Plan) -> list[tuple[set[str], frozenset[str]]]:
    return [({case.id for case in batch.cases}, batch.wanted) for batch in plan.batches]


def test_a_fresh_shard_has_its_share_in_the_batches_of_the_run(cases, fresh):
    share = ids(cases, 2, 3, 6, 7)
    plan = of_shard(fresh, fresh, (), share)
    assert batches(plan) == [(ids(cases, 2, 3),) * 2, (ids(cases, 6, 7),) * 2]
    assert {case.id for case in plan.cases} == share


def test_what_the_run_has_is_not_wanted_though_its_batch_is_edited(cases, fresh):
    whole = without(fresh, ids(cases, 2, 6, 7))
    plan = of_shard(whole, fresh, (), ids(cases, 2, 3, 6, 7))
    assert batches(plan) == [(ids(cases, 2, 3), ids(cases, 3))]
    assert [case.id for case in plan.cases] == [cases[3].id]


def test_what_the_shard_has_is_done(cases, fresh):
    own = without(fresh, ids(cases, 2))
    plan = of_shard(fresh, own, ids(cases, 2), ids(cases, 2, 3))
    assert batches(plan) == [(ids(cases, 2, 3), ids(cases, 3))]
    assert plan.done == (cases[2].id,)


def test_a_case_that_failed_in_the_run_is_tried_alone(cases, fresh):
    alone = Batch((cases[2],), ids(cases, 2))
    whole = Plan(fresh.cases, fresh.contents, (alone, fresh.batches[3]))
    plan = of_shard(whole, fresh, (), ids(cases, 2, 3, 6, 7))
    assert batches(plan) == [(ids(cases, 2),) * 2, (ids(cases, 6, 7),) * 2]


def test_once_the_shard_has_it_the_shard_says_how_it_is_tried_again(cases, fresh):
    alone = Batch((cases[2],), ids(cases, 2))
    own = Plan(fresh.cases, fresh.contents, (alone, *fresh.batches[2:]))
    plan = of_shard(fresh, own, ids(cases, 2, 3), ids(cases, 2, 3))
    assert batches(plan) == [(ids(cases, 2),) * 2]


def test_a_batch_that_both_leave_to_do_is_edited_once(cases, fresh):
    """As with --overwrite always, of a shard that has a part of it."""
    plan = of_shard(fresh, fresh, ids(cases, 2), ids(cases, 2, 3))
    assert batches(plan) == [(ids(cases, 2, 3),) * 2]


def test_shards_that_lie_there_are_said(tmp_path):
    assert unmerged(tmp_path) is None
    for shard in ("1/3", "3/3"):
        folder = shard_folder(tmp_path, shard)
        folder.mkdir(parents=True)
        (folder / "run.json").touch()
    shard_folder(tmp_path, "2/3").mkdir()
    assert unmerged(tmp_path).startswith("2 shards lie in")
