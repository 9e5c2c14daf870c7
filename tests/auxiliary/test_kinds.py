"""What every kind of auxiliary keeps to, and LoRA on a frozen ControlNet against peft."""

import shutil
from pathlib import Path

import pytest
import torch
from diffusers import ControlNetModel
from peft import PeftModel

from piva.auxiliary.settings import AuxiliarySettings
from piva.auxiliary.stored import psi_key
from piva.editing import EditInput, edit_batch, source_digest
from piva.errors import ConfigError
from piva.methods.piva import Piva
from piva.priors import Segment

KINDS = ["lora", "controlnet", "controlnet-given", "controlnet-lora"]
FAST = {"lora": 1e-2, "controlnet": 1e-3, "controlnet-given": 1e-3, "controlnet-lora": 1e-2}
"""Learning rates that show in a few steps."""
NAMES = ["a", "b", "c"]


def aux(kind: str, folder: Path, **settings) -> dict:
    """Settings of a kind; "controlnet-given" starts from the folder's ControlNet."""
    given = {"controlnet": str(folder)} if kind in ("controlnet-given", "controlnet-lora") else {}
    return {"lr": FAST[kind], "kind": kind.removesuffix("-given")} | given | settings


def cases(depth, n=2) -> list[EditInput]:
    images = torch.rand(n, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    return [EditInput(NAMES[i], images[i], "a cat", "a dog", depth[i]) for i in range(n)]


@pytest.fixture
def adapted(tiny_prior, tiny_controlnet):
    """LoRA of three cases on the frozen ControlNet, which does something."""
    stack = tiny_prior.adapter(
        AuxiliarySettings(**aux("controlnet-lora", tiny_controlnet, rank=3, alpha=6.0)), 0, NAMES
    )
    generator = torch.Generator().manual_seed(0)
    for b in stack.b:
        b.data.copy_(0.3 * torch.randn(b.shape, generator=generator))
    return stack


def test_lora_on_a_controlnet_is_peft_s(tiny_prior, tiny_controlnet, adapted, rows, depth, tmp_path):
    """The slow twin: peft's own model of the ControlNet, one case at a time, and diffusers' two calls."""
    x, t, embedding = (values[:3] for values in rows)
    output = tiny_prior.predict(x, t, embedding, [Segment(adapted, 0, depth)])
    output.square().mean(dim=(1, 2, 3)).sum().backward()
    for case in range(3):
        adapted.save(tmp_path / str(case), adapted.weights(case))
        frozen = ControlNetModel.from_pretrained(tiny_controlnet)
        twin = PeftModel.from_pretrained(frozen, tmp_path / str(case), is_trainable=True)
        one = slice(case, case + 1)
        condition = depth[one].expand(-1, 3, -1, -1)
        down, mid = twin(x[one], t[one], embedding[one], condition, return_dict=False)
        added = {"down_block_additional_residuals": down, "mid_block_additional_residual": mid}
        expected = tiny_prior.unet(x[one], t[one], embedding[one], return_dict=False, **added)[0]
        torch.testing.assert_close(output[one], expected, atol=1e-5, rtol=1e-5)
        expected.square().mean().backward()
        gradients = {name: p.grad for name, p in twin.named_parameters() if p.grad is not None}
        assert len(gradients) == 2 * len(adapted.a)
        for name, i in adapted.index.items():
            theirs = gradients[f"base_model.model.{name}.lora_B.default.weight"]
            torch.testing.assert_close(adapted.b[i].grad[case], theirs, atol=1e-6, rtol=1e-3)


def test_lora_on_a_controlnet_shows_in_the_output(tiny_prior, tiny_controlnet, adapted, rows, depth):
    x, t, embedding = (values[:3] for values in rows)
    fresh = tiny_prior.adapter(adapted.settings, 0, NAMES)
    with torch.no_grad():
        found, plain = (tiny_prior.predict(x, t, embedding, [Segment(s, 0, depth)]) for s in (adapted, fresh))
        assert (found - plain).abs().amax(dim=(1, 2, 3)).min() > 1e-4
        assert (plain - tiny_prior.predict(x, t, embedding)).abs().amax(dim=(1, 2, 3)).min() > 1e-2


def test_the_prior_s_rows_go_through_no_controlnet(tiny_prior, adapted, rows, depth):
    seen = []
    net = tiny_prior.auxiliaries.frozen(adapted.settings)
    handle = net.register_forward_hook(lambda module, inputs, output: seen.append(len(inputs[0])))
    try:
        with torch.no_grad():
            plain, mixed = tiny_prior.predict(*rows), tiny_prior.predict(*rows, [Segment(adapted, 1, depth)])
    finally:
        handle.remove()
    assert seen == [3]
    torch.testing.assert_close(mixed[:1], plain[:1], atol=1e-6, rtol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("psi", ["alongside", "stored"])
def test_a_batch_of_two_is_two_edits(tiny_prior, tiny_controlnet, depth, kind, psi):
    method = Piva(lam=2.0, aux=aux(kind, tiny_controlnet, psi=psi, psi_steps=2))
    together = edit_batch(tiny_prior, method, cases(depth), steps=3, seed=0)
    for case, found in zip(cases(depth), together, strict=True):
        (alone,) = edit_batch(tiny_prior, method, [case], steps=3, seed=0)
        # AdamW's first steps make whole updates of gradients that are hardly more than rounding.
        torch.testing.assert_close(found.image, alone.image, atol=1e-3, rtol=0)
        assert (found.unet_rows, found.unet_rows_backward) == (alone.unet_rows, alone.unet_rows_backward)
    idle = method.model_copy(update={"aux": method.aux.model_copy(update={"lr": 0.0})})
    (untrained,) = edit_batch(tiny_prior, idle, cases(depth, 1), steps=3, seed=0)
    assert (together[0].image - untrained.image).abs().max() > 1e-3  # what is learned is part of what is compared


@pytest.mark.parametrize("kind", KINDS)
def test_rows_are_the_same_for_every_kind_and_sizes_are_told(tiny_prior, tiny_controlnet, depth, kind):
    method = Piva(aux=aux(kind, tiny_controlnet))
    outputs = edit_batch(tiny_prior, method, cases(depth), steps=2, seed=0)
    numbers = sum(p.numel() for p in tiny_prior.adapter(method.aux, 0, ["a"]).parameters())
    for output in outputs:
        assert output.history["rows_forward"] == [5, 5]
        assert output.history["rows_backward"] == [2, 2]
        assert output.aux_parameters == 2 * numbers
        assert output.aux_bytes == pytest.approx(2 * numbers * 4 * 3, rel=0.01)  # with AdamW's two moments


@pytest.mark.parametrize("kind", ["controlnet-given", "controlnet-lora"])
def test_depth_changes_the_edit_and_blank_does_not_read_it(tiny_prior, tiny_controlnet, depth, kind):
    def edited(shown, **settings):
        (case,) = cases(shown, 1)
        return edit_batch(
            tiny_prior, Piva(lam=2.0, aux=aux(kind, tiny_controlnet, **settings)), [case], steps=2, seed=0
        )

    (given,), (other,) = edited(depth), edited(1 - depth)
    assert (given.image - other.image).abs().max() > 1e-5
    (blank,), (other_blank,), (zeros,) = (
        edited(depth, depth="blank"), edited(1 - depth, depth="blank"), edited(torch.zeros_like(depth))
    )  # fmt: skip
    assert torch.equal(blank.image, other_blank.image)
    assert torch.equal(blank.image, zeros.image)


def test_a_case_without_depth_is_refused_before_any_work(tiny_prior, monkeypatch):
    monkeypatch.setattr(type(tiny_prior), "encode", lambda *_: pytest.fail("work was done"))
    case = EditInput("a", torch.zeros(3, 32, 32), "a cat", "a dog")
    with pytest.raises(ConfigError, match=r"case a has no depth, .*--method\.aux\.depth blank"):
        edit_batch(tiny_prior, Piva(aux={"kind": "controlnet"}), [case], steps=1, seed=0)
    wrong = EditInput("a", case.image, case.src, case.tgt, torch.zeros(1, 8, 8))
    with pytest.raises(ValueError, match=r"case a: depth is \(1, 8, 8\)"):
        edit_batch(tiny_prior, Piva(aux={"kind": "controlnet"}), [wrong], steps=1, seed=0)


def test_lambda_0_needs_no_depth(tiny_prior):
    case = EditInput("a", torch.full((3, 32, 32), 0.5), "a cat", "a dog")
    (output,) = edit_batch(tiny_prior, Piva(lam=0, aux={"kind": "controlnet"}), [case], steps=1, seed=0)
    assert output.unet_rows == 4


@pytest.mark.parametrize("kind", ["controlnet", "controlnet-lora"])
def test_a_stored_psi_is_kept_in_its_library_s_form(tiny_prior, tiny_controlnet, depth, kind, tmp_path):
    method = Piva(aux=aux(kind, tiny_controlnet, psi="stored", psi_steps=2))
    first, again = (
        edit_batch(tiny_prior, method, cases(depth, 1), steps=2, seed=0, psi_store=tmp_path)[0] for _ in range(2)
    )
    assert [first.psi_rows, again.psi_rows] == [2, 0]
    assert torch.equal(first.image, again.image)
    (folder,) = tmp_path.iterdir()
    files = {"controlnet": "diffusion_pytorch_model.safetensors", "controlnet-lora": "adapter_model.safetensors"}
    assert (folder / files[kind]).is_file()
    (other,) = edit_batch(tiny_prior, method, cases(1 - depth, 1), steps=2, seed=0, psi_store=tmp_path)
    assert other.psi_rows == 2  # another depth is another psi


def test_the_key_of_a_stored_psi_covers_kind_controlnet_and_depth(tiny_prior, tiny_controlnet, tmp_path, depth):
    shutil.copytree(tiny_controlnet, tmp_path / "copy")

    def key(kind, folder=tiny_controlnet, **settings):
        return psi_key(tiny_prior, "image", "a cat", AuxiliarySettings(**aux(kind, folder, **settings)), (50, 948))

    keys = [key(kind) for kind in KINDS] + [key("controlnet", depth="blank")]
    assert len(set(keys)) == 5
    assert key("controlnet-given", tmp_path / "copy") == keys[2]  # the same weights elsewhere
    image, reading = torch.zeros(3, 32, 32), AuxiliarySettings(kind="controlnet")
    digests = {source_digest(image, d, settings) for d in depth[:2] for settings in (reading, AuxiliarySettings())}
    assert len(digests) == 3
    assert source_digest(image, depth[0], AuxiliarySettings()) == source_digest(image)
