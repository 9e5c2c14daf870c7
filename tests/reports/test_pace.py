"""Speed and time left from when a file grew; what is left; means in a moment."""

import time
from datetime import datetime, timezone

import numpy as np
import pytest
from harness_world import case_record, launch, run_record

from piva.stats import bootstrap_mean
from reports.pace import SECONDS_OF_SPEED, Pace, about, left_of, means, speed_before

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


def test_left_is_what_has_no_record_that_counts():
    record = run_record(launches=[launch(["a", "b", "c", "d", "e"])])
    cases = {
        "a": case_record("a"),
        "b": case_record("b", status="error"),
        "c": case_record("c", score_key="old"),
        "d": case_record("d", status="error", unscored=True),
        "x": case_record("x"),
    }
    assert left_of(record, cases) == {"c", "d", "e"}


@pytest.mark.parametrize(
    ("overwrite", "left"), [("only-missing", set()), ("retry-errors", {"b"}), ("always", {"a", "b"})]
)
def test_what_the_present_launch_does_again_is_left_until_it_has_done_it(overwrite, left):
    again = launch(["a", "b", "c"]).model_copy(update={"overwrite": overwrite})
    record = run_record(launches=[launch(["a", "b", "c"]), again])
    cases = {"a": case_record("a"), "b": case_record("b", status="error"), "c": case_record("c", launch=1)}
    assert left_of(record, cases) == left
    over = again.model_copy(update={"ended": "2026-01-01T00:00:00+00:00"})
    assert left_of(record.model_copy(update={"launches": [record.launches[0], over]}), cases) == set()


def test_means_are_near_those_of_a_table():
    values = np.random.default_rng(0).gamma(2.0, size=300).tolist()
    mean, table = about([*values, None]), bootstrap_mean(values)
    assert (mean.mean, mean.n, mean.missing) == (pytest.approx(table.mean), 300, 1)
    assert (mean.low, mean.high) == (pytest.approx(table.low, abs=0.02), pytest.approx(table.high, abs=0.02))
    assert about([None]).mean is None
    assert (about([2.0]).mean, about([2.0]).low) == (2.0, None)


def test_means_are_of_the_present_metrics_only():
    cases = {
        "a": case_record("a", metrics={"lpips": 0.5}),
        "b": case_record("b", metrics={"lpips": 9.0}, score_key="old"),
        "c": case_record("c", metrics={"lpips": 9.0}, status="error"),
    }
    assert means(run_record(), cases)["lpips"].mean == 0.5


def test_ten_thousand_cases_take_milliseconds():
    ids = [f"{k:05}" for k in range(10_000)]
    record = run_record(launches=[launch(ids)], metrics={name: name for name in "abcdef"})
    cases = {id_: case_record(id_, metrics=dict.fromkeys("abcdef", 0.5)) for id_ in ids}
    times = []
    for _ in range(3):
        started = time.perf_counter()
        left_of(record, cases)
        means(record, cases)
        times.append(time.perf_counter() - started)
    assert min(times) < 0.25
