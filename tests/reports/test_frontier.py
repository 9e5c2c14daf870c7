"""Curves of mixtures, and methods at matched levels, against values worked out by hand."""

import numpy as np
import pytest
from harness_world import case_record, launch, run_record, write_run

from piva.cli import main
from piva.errors import ConfigError
from reports.frontier import best_at, common_cases, curve, matched, resampled, shared_levels
from reports.reading import load_runs


def make(root, key, method, lpips, success, rows=400):
    """A run whose case k has these scores."""
    ids = [f"{k:012d}" for k in range(len(lpips))]
    scores = [{"lpips": x, "edit_success": y} for x, y in zip(lpips, success, strict=True)]
    cases = [case_record(i, metrics=score, unet_rows=rows, psi_rows=0) for i, score in zip(ids, scores, strict=True)]
    metrics = {"lpips": "lpips@1", "edit_success": "success@1"}
    record = run_record(key, method, launches=[launch(ids)], metrics=metrics, settings={"guidance": float(rows)})
    write_run(root / "pie-toybox" / f"{method}-{key}", record, cases)


@pytest.fixture
def world(tmp_path):
    """DDS at (lpips, success) = (.1, 0) and (.5, 1); Piva at (.1, 0), (.2, .5) and (.4, 1)."""
    make(tmp_path, "aa11", "dds", [0.1] * 4, [0.0] * 4)
    make(tmp_path, "bb22", "dds", [0.5] * 4, [1.0] * 4, rows=800)
    make(tmp_path, "cc33", "piva", [0.1] * 4, [0.0] * 4)
    make(tmp_path, "dd44", "piva", [0.2] * 4, [0.5] * 4)
    make(tmp_path, "ee55", "piva", [0.4] * 4, [1.0] * 4, rows=900)
    return tmp_path


def groups(root):
    runs = load_runs([], root)
    return [[run for run in runs if run.record.method == name] for name in ("piva", "dds")]


def test_the_best_mixture_by_hand():
    x, y = np.array([[0.1, 0.2, 0.4]]), np.array([[0.0, 0.5, 1.0]])
    at = [best_at(x, y, level, smaller_x=True)[0] for level in (0.0, 0.25, 0.5, 0.75, 1.0)]
    assert at == pytest.approx([0.1, 0.15, 0.2, 0.3, 0.4])
    assert np.isnan(best_at(x, y, 1.1, smaller_x=True)[0])
    assert best_at(x, y, 0.25, smaller_x=False)[0] == pytest.approx(0.4)  # more is better: the last run, alone


def test_a_run_that_a_mixture_beats_is_passed_over():
    x, y = np.array([[0.0, 9.0, 0.2]]), np.array([[0.0, 0.5, 1.0]])
    assert best_at(x, y, 0.5, smaller_x=True)[0] == pytest.approx(0.1)


def test_methods_at_matched_success(world):
    piva, dds = groups(world)
    half, full = matched(piva, dds, "lpips", "edit_success", [0.5, 1.0])
    assert (half.a, half.b, half.difference) == pytest.approx((0.2, 0.3, -0.1))
    assert (half.low, half.high, half.reached) == pytest.approx((-0.1, -0.1, 1.0))  # all cases are alike
    assert (full.a, full.b, full.difference) == pytest.approx((0.4, 0.5, -0.1))
    (beyond,) = matched(piva, dds, "lpips", "edit_success", [1.5])
    assert (beyond.a, beyond.difference, beyond.reached) == (None, None, 0.0)


def test_matching_works_on_numbers_of_which_less_is_better(world):
    piva, dds = groups(world)
    (found,) = matched(piva, dds, "edit_success", "lpips", [0.3])
    assert (found.a, found.b) == pytest.approx((0.75, 0.5))
    assert shared_levels(piva, dds, "edit_success", "lpips", count=3) == pytest.approx([0.3, 0.2, 0.1])


def test_levels_are_those_that_both_reach(world):
    assert shared_levels(*groups(world), "lpips", "edit_success", count=4) == pytest.approx([0.25, 0.5, 0.75, 1.0])


def test_the_curve_goes_through_the_runs(world):
    x, y = curve(np.array([0.1, 0.2, 0.4]), np.array([0.0, 0.5, 1.0]), True, False, points=5)
    assert x.tolist() == pytest.approx([0.1, 0.15, 0.2, 0.3, 0.4])
    assert y.tolist() == pytest.approx([0.0, 0.25, 0.5, 0.75, 1.0])


def test_resamples_take_the_same_cases_of_every_run():
    values = np.random.default_rng(1).normal(size=(1, 30))
    means = resampled(np.concatenate([values, values + 1.0]), resamples=50)
    assert means[:, 1] - means[:, 0] == pytest.approx(np.ones(50))
    assert means[:, 0].std() == pytest.approx(values.std() / 30**0.5, rel=0.3)


def test_only_cases_that_every_run_has_count(world):
    make(world, "ff66", "dds", [0.1, None, 0.1, 0.1], [1.0] * 4)
    runs = load_runs([], world)
    assert common_cases(runs, ["lpips"]) == ["000000000000", "000000000002", "000000000003"]
    with pytest.raises(ConfigError, match="no case has clip_text"):
        common_cases(runs, ["clip_text"])


def test_the_command_draws_and_compares_within_a_budget(world, tmp_path, capsys):
    report = tmp_path / "frontier.md"
    report.write_text("before\n<!-- results: begin -->\n<!-- results: end -->\nafter\n")
    numbers = ["--match", "edit_success", "--over", "lpips", "--rows", "800", "--into", str(report)]
    assert main(["frontier", "--runs", str(world), *numbers]) == 0
    text = report.read_text()
    assert "Runs: 3 of piva and 2 of dds." in text
    assert "at most 800 UNet rows a case\n\nRuns: 2 of piva and 2 of dds." in text
    assert "| 50.0 | 200.0 | 300.0 | -100.0 [-100.0, -100.0] | 100% |" in text
    assert (world / "report" / "frontier.png").stat().st_size > 5000
    assert main(["frontier", "--runs", str(world), *numbers[:4], "--rows", "10"]) == 2
    assert "--rows 10: no run of piva took so few" in capsys.readouterr().err
