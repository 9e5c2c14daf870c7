"""Counts and means that are kept up case by case are those of all cases at once."""

import numpy as np
import pytest
from harness_world import case_record

from piva.stats import bootstrap_mean
from reports.watch.tally import Tally


def test_means_are_near_those_of_a_table():
    values, tally = np.random.default_rng(0).gamma(2.0, size=300).tolist(), Tally()
    for number, value in enumerate([*values, None]):
        tally.put(str(number), case_record(str(number), metrics={"lpips": value}))
    mean, table = tally.means(["lpips"])["lpips"], bootstrap_mean(values)
    assert (mean.mean, mean.n, mean.missing) == (pytest.approx(table.mean), 300, 1)
    assert (mean.low, mean.high) == (pytest.approx(table.low, abs=0.02), pytest.approx(table.high, abs=0.02))
    assert mean.high - mean.mean == pytest.approx(1.959964 * np.std(values) / 300**0.5)


def test_of_no_value_there_is_no_mean_and_of_one_no_interval():
    tally = Tally()
    tally.put("a", case_record("a", metrics={"one": 2.0, "none": None}))
    found = tally.means(["one", "none", "unknown"])
    assert (found["one"].mean, found["one"].low, found["one"].n) == (2.0, None, 1)
    assert [(found[name].mean, found[name].missing) for name in ("none", "unknown")] == [(None, 1), (None, 1)]


def test_a_later_record_replaces_an_earlier_one_wherever_it_counted():
    tally = Tally()
    tally.put("a", case_record("a", status="error", metrics={"lpips": 9.0}))
    tally.put("b", case_record("b", status="skipped"))
    tally.put("c", case_record("c", metrics={"lpips": 0.25}))
    assert (list(tally.ended), list(tally.errors), tally.skipped) == (["a", "b", "c"], ["a"], 1)
    tally.put("a", case_record("a", metrics={"lpips": 0.75}))
    tally.put("b", None)
    assert (list(tally.ended), list(tally.errors), tally.skipped) == (["c", "a"], [], 0)
    assert tally.means(["lpips"])["lpips"].mean == 0.5
    tally.put("c", None)
    assert (tally.means(["lpips"])["lpips"].mean, tally.means(["lpips"])["lpips"].n) == (0.75, 1)


def test_equal_values_have_no_width_whatever_rounding_does():
    tally = Tally()
    for number in range(1000):
        tally.put(str(number), case_record(str(number), metrics={"lpips": 0.1}))
    mean = tally.means(["lpips"])["lpips"]
    assert mean.high - mean.low < 1e-8
