"""The literal DDS and Piva make the edits that the engine makes.

Tolerance: 2e-5 of an image in [0, 1], absolute, in float32. The two differ in the order of sums (rows in one call or in
several, one AdamW kernel or another, B A x in one product or in two), nowhere else.
"""

import pytest
import torch

from benchmarks.reference import literal
from piva.editing import EditInput, edit_batch
from piva.errors import ConfigError
from piva.methods.dds import DDS
from piva.methods.piva import Piva

TOLERANCE = {"atol": 2e-5, "rtol": 0}
STEPS = 5
AUX = {"lr": 1e-2}  # so that a few steps of training show


def case():
    image = torch.rand(3, 32, 32, generator=torch.Generator().manual_seed(1))
    return EditInput("a", image, "a red cube", "a blue ball")


def both(prior, method, careful=False):
    """(ours, literal), and the cost of both."""
    (ours,) = edit_batch(prior, method, [case()], steps=STEPS, seed=3)
    return ours, literal.edit(prior, method, case(), steps=STEPS, seed=3, careful=careful)


@pytest.mark.parametrize(
    "method",
    [
        DDS(),
        DDS(guidance=1.0, weighting="one_minus_abar"),
        Piva(lam=1.0, aux=AUX),
        Piva(lam=1.0, aux=AUX | {"phi": "fresh"}),
        Piva(lam=1.0, aux=AUX | {"steps_per_iteration": 3, "warmup_steps": 2, "alpha": 8.0, "rank": 2}),
        Piva(lam=1.0, aux=AUX, psi_at="source"),
        Piva(lam=1.0, aux=AUX, source_branch="current"),
        Piva(lam=0.0, guidance_src=2.0),
        Piva(lam=1.0, aux=AUX, t_law="annealed"),
        DDS(t_law="decreasing"),
    ],
    ids=[
        "dds",
        "dds-weighted",
        "piva",
        "fresh",
        "three-passes-warmed-up",
        "psi-at-source",
        "eq-9",
        "lambda-0-guidances",
        "annealed",
        "decreasing",
    ],
)
def test_it_gives_the_engine_s_edit(tiny_prior, method):
    ours, twin = both(tiny_prior, method)
    torch.testing.assert_close(ours.image, twin.image, **TOLERANCE)
    unedited = tiny_prior.decode(tiny_prior.encode(case().image[None]))[0]
    assert (twin.image - unedited).abs().max() > 1e-3  # fifty times what they may differ by


@pytest.mark.parametrize("method", [DDS(), Piva(lam=1.0, aux=AUX)], ids=["dds", "piva"])
def test_care_changes_the_calls_and_not_the_edit(tiny_prior, method):
    plain, careful = (both(tiny_prior, method, careful=flag)[1] for flag in (False, True))
    torch.testing.assert_close(plain.image, careful.image, **TOLERANCE)
    assert (plain.rows_scored, plain.rows_trained) == (careful.rows_scored, careful.rows_trained)


def test_what_the_auxiliaries_learn_is_part_of_what_is_compared(tiny_prior):
    learned, idle = (both(tiny_prior, Piva(lam=1.0, aux={"lr": lr}))[1] for lr in (1e-2, 0.0))
    assert (learned.image - idle.image).abs().max() > 1e-3
    ours, _ = both(tiny_prior, Piva(lam=1.0, aux={"lr": 0.0}))
    torch.testing.assert_close(ours.image, idle.image, **TOLERANCE)


def test_rows_are_those_of_the_method_as_written(tiny_prior):
    """METHODS: DDS 4 rows a step; Piva 6, and 2 more with a backward pass."""
    ours, dds = both(tiny_prior, DDS())
    assert (dds.rows_scored, dds.rows_trained) == (4 * STEPS, 0)
    assert ours.unet_rows == 4 * STEPS
    ours, piva = both(tiny_prior, Piva())
    assert (piva.rows_scored, piva.rows_trained) == (6 * STEPS, 2 * STEPS)
    assert (ours.unet_rows, ours.unet_rows_backward) == (7 * STEPS, 2 * STEPS)


def test_the_graph_is_kept_unless_it_takes_care(tiny_prior, monkeypatch):
    """Calls of a step by (rows, whether a graph hangs on the output): tgt, src, psi, phi; then psi and phi train."""
    calls = []
    real = literal._Edit._call

    def watched(self, unet, x, t, text):
        output = real(self, unet, x, t, text)
        calls.append((len(x), output.requires_grad))
        return output

    monkeypatch.setattr(literal._Edit, "_call", watched)
    literal.edit(tiny_prior, Piva(), case(), steps=1, seed=0)
    assert calls == [(2, True), (2, False), (1, True), (1, True), (1, True), (1, True)]
    calls.clear()
    literal.edit(tiny_prior, Piva(), case(), steps=1, seed=0, careful=True)
    assert calls == [(4, False), (1, False), (1, False), (1, True), (1, True)]


def test_it_leaves_the_prior_as_it_was(tiny_prior):
    before = {name: weight.clone() for name, weight in tiny_prior.unet.state_dict().items()}
    literal.edit(tiny_prior, Piva(aux=AUX), case(), steps=2, seed=0)
    after = tiny_prior.unet.state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_a_stored_psi_is_refused(tiny_prior):
    with pytest.raises(ConfigError, match="trains psi alongside"):
        literal.edit(tiny_prior, Piva(aux={"psi": "stored"}), case(), steps=1, seed=0)


@pytest.mark.parametrize("aux", [{"kind": "controlnet"}, {"kind": "controlnet-lora", "controlnet": "toybox"}])
def test_auxiliaries_that_are_no_lora_are_refused(tiny_prior, aux):
    with pytest.raises(ConfigError, match=f"knows LoRA alone: --method.aux.kind lora, not {aux['kind']}$"):
        literal.edit(tiny_prior, Piva(aux=aux), case(), steps=1, seed=0)
    off = literal.edit(tiny_prior, Piva(lam=0, aux=aux), case(), steps=1, seed=0)  # there DDS, which has none
    assert (off.rows_scored, off.rows_trained) == (4, 0)
