"""Stacked LoRA against peft: outputs, gradients, files; cases do not mix."""

import json

import pytest
import torch
from peft import LoraConfig, PeftModel, get_peft_model

from piva.auxiliary import lora
from piva.auxiliary.settings import AuxiliarySettings
from piva.errors import ConfigError
from piva.priors import Segment

SETTINGS = AuxiliarySettings(rank=3, alpha=6.0)
NAMES = ["a", "b", "c"]


@pytest.fixture
def stack(tiny_prior):
    """Three cases whose adapters do something."""
    stack = tiny_prior.adapter(SETTINGS, 0, NAMES)
    generator = torch.Generator().manual_seed(0)
    for b in stack.b:
        b.data.copy_(0.1 * torch.randn(b.shape, generator=generator))
    return stack


def saved(folder, stack, case):
    lora.save(folder, SETTINGS, stack.weights(case))
    return folder


def test_a_new_adapter_changes_nothing(tiny_prior, rows):
    fresh = tiny_prior.adapter(SETTINGS, 0, NAMES)
    with torch.no_grad():
        assert torch.equal(tiny_prior.predict(*rows, [Segment(fresh, 1)]), tiny_prior.predict(*rows))


def test_outputs_and_gradients_equal_those_of_peft(tiny_prior, stack, rows, tmp_path):
    """The slow twin: peft's own model with the saved adapter, one case at a time."""
    from diffusers import UNet2DConditionModel

    x, t, embedding = (values[:3] for values in rows)
    output = tiny_prior.predict(x, t, embedding, [Segment(stack, 0)])
    output.square().mean(dim=(1, 2, 3)).sum().backward()
    for case in range(3):
        unet = UNet2DConditionModel.from_pretrained(tiny_prior.folder, subfolder="unet")
        twin = PeftModel.from_pretrained(unet, saved(tmp_path / str(case), stack, case), is_trainable=True)
        one = slice(case, case + 1)
        expected = twin(x[one], t[one], embedding[one], return_dict=False)[0]
        torch.testing.assert_close(output[one], expected, atol=1e-5, rtol=1e-5)
        expected.square().mean().backward()
        gradients = {name: p.grad for name, p in twin.named_parameters() if p.grad is not None}
        assert len(gradients) == 2 * len(stack.a)
        for name, i in stack.index.items():
            for letter, mine in (("A", stack.a), ("B", stack.b)):
                theirs = gradients[f"base_model.model.{name}.lora_{letter}.default.weight"]
                torch.testing.assert_close(mine[i].grad[case], theirs, atol=1e-6, rtol=1e-4)


def test_rows_before_the_segment_are_the_prior_s_own(tiny_prior, stack, rows):
    with torch.no_grad():
        plain, mixed = tiny_prior.predict(*rows), tiny_prior.predict(*rows, [Segment(stack, 1)])
        after = tiny_prior.predict(*rows)
    torch.testing.assert_close(mixed[:1], plain[:1], atol=1e-6, rtol=1e-6)
    assert (mixed[1:] - plain[1:]).abs().amax(dim=(1, 2, 3)).min() > 1e-3
    assert torch.equal(after, plain)


def test_two_segments_are_two_calls(tiny_prior, stack):
    other = tiny_prior.adapter(SETTINGS, 1, NAMES)
    for b in other.b:
        b.data.fill_(0.05)
    x = torch.randn(7, *tiny_prior.latent_shape, generator=torch.Generator().manual_seed(2))
    t, embedding = torch.full((7,), 400), tiny_prior.embed(["a cat"] * 7)
    for grad in (False, True):
        with torch.set_grad_enabled(grad):
            both = tiny_prior.predict(x, t, embedding, [Segment(stack, 1), Segment(other, 4)])
            first = tiny_prior.predict(x[1:4], t[1:4], embedding[1:4], [Segment(stack, 0)])
            second = tiny_prior.predict(x[4:], t[4:], embedding[4:], [Segment(other, 0)])
        torch.testing.assert_close(both[1:], torch.cat([first, second]), atol=1e-5, rtol=1e-5)


def test_a_case_s_gradient_is_its_own(tiny_prior, stack, rows):
    x, t, embedding = (values[:3] for values in rows)
    tiny_prior.predict(x, t, embedding, [Segment(stack, 0)])[1].sum().backward()
    for p in stack.parameters():
        assert p.grad[0].abs().max() == p.grad[2].abs().max() == 0
    assert max(float(p.grad[1].abs().max()) for p in stack.parameters()) > 0


def test_the_start_is_kaiming_uniform_and_keyed_by_case(tiny_prior):
    together, alone = tiny_prior.adapter(SETTINGS, 0, NAMES), tiny_prior.adapter(SETTINGS, 0, ["b"])
    for a, one, b in zip(together.a, alone.a, together.b, strict=True):
        assert torch.equal(a[1:2], one)
        assert not torch.equal(a[0], a[1])
        assert a.abs().max() <= a.shape[-1] ** -0.5
        assert b.abs().max() == 0
    values = torch.cat([a.detach().flatten() * a.shape[-1] ** 0.5 for a in together.a])
    assert float(values.std()) == pytest.approx(3**-0.5, rel=0.05)
    assert not torch.equal(tiny_prior.adapter(SETTINGS, 1, NAMES).a[0], together.a[0])


def test_files_are_peft_s_own_with_alpha(tiny_prior, stack, tmp_path):
    """Byte for byte the names and shapes peft writes, and what is read is what was written."""
    from diffusers import UNet2DConditionModel
    from safetensors.torch import load_file

    saved(tmp_path / "ours", stack, 1)
    unet = UNet2DConditionModel.from_pretrained(tiny_prior.folder, subfolder="unet")
    config = LoraConfig(r=3, lora_alpha=6.0, target_modules=list(SETTINGS.target_modules))
    get_peft_model(unet, config).save_pretrained(tmp_path / "theirs")
    ours, theirs = (load_file(tmp_path / who / "adapter_model.safetensors") for who in ("ours", "theirs"))
    assert {name: w.shape for name, w in ours.items()} == {name: w.shape for name, w in theirs.items()}
    written = json.loads((tmp_path / "ours" / "adapter_config.json").read_text())
    assert (written["r"], written["lora_alpha"], written["peft_type"]) == (3, 6.0, "LORA")
    fresh = tiny_prior.adapter(SETTINGS, 5, ["z"])
    fresh.set_weights(0, lora.load(tmp_path / "ours", SETTINGS))
    for mine, read in zip(stack.parameters(), fresh.parameters(), strict=True):
        assert torch.equal(mine[1], read[0])


def test_a_folder_of_another_shape_is_refused(stack, tmp_path):
    with pytest.raises(ConfigError, match="rank, alpha and layers"):
        lora.load(saved(tmp_path, stack, 0), AuxiliarySettings(rank=4))


def test_layers_that_cannot_be_adapted_are_named(tiny_prior):
    with pytest.raises(ConfigError, match="'to_z' names no layer"):
        lora.adapted_layers(tiny_prior.unet, ["to_q", "to_z"])
    with pytest.raises(ConfigError, match="'conv_in' is not a linear layer"):
        lora.adapted_layers(tiny_prior.unet, ["conv_in"])


def test_layers_with_flat_inputs_can_be_adapted(tiny_prior, rows):
    """time_emb_proj sees [R,C], without a token axis."""
    settings = AuxiliarySettings(target_modules=("time_emb_proj",))
    stack = tiny_prior.adapter(settings, 0, NAMES)
    for b in stack.b:
        b.data.fill_(0.05)
    layers = list(lora.adapted_layers(tiny_prior.unet, settings.target_modules).values())
    with torch.no_grad():
        found = tiny_prior.predict(*rows, [Segment(stack, 1)])
        for case in range(3):
            gains = [settings.alpha / settings.rank * b[case] @ a[case] for a, b in zip(stack.a, stack.b, strict=True)]
            for gain, layer in zip(gains, layers, strict=True):
                layer.weight += gain
            expected = tiny_prior.predict(*(values[case + 1 : case + 2] for values in rows))
            for gain, layer in zip(gains, layers, strict=True):
                layer.weight -= gain
            torch.testing.assert_close(found[case + 1 : case + 2], expected, atol=1e-4, rtol=1e-4)
