"""The points of a sweep: W&B's grid, in its order; and random points, which depend on seed and index alone."""

from __future__ import annotations

import hashlib
import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy.special import betaincinv, ndtri

from benchmarks.sweeps.schema import Parameter, Sweep
from piva.errors import ConfigError

Point = Mapping[str, Any]
"""Dotted name -> value."""


def grid_points(sweep: Sweep) -> list[Point]:
    """Every combination in W&B's order, the last name changing fastest; no more than run_cap.

    Raises:
        ConfigError: a parameter is a distribution that no grid can take.
    """
    columns = [_column(sweep, name, parameter) for name, parameter in sweep.parameters.items()]
    points = [dict(zip(sweep.parameters, row, strict=True)) for row in itertools.product(*columns)]
    return list(points[: sweep.run_cap])


def sample(sweep: Sweep, seed: int, index: int) -> Point:
    """The random point of this number; each parameter's draw depends on seed, index and its name alone."""
    return {name: quantile(parameter, _uniform(seed, index, name)) for name, parameter in sweep.parameters.items()}


def quantile(parameter: Parameter, u: float) -> Any:
    """The value below which a share `u` in (0, 1) of the distribution lies: W&B's `HyperParameter.ppf`."""
    if parameter.values:
        return parameter.values[_place(parameter, u)]
    value = _number(parameter, u)
    if parameter.distribution == "int_uniform":
        return int(value)
    if parameter.q is None:
        return float(value)
    steps = round(value / parameter.q)  # to even, as numpy's
    return steps * parameter.q


def _column(sweep: Sweep, name: str, parameter: Parameter) -> Sequence[Any]:
    """The values of a parameter in a grid, each once."""
    low, high = parameter.min, parameter.max
    if parameter.distribution in ("constant", "categorical"):
        found = list(parameter.values)
    elif parameter.distribution == "int_uniform":
        found = list(range(int(low), int(high) + 1))
    elif parameter.distribution == "q_uniform":
        found = np.arange(low, high, parameter.q).tolist()  # without max: W&B's
    else:
        raise ConfigError(f"{sweep.path}: parameters.{name}: a grid has no {parameter.distribution}: give it values")
    return [value for place, value in enumerate(found) if not any(_same(value, other) for other in found[:place])]


def _same(one: Any, other: Any) -> bool:
    """Whether W&B takes two values for one: 3 and 3.0, but not 1 and True."""
    return bool(one == other) and isinstance(one, bool) == isinstance(other, bool)


def _uniform(seed: int, index: int, name: str) -> float:
    """A number in (0, 1), keyed."""
    digits = hashlib.sha256(f"{seed} {index} {name}".encode()).digest()
    return ((int.from_bytes(digits[:8], "big") >> 12) + 0.5) / 2**52


def _place(parameter: Parameter, u: float) -> int:
    """Index of the value at `u`."""
    if not parameter.probabilities:
        return math.ceil(u * len(parameter.values)) - 1
    reached = np.cumsum(parameter.probabilities) > u
    return int(np.argmax(reached)) if reached.any() else len(parameter.values) - 1


def _number(parameter: Parameter, u: float) -> float:
    """Quantile of the distribution, not yet quantised."""
    kind = parameter.distribution.removeprefix("q_")
    if kind in ("normal", "log_normal"):
        value = parameter.mu + parameter.sigma * float(ndtri(u))
        return math.exp(value) if kind == "log_normal" else value
    if kind == "beta":
        return float(betaincinv(parameter.a, parameter.b, u))
    low, high = parameter.min, parameter.max
    if kind == "int_uniform":
        return math.ceil(low + u * (high + 1 - low)) - 1
    if kind == "uniform":
        return low + u * (high - low)
    if kind == "inv_log_uniform":
        return math.exp(-(low + (1 - u) * (high - low)))
    if kind.endswith("_values"):  # log_uniform_values, inv_log_uniform_values: the same law
        return math.exp(math.log(low) + u * (math.log(high) - math.log(low)))
    return math.exp(low + u * (high - low))  # log_uniform: bounds are exponents
