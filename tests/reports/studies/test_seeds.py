"""The page of the study of seeds: components and sample sizes of known tables."""

import math

import numpy as np
import pytest
from study_world import case_ids, found, table_rows, write_sweep_records

from piva.variance import cases_needed, components
from reports.studies.drawing import Figures
from reports.studies.found import settings_of
from reports.studies.seeds import STUDY, by_seed, crossed, page
from reports.studies.study import FILES, read_sweep

IDS = case_ids(1)
NOISE = np.random.default_rng(0).normal(size=(3, len(IDS), 5))


def place(config):
    """0, 1, 2: the point of the sweep."""
    return 0 if config.method.name == "dds" else 1 if config.method.guidance == 3 else 2


def lpips(config, seed, case_id):
    """Shared by all points: what the case is. Their own: a level, and noise."""
    k = IDS.index(case_id)
    return 1 + 0.3 * k - 0.2 * place(config) + 0.1 * NOISE[place(config), k, seed]


@pytest.fixture(scope="module")
def lines(tmp_path_factory):
    root = tmp_path_factory.mktemp("runs")
    write_sweep_records(root, read_sweep(FILES / "seeds.yaml"), lambda *given: {"lpips": lpips(*given)}, IDS)
    return page(found(STUDY, root), Figures(tmp_path_factory.mktemp("figures"), "seeds"))


def table(point):
    """[C,S] of a point, from the formula."""
    k = np.arange(len(IDS))[:, None]
    return 1 + 0.3 * k - 0.2 * point + 0.1 * NOISE[point]


def test_components_are_those_of_the_table(lines):
    rows = table_rows(lines, "lpips ↓ ×1000")
    (row,) = [row for row in rows if row[1] == "dds"]
    one = components(table(0))
    numbers = [one.mean, math.sqrt(one.case), math.sqrt(one.seed), math.sqrt(one.residual)]
    assert row[2:6] == [f"{1e3 * number:.1f}" for number in numbers]
    assert row[6] == f"{100 * (one.seed + one.residual) / one.total:.0f} %"
    assert row[7:] == [f"{1e3 * math.sqrt(one.seed + one.residual / 10):.1f}", "10 × 5"]


def test_differences_are_paired_so_that_cases_drop_out(lines):
    """A case's own level, with a standard deviation of .9, is the same in both; .1 √2 is left."""
    rows = table_rows(lines, "lpips ↓ ×1000")
    (row,) = [row for row in rows if len(row) == 8 and row[1] == "piva guidance=7.5 lam=1.0 - dds"]
    one = components(table(2) - table(0))
    assert row[2] == f"{1e3 * one.mean:+.1f}"
    assert row[6] == f"{1e3 * math.sqrt(one.case + one.residual):.1f}"
    assert row[7] == f"{1e3 * math.sqrt(one.case + one.residual / 5):.1f}"
    assert math.sqrt(one.total) < 0.2 < math.sqrt(components(table(0)).case)


def test_cases_needed_follow_from_the_spread(lines):
    one = components(table(1) - table(0))
    sds = [math.sqrt(one.case + one.residual / seeds) for seeds in (1, 5)]
    rows = [row for row in table_rows(lines, "lpips ↓ ×1000") if row[1] == "piva guidance=3.0 lam=0.4 - dds"]
    needed = {row[2]: row[3:] for row in rows if len(row) == 5}
    assert needed == {
        size: [f"{cases_needed(difference, sd):,}" for sd in sds]
        for size, difference in (("20.0", 0.02), ("50.0", 0.05), ("100.0", 0.1))
    }


def test_a_case_that_a_seed_lacks_is_left_out_everywhere(tmp_path):
    sweep = read_sweep(FILES / "seeds.yaml")

    def scores(config, seed, case_id):
        return {"lpips": None if (seed, case_id) == (3, IDS[2]) else lpips(config, seed, case_id)}

    write_sweep_records(tmp_path, sweep, scores, IDS)
    one = found(STUDY, tmp_path)[0]
    (values,) = crossed([by_seed(one, "lpips")])
    assert values == pytest.approx(np.delete(table(0), 2, axis=0))
    own = by_seed(one, "lpips")
    a, b = crossed([own, {seed: own[seed] for seed in (0, 4)}])
    assert (a.shape, b.shape) == ((10, 2), (10, 2))


def test_nothing_is_said_of_one_seed_nor_without_scores(tmp_path):
    said = ["Fewer than two seeds are recorded, or nothing is scored: nothing to say yet.", ""]
    sweep = read_sweep(FILES / "seeds.yaml")
    assert page(settings_of(sweep, []), Figures(FILES, "seeds")) == said
    write_sweep_records(tmp_path, sweep, lambda *_: {"lpips": None}, IDS[:2])
    assert page(found(STUDY, tmp_path), Figures(FILES, "seeds")) == said
