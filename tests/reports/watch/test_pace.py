"""Speed from when a file grew; what is left."""

from datetime import datetime, timezone

import pytest
from harness_world import case_record, launch, run_record

from reports.watch.pace import SECONDS_OF_SPEED, Pace, settles, speed_before

BEGAN = 1_700_000_000.0


def begun(**facts):
    started = datetime.fromtimestamp(BEGAN, timezone.utc).isoformat(timespec="seconds")
    return launch(["a", "b", "c", "d"]).model_copy(update={"started": started} | facts)


def test_speed_is_growth_over_time_and_not_known_before_the_first_case():
    pace = Pace(begun())
    assert (pace.speed(), pace.newest) == (None, BEGAN)
    pace.note(BEGAN + 20, 4)
    assert pace.speed() == (0.2, 20)
    pace.note(BEGAN + 35, 4)  # the file changed, and no case more
    assert (pace.speed(), pace.newest) == ((0.2, 20), BEGAN + 20)


def test_batches_of_two_workers_that_end_close_together_do_not_make_it_fast():
    pace = Pace(begun())
    for when, count in ((100, 20), (101, 40), (200, 60), (201, 80)):
        pace.note(BEGAN + when, count)
    assert pace.speed()[0] == pytest.approx(0.4, rel=0.01)


def test_only_the_last_minutes_count_once_they_are_known():
    """Ten a minute for an hour, then one a minute."""
    pace = Pace(begun())
    for minute in range(60):
        pace.note(BEGAN + 60 * minute, 10 * minute)
    for minute in range(60, 100):
        pace.note(BEGAN + 60 * minute, 590 + minute - 59)
    speed, over = pace.speed()
    assert speed == pytest.approx(1 / 60)
    assert over == SECONDS_OF_SPEED


def test_a_launch_without_cases_goes_by_the_last_one_that_was_made_alike():
    earlier = [
        begun(seconds=100.0, executor="processes", workers=2),
        begun(seconds=40.0),
        begun(seconds=1.0, workers=4),
    ]
    cases = {id_: case_record(id_, launch=number) for id_, number in (("a", 0), ("b", 1), ("c", 1), ("d", 2))}
    assert speed_before(run_record(launches=[*earlier, begun()]), cases) == 2 / 40
    assert speed_before(run_record(launches=[earlier[0], begun()]), cases) is None
    assert speed_before(run_record(launches=[begun()]), cases) is None


def test_a_record_settles_a_case_where_nothing_is_left_to_do():
    settled = settles(run_record(launches=[launch(["a", "b", "c", "d"])]))
    assert settled(case_record("a"))
    assert settled(case_record("b", status="error"))
    assert not settled(case_record("c", score_key="old"))
    assert not settled(case_record("d", status="error", unscored=True))


@pytest.mark.parametrize(
    ("overwrite", "left"), [("only-missing", set()), ("retry-errors", {"b"}), ("always", {"a", "b"})]
)
def test_what_the_present_launch_does_again_is_left_until_it_has_done_it(overwrite, left):
    again = launch(["a", "b", "c"]).model_copy(update={"overwrite": overwrite})
    first = launch(["a", "b", "c"])
    cases = {"a": case_record("a"), "b": case_record("b", status="error"), "c": case_record("c", launch=1)}
    settled = settles(run_record(launches=[first, again]))
    assert {id_ for id_, case in cases.items() if not settled(case)} == left
    over = again.model_copy(update={"ended": "2026-01-01T00:00:00+00:00"})
    assert all(map(settles(run_record(launches=[first, over])), cases.values()))
