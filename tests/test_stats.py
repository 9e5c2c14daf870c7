"""Bootstrap intervals: closed forms, a slow twin, determinism, and what happens with few or missing values."""

import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from piva import stats
from piva.stats import Interval, bootstrap_mean, bootstrap_means, paired_difference


def test_the_interval_of_a_normal_sample_is_the_textbook_one():
    values = np.random.default_rng(0).normal(3.0, 2.0, 400)
    interval = bootstrap_mean(values.tolist(), seed=1)
    half = 1.96 * values.std() / 20
    assert interval.mean == pytest.approx(values.mean(), abs=1e-12)
    assert interval.low == pytest.approx(values.mean() - half, abs=0.02)
    assert interval.high == pytest.approx(values.mean() + half, abs=0.02)


def test_two_values_have_the_known_resampling_law():
    # Means of resamples of {0, 1}: 0, .5, 1 with probability 1/4, 1/2, 1/4.
    assert bootstrap_mean([0.0, 1.0]) == Interval(0.5, 0.0, 1.0, 2)
    assert bootstrap_mean([0.0, 1.0], level=0.4) == Interval(0.5, 0.5, 0.5, 2)


def test_a_slow_twin_agrees():
    values = [0.2, 1.5, -0.3, 0.9, 4.0, 0.0, 2.2]
    draw = random.Random(5)
    means = sorted(sum(draw.choice(values) for _ in values) / len(values) for _ in range(20_000))
    interval = bootstrap_mean(values, seed=3, resamples=20_000)
    assert interval.low == pytest.approx(means[500], abs=0.05)
    assert interval.high == pytest.approx(means[19_500], abs=0.05)


def test_the_interval_covers_the_mean_about_as_often_as_it_says():
    draws = np.random.default_rng(7).normal(0.0, 1.0, (400, 40))
    intervals = [bootstrap_mean(row.tolist(), seed=k, resamples=500) for k, row in enumerate(draws)]
    share = np.mean([i.low <= 0 <= i.high for i in intervals])
    assert 0.90 <= share <= 0.98  # the percentile interval is a little short at n = 40


def test_missing_values_are_dropped_and_counted():
    with_holes = bootstrap_mean([1.0, None, 3.0, None, 8.0], seed=2)
    without = bootstrap_mean([1.0, 3.0, 8.0], seed=2)
    assert (with_holes.n, with_holes.missing, without.missing) == (3, 2, 0)
    assert (with_holes.mean, with_holes.low, with_holes.high) == (without.mean, without.low, without.high)


def test_too_few_values_have_no_interval():
    assert bootstrap_mean([]) == Interval(None, None, None, 0)
    assert bootstrap_mean([None, None]) == Interval(None, None, None, 0, 2)
    assert bootstrap_mean([4.0, None]) == Interval(4.0, None, None, 1, 1)


def test_equal_values_have_an_interval_of_no_width():
    interval = bootstrap_mean([0.1] * 30)
    assert interval.mean == pytest.approx(0.1)
    assert interval.low == pytest.approx(0.1)
    assert interval.high == pytest.approx(0.1)


def test_the_same_seed_gives_the_same_interval_and_another_seed_another():
    values = np.random.default_rng(1).normal(size=50).tolist()
    assert bootstrap_mean(values, seed=4) == bootstrap_mean(values, seed=4)
    assert bootstrap_mean(values, seed=4) != bootstrap_mean(values, seed=5)


def test_resampling_in_blocks_changes_nothing(monkeypatch):
    values = np.random.default_rng(1).normal(size=50).tolist()
    whole = bootstrap_mean(values, seed=4)
    monkeypatch.setattr(stats, "_DRAWS_AT_ONCE", 999)
    stats._last_small.cache_clear()
    assert bootstrap_mean(values, seed=4) == whole


def test_the_draws_are_those_of_the_generator_and_counted():
    values = np.random.default_rng(1).normal(size=7)
    chosen = np.random.default_rng(3).integers(7, size=(200, 7))
    low, high = np.quantile(values[chosen].mean(axis=1), [0.025, 0.975])
    interval = bootstrap_mean(values.tolist(), seed=3, resamples=200)
    assert (interval.low, interval.high) == pytest.approx((low, high), rel=1e-13)


def test_several_numbers_at_once_are_each_the_same_as_alone():
    draw = np.random.default_rng(4)
    columns = [draw.normal(3, 1e6, 61), draw.exponential(1e-9, 61), draw.normal(size=40), np.ones(1), np.ones(0)]
    together = bootstrap_means(columns, [0, 0, 21, 60, 61], seed=2)
    alone = [bootstrap_mean([*column.tolist(), *[None] * (61 - len(column))], seed=2) for column in columns]
    assert together == alone


def test_no_order_of_additions_changes_an_interval():
    values = np.random.default_rng(5).normal(size=600) * np.logspace(-12, 3, 600)
    summands = stats._summed_exactly(values[:, None])[:, 0]
    assert np.abs(summands - values).max() <= 600 * 2.0**-52 * np.abs(values).max()
    counts = np.concatenate([block for block in stats._counts(600, 0, 50)]).astype(np.float64)
    forward = [float(np.cumsum(row * summands)[-1]) for row in counts]
    assert forward == (counts @ summands).tolist() == (counts[:, ::-1] @ summands[::-1]).tolist()
    assert forward != (counts @ values).tolist()  # these sums are rounded


def test_an_interval_says_whether_it_was_drawn():
    values = np.random.default_rng(2).normal(size=6000)
    assert bootstrap_mean(values.tolist()).worked_out
    assert not bootstrap_mean(values[:4000].tolist()).worked_out
    assert not bootstrap_mean([0.5] * 6000).worked_out  # of no width


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_a_value_that_is_not_finite_is_an_error(bad):
    with pytest.raises(ValueError, match="NaN or infinite"):
        bootstrap_mean([1.0, bad])


def test_of_many_values_the_tails_are_those_of_the_draws(monkeypatch):
    values = np.random.default_rng(2).exponential(1.0, 6000)  # skewness 2, kurtosis 9
    worked_out = bootstrap_mean(values.tolist())
    monkeypatch.setattr(stats, "MANY", 10_000)
    drawn = bootstrap_mean(values.tolist())
    error = values.std() / np.sqrt(len(values))
    assert worked_out != drawn
    assert worked_out.low == pytest.approx(drawn.low, abs=0.08 * error)  # three times what 10,000 draws are off by
    assert worked_out.high == pytest.approx(drawn.high, abs=0.08 * error)
    skew = worked_out.high + worked_out.low - 2 * worked_out.mean
    assert skew == pytest.approx(2 * error * 2 / 6 / np.sqrt(6000) * (1.96**2 - 1), rel=0.15)


def test_one_value_that_outweighs_all_others_is_drawn(monkeypatch):
    values = [0.0] * 5999 + [1.0]  # the mean of a resample is a Poisson number / 6000
    assert bootstrap_mean(values) == Interval(1 / 6000, 0.0, 3 / 6000, 6000)
    assert bootstrap_mean([0.5] * 6000) == Interval(0.5, 0.5, 0.5, 6000)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.floats(-100, 100), min_size=2, max_size=30), st.floats(-3, 3), st.floats(0.1, 3))
def test_shifting_and_scaling_the_values_shifts_and_scales_the_interval(values, shift, scale):
    plain = bootstrap_mean(values, resamples=200)
    moved = bootstrap_mean([scale * value + shift for value in values], resamples=200)
    for a, b in ((plain.mean, moved.mean), (plain.low, moved.low), (plain.high, moved.high)):
        assert b == pytest.approx(scale * a + shift, abs=1e-9, rel=1e-9)
    assert plain.low <= plain.mean + 1e-9
    assert plain.mean <= plain.high + 1e-9


def test_paired_differences_by_hand():
    a = [1.0, 2.0, 3.0, 4.0, None, 6.0]
    b = [0.0, 2.0, 5.0, 3.0, 9.0, None]
    result = paired_difference(a, b)
    assert (result.mean, result.n, result.missing) == (0.0, 4, 2)
    assert (result.wins, result.ties, result.losses) == (2, 1, 1)
    lower = paired_difference(a, b, higher_is_better=False)
    assert (lower.wins, lower.ties, lower.losses) == (1, 1, 2)
    assert (lower.mean, lower.low, lower.high) == (result.mean, result.low, result.high)


def test_a_paired_difference_is_the_interval_of_the_differences():
    draw = np.random.default_rng(9)
    a, b = draw.normal(size=40), draw.normal(size=40)
    pair, plain = paired_difference(a.tolist(), b.tolist(), seed=6), bootstrap_mean((a - b).tolist(), seed=6)
    assert (pair.mean, pair.low, pair.high) == (plain.mean, plain.low, plain.high)
    back = paired_difference(b.tolist(), a.tolist(), seed=6)
    assert (back.mean, back.wins, back.losses) == (-pair.mean, pair.losses, pair.wins)
    assert (back.low, back.high) == pytest.approx((-pair.high, -pair.low))


def test_pairing_removes_what_the_cases_have_in_common():
    difficulty = np.random.default_rng(3).normal(0, 10, 60)
    a, b = (difficulty + 1).tolist(), difficulty.tolist()
    pair = paired_difference(a, b)
    assert (pair.low, pair.high) == pytest.approx((1.0, 1.0))
    assert pair.wins == 60
    assert bootstrap_mean(a).high - bootstrap_mean(a).low > 3


def test_runs_over_different_numbers_of_cases_are_not_paired():
    with pytest.raises(ValueError, match="zip"):
        paired_difference([1.0, 2.0], [1.0])


def test_no_pair_at_all():
    result = paired_difference([None, 1.0], [1.0, None])
    assert (result.mean, result.low, result.n, result.missing) == (None, None, 0, 2)
    assert (result.wins, result.ties, result.losses) == (0, 0, 0)
