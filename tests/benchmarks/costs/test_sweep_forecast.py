"""A whole sweep on paper: rows, hours and bytes as one would add them up by hand."""

import io
from dataclasses import replace
from pathlib import Path

import pytest
from harness_world import PlainPrior
from rich.console import Console

from benchmarks.costs.cost import Rates, Rows
from benchmarks.costs.forecast import Tariff
from benchmarks.costs.sweep_forecast import LAMBDAS, _with_stored_psi, forecast_sweep, sweep_methods, sweep_table
from benchmarks.identity_rows import Copy
from piva.data.pie_bench import Case
from piva.methods import METHODS
from piva.methods.dds import DDS
from piva.methods.piva import Piva

N, STEPS, IMAGE, LATENT, PSI = 700, 200, 400_000, 4 * 3 * 16 * 16, 4 * 2 * 4
FORWARD, BACKWARD = 0.02, 0.05
TARIFF = Tariff(PlainPrior(), Rates(FORWARD, BACKWARD, "measured now"), IMAGE, STEPS, row_cache=False)
ALONGSIDE, STORED = Rows(5, 2), Rows(5, 1)
"""Rows of a step of Piva: with psi in training beside the edit, and without."""


@pytest.fixture(autouse=True)
def three_methods(monkeypatch):
    """Few enough to add up by hand."""
    kept = {name: METHODS[name] for name in ("sds", "dds", "piva")}
    monkeypatch.setattr("benchmarks.costs.sweep_forecast.METHODS", kept)


def case(k):
    """Of 700 cases: the last two share their image and prompt, and the two before them share only the image."""
    file = {N - 1: N - 2, N - 3: N - 4}.get(k, k)
    src = "a cat" if k >= N - 2 else f"a cat number {k}"
    return Case(
        id=str(k), image_path=Path(f"{file}.png"), image_size=(16, 16), src=src, tgt="a dog", raw_src=src,
        raw_tgt="a dog", instruction="", type_id="1", blended_words=(), mask_rle=(),
    )  # fmt: skip


CASES = [case(k) for k in range(N)]
PSI_NEEDED = N - 1


def sweep(chosen, seeds=(0,), tariff=TARIFF):
    return forecast_sweep(CASES, seeds, chosen, tariff)


def seconds(rows):
    return rows.forward * FORWARD + rows.backward * BACKWARD


def test_every_method_and_piva_at_every_lambda():
    methods = sweep_methods(DDS(guidance=3))
    assert list(methods) == ["sds", "dds", *(f"piva lam {lam}" for lam in (0.1, 0.2, 0.4, 0.8, 1.6))]
    assert methods["dds"] == DDS(guidance=3)
    assert [method for label, method in methods.items() if "piva" in label] == [Piva(lam=lam) for lam in LAMBDAS]


def test_the_sweep_is_over_all_methods_there_are(monkeypatch):
    monkeypatch.setattr("benchmarks.costs.sweep_forecast.METHODS", METHODS)
    methods = sweep_methods(Copy())
    assert set(METHODS) - set(methods) == {"piva"}
    stored = {name: _with_stored_psi(method) for name, method in methods.items()}
    assert stored["piva lam 0.4"] == Piva(lam=0.4, aux={"psi": "stored"})
    assert stored["vsd"] == methods["vsd"]  # it has a phi alone


def test_settings_of_a_chosen_piva_hold_at_every_lambda():
    methods = sweep_methods(Piva(lam=0, psi_at="source", aux={"rank": 8}))
    assert methods["piva lam 1.6"] == Piva(lam=1.6, psi_at="source", aux={"rank": 8})
    assert methods["dds"] == DDS()


def test_each_line_by_hand():
    lines = sweep(DDS(), seeds=(0, 1, 2)).lines
    edits = 3 * N
    expected = {"sds": Rows(2, 0), "dds": Rows(4, 0)} | {f"piva lam {lam}": ALONGSIDE for lam in LAMBDAS}
    for label, step in expected.items():
        whole = lines[label].whole
        assert (whole.cases, whole.rows) == (edits, step * (STEPS * edits))
        assert whole.seconds == pytest.approx(seconds(step * (STEPS * edits)))
        assert whole.disk_bytes == edits * IMAGE
    assert lines["dds"].whole.rows.total == 3 * 4 * 200 * 700


def test_the_total_as_planned_is_the_sum_of_the_lines():
    found = sweep(Copy(), seeds=(0, 1))
    assert found.planned.whole.rows == (Rows(2, 0) + Rows(4, 0) + ALONGSIDE * 5) * (STEPS * N * 2)
    assert found.planned.whole.seconds == pytest.approx(sum(cost.whole.seconds for cost in found.lines.values()))
    assert found.planned.whole.disk_bytes == 7 * 2 * N * IMAGE


@pytest.mark.parametrize("seeds", [(0,), (0, 1, 2)])
def test_with_caches_shared_work_counts_once(seeds):
    """Source rows once a seed for DDS and all lambda (SDS has none); psi once for image and prompt."""
    whole, edits = sweep(DDS(), seeds).cached.whole, N * len(seeds)
    source = Rows(2, 0) * (STEPS * edits)
    own = (Rows(2, 0) + Rows(4 - 2, 0) + (STORED - Rows(2, 0)) * 5) * (STEPS * edits)
    psi = Rows(0, 200) * PSI_NEEDED
    assert whole.rows == own + source + psi
    assert whole.seconds == pytest.approx(seconds(own + source + psi))
    assert whole.cases == 7 * edits
    assert whole.disk_bytes == 7 * edits * IMAGE + source.total * LATENT + PSI_NEEDED * PSI


def test_what_the_command_says_of_caches_is_planned():
    stored = Piva(aux={"psi": "stored"})
    found = sweep(stored, tariff=replace(TARIFF, row_cache=True))
    assert found.planned.whole == found.cached.whole
    assert found.lines["piva lam 0.4"].whole.rows == STORED * (STEPS * N) + Rows(0, 200) * PSI_NEEDED
    assert sweep(stored).planned.whole.rows.forward > found.planned.whole.rows.forward


def printed(*arguments):
    console = Console(width=100, file=io.StringIO())
    console.print(sweep_table(*arguments))
    return [line.rstrip() for line in console.file.getvalue().splitlines()]


def test_the_table_says_rows_hours_and_disk():
    lines = printed(sweep(DDS()), N, 1, TARIFF, "cuda:0 (NVIDIA H100)")
    assert lines[0] == "the whole sweep: 700 cases, 200 steps, 1 seed, nothing done before"
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in lines if "│" in line]
    cells = {label: values for label, *values in rows}
    assert cells["dds"] == ["700", "560,000", "0", "3.11", "280.0 MB"]
    assert cells["piva lam 0.1"] == ["700", "980,000", "280,000", "7.78", "280.0 MB"]
    assert cells["all, as planned"] == ["4,900", "5,740,000", "1,400,000", "43.56", "1.96 GB"]
    backward = 5 * 140_000 + 200 * PSI_NEEDED
    forward = 140_000 * (2 + 2 + 5 * 3 + 2)
    hours = f"{(forward * FORWARD + backward * BACKWARD) / 3600:.2f}"
    cached = ["4,900", f"{forward + backward:,}", f"{backward:,}", hours, "2.82 GB"]
    assert cells["all, with --row-cache-gb 1"] == cached
    head = "\n".join(lines[:5])
    assert "GPU hours on" in head
    assert "cuda:0 (NVIDIA H100)" in head
    assert lines[-1] == "20 ms a row and 50 ms one with backward, measured now; loading and scoring not counted"


def test_on_a_processor_hours_are_those_of_a_processor():
    head = "\n".join(printed(sweep(DDS()), N, 1, TARIFF, "cpu")[:5])
    assert " hours on " in head
    assert " cpu " in head
    assert "GPU" not in head
