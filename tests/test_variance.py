"""Variance components against closed forms and a slow twin; sample sizes against published and exact ones."""

import math

import numpy as np
import pytest
from scipy.stats import nct, t

from piva.variance import Components, cases_needed, components, visible_difference


def test_a_purely_additive_table_by_hand():
    """y_cs = a_c + b_s: no residual; variances of the effects are those of the samples 0, 2, 4 and 0, 1."""
    values = np.add.outer([0.0, 2.0, 4.0], [0.0, 1.0])
    found = components(values)
    assert (found.mean, found.case, found.seed, found.residual) == pytest.approx((2.5, 4.0, 0.5, 0.0))
    assert (found.n_cases, found.n_seeds, found.total) == (3, 2, pytest.approx(4.5))


def test_a_table_of_two_by_two_in_closed_form():
    """Of [[a, b], [c, d]] the residual is (a - b - c + d)^2 / 4, and it is taken off the other mean squares."""
    values = np.array([[10.0, 13.0], [1.0, 2.0]])
    found = components(values)
    residual = (10 - 13 - 1 + 2) ** 2 / 4
    ms_case, ms_seed = (10 + 13 - 1 - 2) ** 2 / 4, (10 + 1 - 13 - 2) ** 2 / 4
    expected = (residual, (ms_case - residual) / 2, (ms_seed - residual) / 2)
    assert (found.residual, found.case, found.seed) == pytest.approx(expected)


def test_a_component_is_never_negative():
    found = components(np.array([[0.0, 1.0], [1.0, 0.0]]))
    assert (found.case, found.seed, found.residual) == (0.0, 0.0, 1.0)


def test_estimates_are_right_on_average():
    draw = np.random.default_rng(0)
    tables = [
        2 * draw.normal(size=(20, 1)) + 1 * draw.normal(size=(1, 8)) + 0.5 * draw.normal(size=(20, 8))
        for _ in range(400)
    ]
    found = [components(table) for table in tables]
    means = [np.mean([getattr(one, name) for one in found]) for name in ("case", "seed", "residual")]
    assert means == pytest.approx([4.0, 1.0, 0.25], rel=0.1)


def test_a_paired_difference_has_the_spread_of_its_components():
    found = Components(0.0, case=0.09, seed=0.04, residual=0.16, n_cases=40, n_seeds=5)
    assert found.sd_of_case() == pytest.approx(0.5)
    assert found.sd_of_case(seeds=4) == pytest.approx(math.sqrt(0.13))
    assert found.seed_sd_of_mean(40) == pytest.approx(math.sqrt(0.04 + 0.004))


def test_one_seed_has_no_spread():
    with pytest.raises(ValueError, match="3 cases with 1 seeds"):
        components(np.zeros((3, 1)))


@pytest.mark.parametrize(("effect", "n"), [(0.2, 199), (0.5, 34), (0.8, 15)])
def test_sample_sizes_are_those_of_the_tables(effect, n):
    """Cohen's small, medium and large effects, two-sided .05, power .8 (G*Power 3.1, paired t test)."""
    assert cases_needed(effect * 0.3, 0.3) == n


@pytest.mark.parametrize("effect", [0.15, 0.3, 0.6])
def test_power_is_reached_and_with_one_case_less_it_is_not(effect):
    def power(n):
        critical, shift = t.ppf(0.975, n - 1), effect * math.sqrt(n)
        return nct.sf(critical, n - 1, shift) + nct.cdf(-critical, n - 1, shift)

    n = cases_needed(effect, 1.0)
    assert power(n) >= 0.8 - 1e-3
    assert power(n - 1) < 0.8


def test_the_difference_that_n_cases_show_needs_n_cases():
    for n in (10, 40, 700):
        assert cases_needed(visible_difference(n, 2.0) * (1 + 1e-9), 2.0) == n
    assert visible_difference(2, 1.0) == visible_difference(3, 1.0, alpha=0.01) == math.inf
