"""Points: the grid in W&B's order, quantiles in closed form, and draws that depend on nothing but their key."""

import math
from statistics import NormalDist

import pytest

from benchmarks.sweeps.points import grid_points, quantile, sample
from benchmarks.sweeps.schema import Parameter, Sweep
from piva.errors import ConfigError


def sweep(parameters, method="grid", run_cap=None, path="x.yaml"):
    return Sweep(path, "", "x", "", "piva", ("piva", "run", "pie-toybox"), method, parameters, run_cap=run_cap)


def values(*found):
    return Parameter("categorical", found)


def test_the_last_name_changes_fastest():
    points = grid_points(sweep({"a": values(1, 2), "b": Parameter("constant", ("x",)), "c": values(True, None)}))
    assert points == [
        {"a": 1, "b": "x", "c": True},
        {"a": 1, "b": "x", "c": None},
        {"a": 2, "b": "x", "c": True},
        {"a": 2, "b": "x", "c": None},
    ]


def test_whole_numbers_with_max_and_steps_without_it_as_w_and_b_has_them():
    grid = {"n": Parameter("int_uniform", min=2, max=4), "s": Parameter("q_uniform", min=0, max=1, q=0.5)}
    assert [tuple(point.values()) for point in grid_points(sweep(grid))] == [
        (2, 0.0), (2, 0.5), (3, 0.0), (3, 0.5), (4, 0.0), (4, 0.5),
    ]  # fmt: skip


def test_a_value_given_twice_is_one_point_but_1_is_not_true():
    assert [point["a"] for point in grid_points(sweep({"a": values(1, 2, 1.0, True, 2)}))] == [1, 2, True]


def test_no_more_points_than_run_cap():
    assert len(grid_points(sweep({"a": values(1, 2, 3)}, run_cap=2))) == 2
    assert len(grid_points(sweep({"a": values(1, 2, 3)}, run_cap=9))) == 3


@pytest.mark.parametrize("kind", ["uniform", "normal", "categorical_w_probabilities"])
def test_a_grid_has_no_distributions(kind):
    with pytest.raises(ConfigError, match=rf"x\.yaml: parameters\.a: a grid has no {kind}: give it values"):
        grid_points(sweep({"a": Parameter(kind, min=0, max=1)}))


E = math.e


@pytest.mark.parametrize(
    ("parameter", "u", "expected"),
    [
        (Parameter("constant", ("x",)), 0.9, "x"),
        (values("a", "b", "c"), 0.32, "a"),
        (values("a", "b", "c"), 0.34, "b"),
        (Parameter("categorical_w_probabilities", ("a", "b"), (0.9, 0.1)), 0.89, "a"),
        (Parameter("categorical_w_probabilities", ("a", "b"), (0.9, 0.1)), 0.91, "b"),
        (Parameter("int_uniform", min=1, max=4), 0.24, 1),
        (Parameter("int_uniform", min=1, max=4), 0.99, 4),
        (Parameter("uniform", min=2, max=6), 0.25, 3.0),
        (Parameter("q_uniform", min=0, max=10, q=2), 0.32, 4),
        (Parameter("q_uniform", min=0, max=1, q=0.25), 0.4, 0.5),
        (Parameter("log_uniform", min=0, max=2), 0.5, E),
        (Parameter("log_uniform_values", min=1e-4, max=1), 0.25, 1e-3),
        (Parameter("q_log_uniform", min=0, max=2, q=1.0), 0.5, 3.0),
        (Parameter("q_log_uniform_values", min=1, max=10_000, q=10), 0.5, 100),
        (Parameter("inv_log_uniform", min=0, max=2), 0.25, E**-1.5),
        (Parameter("inv_log_uniform_values", min=0.01, max=100), 0.25, 0.1),
        (Parameter("normal", mu=3, sigma=2), 0.975, NormalDist(3, 2).inv_cdf(0.975)),
        (Parameter("q_normal", mu=3, sigma=2, q=5), 0.9, 5),
        (Parameter("log_normal", mu=1, sigma=0.5), 0.5, E),
        (Parameter("q_log_normal", mu=2, sigma=1.0, q=2), 0.5, 8),
        (Parameter("beta", a=1, b=3), 0.271, 0.1),  # 1 - (1 - x)^3
        (Parameter("q_beta", a=2, b=1, q=0.5), 0.3, 0.5),  # x^2
    ],
)
def test_quantiles(parameter, u, expected):
    found = quantile(parameter, u)
    assert found == (pytest.approx(expected, rel=1e-12) if isinstance(expected, float) else expected)
    assert type(found) is type(expected)


def test_a_draw_depends_on_seed_index_and_name_alone():
    lam, rank = Parameter("log_uniform_values", min=0.1, max=4), values(1, 2, 4, 8, 16)
    both = sweep({"lam": lam, "rank": rank}, "random")
    drawn = [sample(both, 0, index) for index in range(50)]
    assert drawn == [sample(both, 0, index) for index in range(50)]
    assert [point["lam"] for point in drawn] == [sample(sweep({"lam": lam}, "random"), 0, k)["lam"] for k in range(50)]
    assert drawn[0] != sample(both, 1, 0)
    assert len({point["lam"] for point in drawn}) == 50


def test_draws_follow_the_distribution():
    normal = sweep({"x": Parameter("normal", mu=1, sigma=2)}, "random")
    drawn = [sample(normal, 0, index)["x"] for index in range(4000)]
    mean = sum(drawn) / len(drawn)
    spread = math.sqrt(sum((x - mean) ** 2 for x in drawn) / len(drawn))
    assert mean == pytest.approx(1, abs=4 * 2 / math.sqrt(4000))
    assert spread == pytest.approx(2, rel=0.05)
    drawn = [sample(sweep({"x": values(0, 1, 2)}, "random"), 0, k)["x"] for k in range(3000)]
    assert [drawn.count(value) for value in (0, 1, 2)] == pytest.approx([1000] * 3, abs=110)  # four deviations
