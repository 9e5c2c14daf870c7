"""What a dry run says."""

import pytest
from harness_world import PlainPrior, case_record, run_record, write_bench, write_run

from benchmarks.costs.calibration import Calibration
from benchmarks.costs.cost import Cost, Needs, Rates, Rows
from benchmarks.costs.forecast import Command, Forecast, forecast, sentences
from benchmarks.identity_rows import NoEdit
from benchmarks.running.plan import Plan, compose, spread
from piva.data.pie_bench import read
from piva.methods.dds import DDS


@pytest.fixture
def plans(tmp_path):
    cases = spread(read(write_bench(tmp_path / "bench", n=12)), None)
    return dict.fromkeys((0, 1), compose(cases, 8, {}, "k", tmp_path))


def record(out, **facts):
    """A DDS run of 10 steps, a batch of eight: 5 ms a row."""
    prior = {"name": "plain", "fingerprint": PlainPrior().fingerprint}
    cost = {"unet_rows": 40, "unet_rows_backward": 0, "seconds_edit": 0.2, "batch": 8}
    cases = [case_record(str(k), **cost) for k in range(8)]
    write_run(out / "pie-bench" / "dds-1", run_record(prior=prior, **facts), cases)


def test_two_runs_at_recorded_rates(plans, tmp_path):
    record(tmp_path / "runs")
    found = forecast(plans, DDS(), Calibration(PlainPrior(), DDS(), tmp_path / "runs"), Command(200, tmp_path / "psi"))
    assert found.cost.cases == 24
    assert found.cost.rows == Rows(24 * 800, 0)
    assert found.cost.seconds == pytest.approx(24 * 800 * 0.005)
    assert sentences(found) == [
        "rows  19,200 through the UNet: 24 edits of 200 steps, 4 a step",
        "time  96 s (0.03 h) of editing, loading and scoring not counted: 5 ms a row, "
        "fitted to 8 edits recorded before",
        "disk  0.1 MB: images, records",
    ]


def test_rows_with_backward_and_stored_psi_are_said():
    psi = Cost(rows=Rows(0, 200), seconds=2.0, disk_bytes=10**6)
    cost = Cost(10, Rows(10_000, 2_000), 7200.0, 10**6, {"psi a": psi, "psi b": psi})
    needs = Needs(step=Rows(5, 1), psi=Rows(0, 200))
    assert sentences(Forecast(needs, 200, Rates(0.005, 0.0125, "measured now"), cost)) == [
        "rows  12,400 through the UNet, 2,400 of them with backward: 10 edits of 200 steps, 6 a step, 1 with backward",
        "psi   400 of these rows train 2 stored psi, once for all runs",
        "time  7,204 s (2.00 h) of editing, loading and scoring not counted: 5 ms a row and 12.5 ms one with backward, "
        "measured now",
        "disk  3.0 MB: images, records, psi",
    ]


def test_what_asks_for_no_rows_is_not_timed(plans, tmp_path):
    found = forecast(
        plans, NoEdit(), Calibration(PlainPrior(), NoEdit(), tmp_path), Command(200, tmp_path, row_cache=True)
    )
    assert sentences(found) == ["disk  0.1 MB: images, records"]


def test_a_finished_run_costs_nothing(plans, tmp_path):
    calibration = Calibration(PlainPrior(), DDS(), tmp_path)
    done = {seed: Plan(plan.cases, plan.contents, ()) for seed, plan in plans.items()}
    assert sentences(forecast(done, DDS(), calibration, Command(200, tmp_path))) == ["nothing to edit"]


def test_kept_source_rows_are_said(plans, tmp_path):
    record(tmp_path)
    found = forecast(
        plans, DDS(), Calibration(PlainPrior(), DDS(), tmp_path), Command(10, tmp_path / "psi", row_cache=True)
    )
    rows, cache, _, disk = sentences(found)
    assert rows == "rows  960 through the UNet: 24 edits of 10 steps, 4 a step"
    assert cache == "cache 480 of these rows are kept for other runs, or found where one left them"
    size = 24 * (16 * 16 * 3 // 2 + 2048) + 480 * 3 * 16 * 16 * 4
    assert disk == f"disk  {size / 1e6:.1f} MB: images, records, source rows"
