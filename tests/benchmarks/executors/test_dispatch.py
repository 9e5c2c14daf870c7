"""Who is given what, and what becomes of the work of workers that die. The workers live in memory."""

import pytest
from crew_world import Crew, Noting, dispatched, dying_of, ended, kept, pictures, scenes, wanted, well
from harness_world import case_record

from benchmarks.executors.dispatch import TRIES
from benchmarks.executors.messages import Appended, Died, Done, Failed, Ready, Stepped
from benchmarks.running.limits import ErrorLimit, TooManyErrors
from benchmarks.running.watching import Stopped
from piva.errors import ConfigError, MachineError, PreflightError
from piva.records import read_cases


def once(first, then=well):
    """A worker that does as `first` says with the first unit of all, and `then` with the others."""
    acts = [first]
    return lambda worker, plan: (acts.pop() if acts else then)(worker, plan)


def statuses(records) -> dict[str, str]:
    return {case_id: record.status for case_id, record in records.items()}


def test_units_go_to_whoever_is_free_and_are_recorded_once(tmp_path):
    crew = Crew(well)
    records = dispatched(tmp_path, crew, *pictures("abcdefgh"))
    assert statuses(records) == dict.fromkeys("abcdefgh", "ok")
    assert crew.work == [("ABC", ""), ("DEF", ""), ("GH", "")]
    assert [worker for worker, _ in crew.given] == [0, 1, 0]
    assert (sorted(crew.told), crew.lines) == (list("abcdefgh"), 8)


def test_steps_are_passed_on_with_their_worker(tmp_path):
    seen = Noting()
    said = Stepped(({"step": 0, "rms": 0.5}, {"step": 1, "rms": 0.25}))
    crew = Crew(lambda worker, plan: [said, *well(worker, plan)], size=1)
    dispatched(tmp_path, crew, *pictures("ab"), observers=(seen,))
    assert seen.steps == [{"step": 0, "rms": 0.5, "worker": 0}, {"step": 1, "rms": 0.25, "worker": 0}]


def test_workers_that_die_before_they_begin_are_replaced_so_many_times(tmp_path):
    lives = [[Ready()]] + [[Died("no driver")]] * TRIES
    crew = Crew(well, size=1, begin=lambda worker: lives.pop())
    assert len(dispatched(tmp_path / "a", crew, *pictures("ab"))) == 2
    assert crew.replaced == [0] * TRIES

    stillborn = Crew(well, size=1, begin=lambda worker: [Died("no driver")])
    with pytest.raises(PreflightError, match=r"die before they have begun: no driver"):
        dispatched(tmp_path / "b", stillborn, *pictures("ab"))
    assert stillborn.replaced == [0] * TRIES


def test_workers_that_die_while_they_wait_are_no_sign_of_trouble(tmp_path):
    lives = iter([[Ready()], [Ready(), Died("gone")] * 5])
    crew = Crew(well, begin=lambda worker: next(lives, []))
    assert statuses(dispatched(tmp_path, crew, *pictures("ab"))) == {"a": "ok", "b": "ok"}
    assert (crew.replaced, len(crew.given)) == ([1] * 5, 1)


def test_what_a_dead_worker_has_recorded_is_not_done_again(tmp_path, capsys):
    """The rest is edited in the same batch as before, so that it gets the same values."""
    crew = Crew(once(lambda worker, plan: [*ended("a"), Died("its node has died")]))
    records = dispatched(tmp_path, crew, *pictures("abcd"))
    assert statuses(records) == dict.fromkeys("abcd", "ok")
    assert sorted(crew.work) == [("ABC", ""), ("D", ""), ("aBC", "")]
    assert (crew.lines, sorted(crew.told)) == (4, list("abcd"))
    assert "worker 0 died (its node has died); 2 cases that it held go to another" in capsys.readouterr().err


@pytest.mark.parametrize("facts", [{}, {"status": "error", "stage": "edit", "error": "ValueError: torn"}])
def test_a_worker_may_die_between_a_record_and_showing_it(facts, tmp_path):
    """Recorded is recorded, ok or not; observers hear of it all the same."""
    crew = Crew(once(lambda worker, plan: [Appended(case_record("a", **facts)), Died("gone")]), size=1)
    records = dispatched(tmp_path, crew, *pictures("ab"))
    assert statuses(records) == {"a": facts.get("status", "ok"), "b": "ok"}
    assert crew.work == [("AB", ""), ("aB", "")]
    assert (crew.told, crew.lines) == (["a", "b"], 2)


def test_a_worker_that_dies_when_all_is_recorded_leaves_nothing_to_do(tmp_path, capsys):
    crew = Crew(lambda worker, plan: [*ended("a"), *ended("b"), Died("gone")], size=1)
    assert statuses(dispatched(tmp_path, crew, *pictures("ab"))) == {"a": "ok", "b": "ok"}
    assert (len(crew.given), crew.lines) == (1, 2)
    assert "0 cases that it held" in capsys.readouterr().err


def test_a_poisoned_case_is_recorded_as_its_error_and_its_batch_mates_are_done(tmp_path):
    crew = Crew(dying_of("b"), size=1)
    records = dispatched(tmp_path, crew, *pictures("abcd"))
    assert statuses(records) == {"a": "ok", "b": "error", "c": "ok", "d": "ok"}
    assert crew.work == [("ABC", "")] * TRIES + [("A", "")] + [("B", "")] * TRIES + [("C", ""), ("D", "")]
    assert crew.replaced == [0] * 2 * TRIES
    poisoned = records["b"]
    assert poisoned.stage == "edit"
    assert poisoned.error == "WorkerDied: 2 workers died of this case alone; the last one: signal SIGKILL, worker 0"
    assert (poisoned.src, poisoned.tgt, poisoned.source_size) == ("a b", "a bright b", (16, 16))
    assert (sorted(crew.told), crew.lines) == (list("abcd"), 4)


def test_a_case_is_blamed_only_when_it_was_alone(tmp_path):
    """The last of a batch that is left is first tried with its mates, which are recorded, and then without."""
    runs, plan = pictures("abc")
    crew = Crew(once(lambda worker, plan: [*ended("a"), *ended("c"), Died("x")], dying_of("a")), size=1)
    assert statuses(dispatched(tmp_path, crew, runs, plan)) == dict.fromkeys("abc", "ok")
    assert crew.work == [("ABC", ""), ("aBc", ""), ("B", "")]


def test_a_case_that_kills_while_it_is_scored_keeps_its_edit(tmp_path):
    edited = [case_record(id_, image=f"images/{id_}.png", image_sha256="5") for id_ in "ab"]
    crew = Crew(dying_of("a"), size=1)
    records = dispatched(tmp_path, crew, *pictures("ab", edited=edited))
    assert crew.work == [("", "ab")] * TRIES + [("", "a")] * TRIES + [("", "b")]
    assert statuses(records) == {"a": "error", "b": "ok"}
    assert (records["a"].stage, records["a"].image) == ("score", "images/a.png")


def test_an_edit_that_a_dead_worker_kept_is_only_scored(tmp_path):
    first = once(lambda worker, plan: [*ended("a"), Appended(kept("b")), Died("gone")])
    crew = Crew(first, size=1)
    records = dispatched(tmp_path, crew, *scenes({"a": "x", "b": "x", "c": "x", "d": "y"}))
    assert statuses(records) == dict.fromkeys("abcd", "ok")
    assert crew.work == [("A B C", ""), ("C", "b"), ("D", "")]
    assert crew.given[1][1].edited["b"].field == "scenes/b/edited.safetensors"
    assert (crew.lines, sorted(crew.told)) == (5, list("abcd"))


def test_a_scene_that_kills_while_it_is_scored_keeps_its_edit(tmp_path):
    first = once(lambda worker, plan: [Appended(kept("a")), Died("gone")], dying_of("a"))
    crew = Crew(first, size=1)
    records = dispatched(tmp_path, crew, *scenes({"a": "x"}))
    assert crew.work == [("A", ""), ("", "a")]
    assert (records["a"].status, records["a"].stage) == ("error", "score")
    assert records["a"].field == "scenes/a/edited.safetensors"
    assert (records["a"].src, records["a"].tgt) == ("", "")  # as the worker had it


@pytest.mark.parametrize(
    ("kind", "raised"),
    [
        ("configuration", ConfigError),
        ("preflight", PreflightError),
        ("machine", MachineError),
        ("program", RuntimeError),
    ],
)
def test_what_is_no_cases_fault_ends_the_run(kind, raised, tmp_path):
    crew = Crew(lambda worker, plan: [*ended("a"), Failed(kind, "the disk is full")], size=1)
    with pytest.raises(raised, match="the disk is full"):
        dispatched(tmp_path, crew, *pictures("abcdef"))
    assert statuses(read_cases(tmp_path)) == {"a": "ok"}


def test_a_run_that_is_stopped_does_what_is_under_way_and_begins_nothing(tmp_path):
    answers = iter([True, True, False])
    crew = Crew(well)
    with pytest.raises(Stopped):
        dispatched(tmp_path, crew, *pictures("abcdef", together=1), goes_on=lambda: next(answers))
    assert statuses(read_cases(tmp_path)) == {"a": "ok", "b": "ok"}
    assert [worker for worker, _ in crew.given] == [0, 1]


def test_what_a_worker_held_that_died_after_the_stop_is_left(tmp_path):
    answers = iter([True, True, False])
    crew = Crew(lambda worker, plan: [Died("gone")] if wanted(plan) == ["b"] else well(worker, plan))
    with pytest.raises(Stopped):
        dispatched(tmp_path, crew, *pictures("abcd", together=1), goes_on=lambda: next(answers))
    assert statuses(read_cases(tmp_path)) == {"a": "ok"}


def test_too_many_errors_end_the_run(tmp_path):
    limit = ErrorLimit(2)
    broken = {"status": "error", "stage": "edit", "error": "ValueError: torn"}
    crew = Crew(lambda worker, plan: [m for id_ in wanted(plan) for m in ended(id_, **broken)] + [Done()], size=1)
    with pytest.raises(TooManyErrors, match="2 cases failed"):
        dispatched(tmp_path, crew, *pictures("abcdef", together=1), goes_on=limit.goes_on, observers=(limit,))
    assert len(crew.given) == 2
