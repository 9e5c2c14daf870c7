"""ControlNets beside a UNet in float16 or bfloat16: they train in float32, run in the UNet's type, and edit."""

import math

import pytest
import torch
from diffusers import ControlNetModel

from piva.auxiliary.settings import AuxiliarySettings
from piva.editing import EditInput, edit_batch
from piva.methods.piva import Piva
from piva.priors import Segment
from piva.priors.stable_diffusion import StableDiffusionPrior

KINDS = {"controlnet": 1e-3, "controlnet-lora": 1e-2}
"""Each with a learning rate that shows after one step."""


@pytest.fixture(scope="module", params=["float16", "bfloat16"])
def half_prior(request, tiny_pipeline_folder):
    return StableDiffusionPrior.load(str(tiny_pipeline_folder), device="cpu", dtype=request.param)


def aux(kind, folder):
    """Settings of a kind that starts from the folder's ControlNet."""
    return {"lr": KINDS[kind], "kind": kind, "controlnet": str(folder)}


@pytest.fixture
def ran_in(monkeypatch):
    """Number types of what every call of a ControlNet is given and puts out."""
    seen = set()
    real = ControlNetModel.forward

    def forward(self, sample, timestep, embedding, condition, **options):
        down, mid = real(self, sample, timestep, embedding, condition, **options)
        seen.update(x.dtype for x in (sample, embedding, condition, *down, mid))
        return down, mid

    monkeypatch.setattr(ControlNetModel, "forward", forward)
    return seen


@pytest.mark.parametrize("kind", KINDS)
def test_scores_are_near_those_of_float32_and_train_float32_parameters(
    half_prior, tiny_prior, tiny_controlnet, depth, rows, kind, ran_in
):
    x, t, embedding = (values[:3] for values in rows)
    settings = AuxiliarySettings(**aux(kind, tiny_controlnet))
    outputs, gradients = [], []
    for prior in (half_prior, tiny_prior):
        ran_in.clear()
        stack = prior.adapter(settings, 0, ["a", "b", "c"])
        output = prior.predict(x, t, embedding.to(prior.dtype), [Segment(stack, 0, depth)])
        (output.square().mean(dim=(1, 2, 3)).sum() * 2**12).backward()
        assert ran_in == {prior.dtype}
        assert output.dtype == torch.float32
        assert {p.dtype for p in stack.parameters()} == {torch.float32}
        grads = [p.grad for p in stack.parameters() if p.grad is not None]
        assert {grad.dtype for grad in grads} == {torch.float32}
        outputs.append(output.detach())
        gradients.append(torch.cat([grad.flatten() for grad in grads]))
    step = torch.finfo(half_prior.dtype).eps
    assert 0 < (outputs[0] - outputs[1]).abs().mean() < 4 * step  # outputs are about 1
    assert torch.nn.functional.cosine_similarity(*gradients, dim=0) > 0.99
    assert gradients[1].norm() > 0


@pytest.mark.parametrize("kind", KINDS)
def test_an_edit_trains_both_auxiliaries_and_moves(half_prior, tiny_prior, tiny_controlnet, depth, kind):
    image = torch.rand(3, 32, 32, generator=torch.Generator().manual_seed(0))
    case, method = EditInput("a", image, "a cat", "a dog", depth[0]), Piva(lam=2.0, aux=aux(kind, tiny_controlnet))
    (output,) = edit_batch(half_prior, method, [case], steps=2, seed=0)
    (exact,) = edit_batch(tiny_prior, method, [case], steps=2, seed=0)
    assert output.error is None
    assert all(math.isfinite(value) for values in output.history.values() for value in values)
    unedited = half_prior.decode(half_prior.encode(image[None]))[0]
    assert (output.image - unedited).abs().mean() > 5 * (output.image - exact.image).abs().mean()
    for name in ("psi_loss", "phi_loss"):
        assert output.history[name] == pytest.approx(exact.history[name], rel=0.05)
    idle = method.model_copy(update={"aux": method.aux.model_copy(update={"lr": 0.0})})
    (untrained,) = edit_batch(half_prior, idle, [case], steps=2, seed=0)
    assert (output.image - untrained.image).abs().max() > 1e-3  # what is learned shows
