"""Costs before the work: rows as the engine counts them, shared work once, sums over whole sweeps."""

import itertools

import numpy as np
import pytest
import torch
from harness_world import write_bench
from PIL import Image
from safetensors.torch import load_file

from benchmarks.costs.cost import (
    Cost,
    Rates,
    Rows,
    edited,
    needs_of,
    psi_bytes,
    psi_cost,
    run_cost,
    source_row_keys,
    source_rows_cost,
    together,
    untrained_psi,
)
from benchmarks.identity_rows import Copy
from benchmarks.running.plan import Batch, Plan, compose, spread
from piva.data.images import to_eight_bits
from piva.data.pie_bench import load_image, read
from piva.editing import EditInput, edit_batch
from piva.methods.dds import DDS
from piva.methods.piva import Piva
from piva.methods.sds import SDS
from piva.scores import RowCache

METHODS = [
    SDS(), SDS(guidance=1), DDS(), Piva(), Piva(lam=0), Piva(source_branch="current"), Piva(psi_at="source"),
    Piva(aux={"phi": "fresh"}), Piva(aux={"psi": "stored", "psi_steps": 3}),
    Piva(aux={"psi": "stored", "phi": "fresh", "psi_steps": 2, "warmup_steps": 3}),
    Piva(aux={"steps_per_iteration": 3, "warmup_steps": 2}), Piva(aux={"steps_per_iteration": 0}), Piva(aux={"lr": 0}),
]  # fmt: skip


def inputs(n):
    images = [torch.rand(3, 32, 32, generator=torch.Generator().manual_seed(i)) for i in range(n)]
    return [EditInput(str(i), image, "a red cube", "a blue cube") for i, image in enumerate(images)]


@pytest.mark.parametrize("method", METHODS, ids=range(len(METHODS)))
def test_rows_foretold_are_rows_recorded(tiny_prior, method):
    """The real network, a batch of two, four steps."""
    needs = needs_of(method)
    for output in edit_batch(tiny_prior, method, inputs(2), steps=4, seed=0):
        assert needs.edit(4) == Rows(output.unet_rows - output.unet_rows_backward, output.unet_rows_backward)
        assert needs.psi == Rows(backward=output.psi_rows)


def test_to_be_told_the_camera_takes_no_further_rows():
    assert needs_of(Piva(aux={"camera": True})) == needs_of(Piva())


@pytest.mark.parametrize("method", [SDS(), DDS(), DDS(guidance=1), Piva(), Piva(psi_at="source")])
def test_source_rows_foretold_are_those_a_cache_serves(tiny_prior, method):
    cache = RowCache()
    edit_batch(tiny_prior, method, inputs(2), steps=3, seed=0, cache=cache)
    for output in edit_batch(tiny_prior, method, inputs(2), steps=3, seed=0, cache=cache):
        assert needs_of(method).source * 3 == Rows(forward=output.rows_cached)


@pytest.mark.parametrize(
    ("first", "second", "found"),
    [
        ((DDS(t_law="annealed"), 4), (Piva(t_law="annealed"), 4), 4),
        ((DDS(t_law="decreasing"), 4), (DDS(t_law="decreasing", guidance=3), 4), 4),
        ((DDS(), 4), (DDS(guidance=3), 6), 4),  # uniform: the steps of a shorter run are those of a longer one
        ((DDS(), 4), (DDS(t_law="annealed"), 4), 1),  # in the first step it draws from the whole range too
        ((DDS(t_law="annealed"), 4), (DDS(t_law="annealed"), 6), 1),
        ((DDS(t_law="decreasing"), 4), (DDS(t_law="decreasing"), 6), 1),
        ((DDS(), 4), (DDS(t_max=900), 4), 0),
        ((DDS(t_law="annealed"), 4), (DDS(t_law="decreasing"), 4), 0),
    ],
)
def test_what_two_runs_share_of_their_source_rows_is_foretold(tiny_prior, first, second, found):
    """`found` steps of the second run; the cache, and the sum of both forecasts, say so."""
    cache, rates, costs = RowCache(), Rates(1.0, 3.0), []
    for method, steps in (first, second):
        outputs = edit_batch(tiny_prior, method, inputs(2), steps=steps, seed=0, cache=cache)
        needs = needs_of(method)
        keys = source_row_keys(tiny_prior, method, 0, steps)
        shared = source_rows_cost(needs, rates, keys, 2, 1024)
        costs.append(run_cost(needs, steps, 2, rates, 0, {}, shared))
    assert [output.rows_cached for output in outputs] == [2 * found] * 2
    assert together(costs).whole.rows == sum((cost.whole.rows for cost in costs), Rows()) - Rows(2 * 2 * found)


def test_rows_of_the_defaults_are_those_on_paper():
    assert needs_of(SDS()).step == Rows(2, 0)
    assert needs_of(DDS()).step == Rows(4, 0)
    assert needs_of(Piva(aux={"psi": "stored"})).step == Rows(5, 1)
    assert needs_of(Piva(aux={"psi": "stored"})).psi == Rows(0, 200)
    assert needs_of(Copy()).edit(200) == Rows()


def test_a_run_by_hand():
    rates = Rates(forward=0.01, backward=0.03)
    method = Piva(aux={"psi": "stored", "psi_steps": 10, "warmup_steps": 4})
    needs = needs_of(method)
    cost = run_cost(needs, 100, 8, rates, case_bytes=500, psi=psi_cost(needs, rates, ["a", "b"], size=7))
    assert (cost.cases, cost.rows) == (8, Rows(8 * 500, 8 * (4 + 100)))
    assert cost.seconds == pytest.approx(8 * (5 + 0.03 * 104))
    assert cost.whole.rows == Rows(8 * 500, 8 * 104 + 2 * 10)
    assert cost.whole.seconds == pytest.approx(cost.seconds + 2 * 10 * 0.03)
    assert cost.whole.disk_bytes == 8 * 500 + 2 * 7


def sweep(rates, row_cache):
    """PIE-Bench, 700 cases of 200 steps: DDS over guidance, Piva over lambda and guidance, three seeds."""
    stored, runs = {"psi": "stored", "psi_steps": 5}, []
    grid = [DDS(guidance=s) for s in (3, 5, 7.5)]
    grid += [Piva(lam=lam, guidance=s, aux=stored) for lam, s in itertools.product((0.2, 0.4, 0.8), (3, 5, 7.5))]
    for (method, needs), seed in itertools.product([(method, needs_of(method)) for method in grid], range(3)):
        psi = psi_cost(needs, rates, [f"of case {k}" for k in range(700)] if method.auxiliaries else [], 3_000_000)
        keys = [f"seed {seed} step {step}" for step in range(200)]
        rows = source_rows_cost(needs, rates, keys, 700, 65_536) if row_cache else {}
        runs.append(run_cost(needs, 200, 700, rates, 400_000, psi, rows))
    return runs


def test_a_whole_sweep_adds_up():
    """psi is trained once for each case, whatever lambda, guidance and seed."""
    rates = Rates(forward=0.02, backward=0.05)
    runs = sweep(rates, row_cache=False)
    whole = together(runs).whole
    forward, backward = 3 * 700 * 200 * (3 * 4 + 9 * 5), 3 * 700 * 200 * 9 + 700 * 5
    assert whole.rows == Rows(forward, backward)
    assert whole.seconds == pytest.approx(0.02 * forward + 0.05 * backward)
    assert whole.cases == 36 * 700
    assert whole.disk_bytes == 36 * 700 * 400_000 + 700 * 3_000_000
    assert together([together(runs[:5]), together(runs[5:])]).whole == whole
    assert together([]) == Cost()


def test_a_row_cache_takes_source_rows_once_a_seed():
    """Two of DDS's four rows and two of Piva's five are at the noised source."""
    rates = Rates(forward=0.02, backward=0.05)
    cold, kept = (together(sweep(rates, row_cache)).whole for row_cache in (False, True))
    saved = 3 * 700 * 200 * 2 * (12 - 1)
    assert kept.rows == Rows(cold.rows.forward - saved, cold.rows.backward)
    assert kept.seconds == pytest.approx(cold.seconds - 0.02 * saved)
    assert kept.disk_bytes == cold.disk_bytes + 3 * 700 * 200 * 2 * 65_536


@pytest.fixture
def cases(tmp_path):
    root = write_bench(tmp_path / "bench", n=4, size=32)
    for k, file in enumerate(sorted(root.rglob("*.png"))):
        pixels = np.random.default_rng(k).integers(0, 256, (32, 32, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(file)
    return spread(read(root), None)


def test_a_batch_is_edited_whole(cases):
    plan = Plan(tuple(cases), {}, (Batch(tuple(cases[:3]), frozenset([cases[0].id])), Batch((cases[3],), frozenset())))
    assert edited(plan) == 4
    assert edited(Plan(tuple(cases), {}, ())) == 0


def test_psi_that_the_store_lacks(tiny_prior, cases, tmp_path):
    method = Piva(aux={"psi": "stored", "psi_steps": 1})
    plan, store = compose(cases, 2, {}, "k", tmp_path), tmp_path / "psi"
    missing = untrained_psi(plan, method, tiny_prior, store)
    assert len(missing) == 4
    some = [EditInput(c.id, to_eight_bits(load_image(c, (32, 32))), c.src, c.tgt) for c in cases[:3]]
    edit_batch(tiny_prior, method, some, steps=1, seed=0, psi_store=store)
    names = {folder.name for folder in store.iterdir()}
    assert len(names) == 3
    assert untrained_psi(plan, method, tiny_prior, store) == missing - names
    assert untrained_psi(plan, Piva(), tiny_prior, store) == set()
    assert untrained_psi(plan, Piva(lam=0, aux=method.aux), tiny_prior, store) == set()
    weights = load_file(store / names.pop() / "adapter_model.safetensors")
    assert psi_bytes(method, tiny_prior) == sum(weight.nbytes for weight in weights.values())


def test_psi_that_reads_depth_is_known_by_its_depth_too(tiny_prior, cases, tmp_path):
    method = Piva(aux={"kind": "controlnet", "psi": "stored", "psi_steps": 1})
    plan, store = compose(cases, 2, {}, "k", tmp_path), tmp_path / "psi"
    levels = {case.id: torch.full((1, 32, 32), 0.1 * k) for k, case in enumerate(cases)}
    pictures = {case.id: to_eight_bits(load_image(case, (32, 32))) for case in cases}
    edits = [EditInput(c.id, pictures[c.id], c.src, c.tgt, levels[c.id]) for c in cases]
    assert len(untrained_psi(plan, method, tiny_prior, store, levels.__getitem__)) == 4
    edit_batch(tiny_prior, method, edits, steps=1, seed=0, psi_store=store)
    assert untrained_psi(plan, method, tiny_prior, store, levels.__getitem__) == set()
    other = levels | {cases[0].id: torch.ones(1, 32, 32)}
    assert len(untrained_psi(plan, method, tiny_prior, store, other.__getitem__)) == 1
    blank = Piva(aux=method.aux.model_dump() | {"depth": "blank"})
    assert len(untrained_psi(plan, blank, tiny_prior, store)) == 4
    edit_batch(tiny_prior, blank, edits[:1], steps=1, seed=0, psi_store=store)
    assert len(untrained_psi(plan, blank, tiny_prior, store)) == 3
    folder = next(store.iterdir())
    weights = load_file(folder / "diffusion_pytorch_model.safetensors")
    assert psi_bytes(method, tiny_prior) == sum(weight.nbytes for weight in weights.values())
