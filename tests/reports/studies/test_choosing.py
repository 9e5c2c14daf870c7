"""Which value of a setting is the best, on values made up so that the answer is known."""

import pytest

from piva.stats import bootstrap_mean
from reports.studies.choosing import choose, loss


def of(*values):
    return {f"case{k}": value for k, value in enumerate(values)}


def test_the_best_and_those_that_are_not_clearly_worse():
    """1 is better than 0 in every case; 0.4 is worse than 1 in half of them and better in the other half."""
    values = {0: of(0.9, 0.8, 0.7, 0.6), 0.4: of(0.2, 0.5, 0.3, 0.4), 1: of(0.3, 0.3, 0.2, 0.3)}
    found = choose(values, "lpips_to_true")
    assert (found.best, found.smallest, found.not_clearly_worse) == (1, 0, (0.4, 1))
    assert found.mean == bootstrap_mean([0.3, 0.3, 0.2, 0.3], 0)
    assert found.against_smallest.mean == pytest.approx(-0.475)
    assert (found.against_smallest.wins, found.against_smallest.losses) == (4, 0)


def test_a_small_but_steady_difference_is_clear():
    """The cases spread far more than the lambdas differ: only pairs tell."""
    values = {0: of(1.0, 2.0, 3.0, 4.0), 1: of(0.99, 1.98, 2.99, 3.97)}
    assert choose(values, "lpips").not_clearly_worse == (1,)


def test_more_is_better_where_the_metric_says_so():
    values = {0: of(20.0, 21.0), 1: of(25.0, 26.0)}
    assert choose(values, "psnr_to_true").best == 1
    assert choose(values, "lpips_to_true").best == 0


def test_a_shift_is_judged_by_its_distance_from_none():
    values = {0: of(-0.4, 0.4), 1: of(0.1, 0.1)}  # the mean of the first is 0
    found = choose(values, "saturation_shift")
    assert (found.best, found.not_clearly_worse) == (1, (1,))
    assert found.mean.mean == pytest.approx(0.1)
    assert [loss("detail_ratio", value) for value in (0.5, 1.0, 1.25)] == [0.5, 0.0, 0.25]


def test_only_cases_that_all_have_count():
    values = {0: of(0.1, 9.0), 1: {"case0": 0.2}}
    found = choose(values, "lpips")
    assert (found.best, found.mean.n, found.mean.mean) == (0, 1, 0.1)
    assert found.not_clearly_worse == (0, 1)  # one pair has no interval
    assert choose({0: of(1.0), 1: {}}, "lpips") is None
    assert choose({}, "lpips") is None


def test_of_equals_the_smallest_is_taken():
    assert choose({0.4: of(1.0, 1.0), 0.1: of(1.0, 1.0)}, "lpips").best == 0.1
