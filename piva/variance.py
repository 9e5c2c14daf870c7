"""How scores spread over cases and seeds, and how many cases a paired difference needs to be seen."""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import norm

ALPHA, POWER = 0.05, 0.8
"""Two-sided error, and the chance to see a difference that is there: the usual ones."""


@dataclass(frozen=True)
class Components:
    """Variances of y_cs = mu + a_c + b_s + e_cs over C cases and S seeds, each case run once with each seed.

    Attributes:
        case: of a_c; what sets cases apart, whatever the seed.
        seed: of b_s; what a seed does to all cases alike.
        residual: of e_cs; what a seed does to each case on its own.
    """

    mean: float
    case: float
    seed: float
    residual: float
    n_cases: int
    n_seeds: int

    @property
    def total(self) -> float:
        """Variance of one case with one seed."""
        return self.case + self.seed + self.residual

    def seed_sd_of_mean(self, cases: int) -> float:
        """Standard deviation of a run's mean over so many fixed cases, from seed to seed."""
        return math.sqrt(self.seed + self.residual / cases)

    def sd_of_case(self, seeds: int = 1) -> float:
        """Standard deviation, from case to case, of a case's mean over so many seeds; what a paired test sees."""
        return math.sqrt(self.case + self.residual / seeds)


def components(values: npt.NDArray[np.float64]) -> Components:
    """Estimates by analysis of variance (two crossed random factors, one observation a cell).

    residual = MS_e, case = (MS_case - MS_e) / S, seed = (MS_seed - MS_e) / C, none below 0; Searle, Casella and
    McCulloch, Variance Components (1992), chapter 4.

    Args:
        values: [C,S] of C cases (rows) with S seeds.

    Raises:
        ValueError: fewer than two cases or two seeds.
    """
    C, S = values.shape
    if C < 2 or S < 2:
        raise ValueError(f"{C} cases with {S} seeds: two of each are the least that has a spread")
    mean, of_case, of_seed = values.mean(), values.mean(axis=1), values.mean(axis=0)
    ms_case = S * ((of_case - mean) ** 2).sum() / (C - 1)
    ms_seed = C * ((of_seed - mean) ** 2).sum() / (S - 1)
    rest = values - of_case[:, None] - of_seed[None, :] + mean
    ms_e = (rest**2).sum() / ((C - 1) * (S - 1))
    return Components(
        float(mean), max(0.0, float(ms_case - ms_e) / S), max(0.0, float(ms_seed - ms_e) / C), float(ms_e), C, S
    )


def cases_needed(difference: float, sd: float, *, alpha: float = ALPHA, power: float = POWER) -> int:
    """Cases for a paired t test to see a mean difference with the given power; at least 2.

    n = (z_{1-alpha/2} + z_power)^2 sd^2 / difference^2 + z_{1-alpha/2}^2 / 2: the normal approximation with Guenther's
    correction for an estimated sd (The American Statistician 35, 1981, p. 243), rounded up.

    Args:
        sd: of the differences, from case to case.
    """
    z_alpha, z_power = float(norm.ppf(1 - alpha / 2)), float(norm.ppf(power))
    return max(2, math.ceil((z_alpha + z_power) ** 2 * (sd / difference) ** 2 + z_alpha**2 / 2))


def visible_difference(n: int, sd: float, *, alpha: float = ALPHA, power: float = POWER) -> float:
    """The mean difference that n cases are enough for: `cases_needed` solved for it; infinite where n are too few."""
    z_alpha, z_power = float(norm.ppf(1 - alpha / 2)), float(norm.ppf(power))
    left = n - z_alpha**2 / 2
    return (z_alpha + z_power) * sd / math.sqrt(left) if n > 2 and left > 0 else math.inf
