"""Seconds a row: found again in made-up records, kept apart by prior, machine and batch, or measured."""

import numpy as np
import pytest
import torch
from harness_world import PlainPrior, case_record, run_record, write_run
from PIL import Image

import benchmarks.costs.calibration as calibration
from benchmarks.costs.calibration import (
    BACKWARD_RATIO,
    Calibration,
    Rates,
    case_bytes,
    earlier_runs,
    fit,
    measured_rates,
    recorded_rates,
)
from benchmarks.costs.cost import Rows, needs_of
from benchmarks.identity_rows import Copy
from piva.methods.dds import DDS
from piva.methods.piva import Piva
from piva.records import RunFolder

FORWARD, BACKWARD = 0.005, 0.013
DDS_ROWS, PIVA_ROWS = Rows(800, 0), Rows(1000, 400)


def seconds(rows, forward=FORWARD, backward=BACKWARD):
    return rows.forward * forward + rows.backward * backward


def test_known_rates_are_found():
    edits = [(rows, seconds(rows)) for rows in (DDS_ROWS, PIVA_ROWS, PIVA_ROWS * 5)]
    assert fit(edits) == pytest.approx((FORWARD, BACKWARD))


def test_and_so_they_are_with_noise():
    noise = np.random.default_rng(0).normal(1, 0.1, 400)
    edits = [(rows, seconds(rows) * k) for rows, k in zip([DDS_ROWS, PIVA_ROWS] * 200, noise, strict=True)]
    assert fit(edits) == pytest.approx((FORWARD, BACKWARD), rel=0.05)


@pytest.mark.parametrize("rows", [DDS_ROWS, PIVA_ROWS])
def test_edits_of_one_method_foretell_that_method(rows):
    forward, backward = fit([(rows, seconds(rows)), (rows * 2, 2 * seconds(rows))])
    assert seconds(rows, forward, backward) == pytest.approx(seconds(rows))
    assert backward == pytest.approx(BACKWARD_RATIO * forward)


def test_a_nonsensical_fit_falls_back():
    """The row with backward would come out cheaper than the one without."""
    forward, backward = fit([(DDS_ROWS, 8.0), (PIVA_ROWS, 8.1)])
    assert backward == pytest.approx(BACKWARD_RATIO * forward)


def write(out, name, rows, batch=8, **facts):
    prior = {"name": "plain", "fingerprint": PlainPrior().fingerprint}
    record = run_record(name, name, **({"prior": prior, "settings": {}} | facts))
    cost = {"unet_rows": rows.total, "unet_rows_backward": rows.backward, "seconds_edit": seconds(rows), "batch": batch}
    cases = [case_record(str(k), **cost) for k in range(batch)]
    return write_run(out / "pie-toybox" / name, record, cases)


def test_rates_come_from_the_same_prior_machine_and_batch(tmp_path):
    write(tmp_path, "dds", DDS_ROWS)
    write(tmp_path, "piva", PIVA_ROWS)
    write(tmp_path, "other-prior", Rows(1, 0), prior={"name": "plain", "fingerprint": "other"})
    write(tmp_path, "other-batch", Rows(1, 1), batch=4)
    launch = run_record().launches[0]
    elsewhere = launch.model_copy(update={"provenance": launch.provenance.model_copy(update={"cpu": "other"})})
    write(tmp_path, "other-machine", Rows(7, 0), launches=[elsewhere])
    runs = earlier_runs(tmp_path)
    assert len(runs) == 5
    rates = recorded_rates(runs, PlainPrior(), 8)
    assert (rates.forward, rates.backward) == pytest.approx((FORWARD, BACKWARD))
    assert rates.origin == "fitted to 16 edits recorded before"
    assert recorded_rates(runs, PlainPrior(), 2) is None
    assert recorded_rates([], PlainPrior(), 8) is None


def test_the_training_of_a_stored_psi_is_in_rows_and_seconds(tmp_path):
    prior = {"name": "plain", "fingerprint": PlainPrior().fingerprint}
    cases = [case_record("a", unet_rows=1000, unet_rows_backward=0, psi_rows=0, seconds_edit=5.0)]
    cases += [case_record("b", unet_rows=1000, unet_rows_backward=0, psi_rows=200, seconds_edit=5.0 + 200 * 0.02)]
    write_run(tmp_path / "pie-toybox" / "piva", run_record(method="piva", prior=prior), cases)
    rates = recorded_rates(earlier_runs(tmp_path), PlainPrior(), 1)
    assert (rates.forward, rates.backward) == pytest.approx((0.005, 0.02))


def test_a_damaged_run_is_passed_over(tmp_path):
    write(tmp_path, "dds", DDS_ROWS)
    (write(tmp_path, "piva", PIVA_ROWS) / "cases.jsonl").write_text("{\n")
    assert [run.record.method for run in earlier_runs(tmp_path)] == ["dds"]
    assert earlier_runs(tmp_path / "nothing") == []


@pytest.mark.parametrize(
    "method", [DDS(), Piva(), Piva(aux={"psi": "stored", "phi": "fresh"})], ids=["dds", "piva", "stored"]
)
def test_rates_are_measured_where_nothing_is_recorded(tiny_prior, monkeypatch, method):
    """A clock that moves by what the rows of a call are known to take."""
    monkeypatch.setattr(calibration.time, "perf_counter", clock := Clock())
    predict = type(tiny_prior).predict

    def counted(self, x, *arguments):
        clock.now += len(x) * (BACKWARD if torch.is_grad_enabled() else FORWARD)
        return predict(self, x, *arguments)

    monkeypatch.setattr(type(tiny_prior), "predict", counted)
    rates = measured_rates(tiny_prior, method, needs_of(method), batch=3)
    assert rates.forward == pytest.approx(FORWARD)
    ratio = BACKWARD / FORWARD if method.auxiliaries else BACKWARD_RATIO
    assert rates.backward == pytest.approx(ratio * FORWARD)


def test_rates_are_found_once_for_a_batch_size(tmp_path, monkeypatch):
    """Of a method that trains nothing too: the forward calls are its own, those with backward are Piva's."""
    asked = []

    def measured(prior, method, needs, batch):
        asked.append((method.name, needs.step, batch))
        return Rates(FORWARD, BACKWARD, "measured now")

    monkeypatch.setattr(calibration, "measured_rates", measured)
    write(tmp_path, "piva", PIVA_ROWS, batch=4)
    for method in (DDS(), Copy(), Piva(aux={"psi": "stored"})):
        found = Calibration(PlainPrior(), method, tmp_path)
        assert found.rates(4).origin == "fitted to 4 edits recorded before"
        assert found.rates(8) is found.rates(8)
    assert asked == [("piva", Rows(4, 2), 8), ("piva", Rows(5, 2), 8), ("piva", Rows(5, 1), 8)]


def test_where_training_does_not_fit_the_forward_calls_are_still_measured(tiny_prior, monkeypatch):
    monkeypatch.setattr(calibration, "SECONDS_OF_MEASUREMENT", 1e-4)

    def full(self, *arguments):
        raise torch.cuda.OutOfMemoryError

    monkeypatch.setattr(calibration.AuxiliaryTraining, "fresh_pass", full)
    rates = measured_rates(tiny_prior, Piva(), needs_of(Piva()), batch=2)
    assert rates.backward == pytest.approx(BACKWARD_RATIO * rates.forward)
    assert rates.origin == "measured now, but training 2 together does not fit"


class Clock:
    """Shows the time that was put on it."""

    now = 0.0

    def __call__(self):
        return self.now


def test_disk_is_that_of_recorded_cases_of_this_size(tmp_path):
    assert case_bytes([], (512, 512)) == 512 * 512 * 3 // 2 + 2048
    folder = tmp_path / "pie-toybox" / "dds"
    with RunFolder(folder) as opened:
        opened.write_run(run_record(image_size=(16, 16)))
        for k in range(4):
            pixels = np.random.default_rng(k).integers(0, 256, (16, 16, 3), dtype=np.uint8)
            image, digest = opened.write_image(str(k), Image.fromarray(pixels))
            opened.append(case_record(str(k), image=image, image_sha256=digest))
    files = [*(folder / "images").iterdir(), folder / "cases.jsonl"]
    assert case_bytes(earlier_runs(tmp_path), (16, 16)) == round(sum(file.stat().st_size for file in files) / 4)
    assert case_bytes(earlier_runs(tmp_path), (64, 64)) == 64 * 64 * 3 // 2 + 2048
