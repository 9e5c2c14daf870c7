"""A case that leaves the finite numbers stops there, with its last finite image; the others do not notice."""

import pytest
import torch

from piva.editing import EditInput, edit_batch
from piva.methods.dds import DDS
from piva.methods.piva import Piva
from piva.modules.image_editing import LOOK_EVERY

AUX = {"lr": 1e-2}


class RunawayDDS(DDS):
    """Its direction for the second case is infinite at step 2."""

    def direction(self, step, ask):
        return spoiled(super().direction(step, ask), step.index)


class RunawayPiva(Piva):
    """The same."""

    def direction(self, step, ask):
        return spoiled(super().direction(step, ask), step.index)


def spoiled(direction, index, value=float("inf")):
    if index == 2:
        direction = direction.clone()
        direction[1, 0, 0, 0] = value
    return direction


def cases(n):
    numbers = [torch.Generator().manual_seed(i) for i in range(n)]
    return [
        EditInput(f"case-{i}", torch.rand(3, 32, 32, generator=numbers[i]), f"a red cube no {i}", f"a blue cube no {i}")
        for i in range(n)
    ]


PAIRS = [(RunawayDDS(), DDS()), (RunawayPiva(aux=AUX), Piva(aux=AUX))]


@pytest.mark.parametrize(("method", "sound"), PAIRS, ids=["dds", "piva"])
def test_the_last_finite_image_is_kept_and_the_others_are_as_without_it(tiny_prior, method, sound):
    outputs = edit_batch(tiny_prior, method, cases(3), steps=5, seed=0)
    plain = edit_batch(tiny_prior, sound, cases(3), steps=5, seed=0)
    before = edit_batch(tiny_prior, sound, cases(3), steps=2, seed=0)
    assert [output.error for output in outputs] == [None, "the latent left the finite numbers at step 2", None]
    assert torch.equal(outputs[1].image, before[1].image)
    for other in (0, 2):
        assert torch.equal(outputs[other].image, plain[other].image)
        assert outputs[other].history == plain[other].history
    assert outputs[1].history == before[1].history


def test_a_source_that_is_not_finite_has_no_finite_image(tiny_prior):
    bad = EditInput("bad", torch.full((3, 32, 32), float("nan")), "a red cube", "a blue cube")
    (output,) = edit_batch(tiny_prior, DDS(), [bad], steps=2, seed=0)
    assert output.error == "the latent left the finite numbers at step 0"
    assert not output.image.isfinite().any()
    assert output.history["drift_rms"] == []


@pytest.mark.parametrize("method", [RunawayDDS(), RunawayPiva(aux=AUX)], ids=["dds", "piva"])
def test_an_interrupted_edit_remembers_who_stopped(tiny_prior, tmp_path, monkeypatch, method):
    monkeypatch.setattr("piva.checkpoint.SECONDS_BETWEEN", -1.0)
    file = tmp_path / "edit.safetensors"
    whole = edit_batch(tiny_prior, method, cases(2), steps=6, seed=0)

    def interrupt(line):
        if line["step"] == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        edit_batch(tiny_prior, method, cases(2), steps=6, seed=0, on_step=interrupt, checkpoint=file)
    again = edit_batch(tiny_prior, method, cases(2), steps=6, seed=0, checkpoint=file)
    for a, b in zip(again, whole, strict=True):
        assert torch.equal(a.image, b.image)
        assert (a.error, a.history, a.unet_rows) == (b.error, b.history, b.unet_rows)


def test_a_batch_of_which_no_case_goes_on_ends_soon(tiny_prior):
    class AllRunAway(DDS):
        def direction(self, step, ask):
            return super().direction(step, ask) * float("nan")

    lines = []
    outputs = edit_batch(tiny_prior, AllRunAway(), cases(2), steps=3 * LOOK_EVERY, seed=0, on_step=lines.append)
    assert len(lines) == LOOK_EVERY
    assert {output.error for output in outputs} == {"the latent left the finite numbers at step 0"}
    source = edit_batch(tiny_prior, DDS(), cases(2), steps=0, seed=0)
    assert all(torch.equal(a.image, b.image) for a, b in zip(outputs, source, strict=True))
