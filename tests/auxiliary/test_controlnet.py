"""Stacked ControlNets against diffusers' own, one case at a time: outputs, gradients, files; cases do not mix."""

import pytest
import torch
from diffusers import ControlNetModel

from piva.auxiliary import controlnet
from piva.auxiliary.settings import AuxiliarySettings
from piva.errors import ConfigError, PreflightError
from piva.priors import Segment

SETTINGS = AuxiliarySettings(kind="controlnet")
NAMES = ["a", "b", "c"]


@pytest.fixture
def stack(tiny_prior):
    """Three cases whose networks differ and do something."""
    stack = tiny_prior.adapter(SETTINGS, 0, NAMES)
    generator = torch.Generator().manual_seed(0)
    for name, i in stack.index.items():
        if name.startswith(controlnet._ZERO):
            stack.stack[i].data.copy_(0.1 * torch.randn(stack.stack[i].shape, generator=generator))
    return stack


def plainly(unet, net, row, depth):
    """The slow twin: diffusers' two calls for one row."""
    x, t, embedding = row
    down, mid = net(x, t, embedding, depth.expand(-1, 3, -1, -1), return_dict=False)
    inputs = {"down_block_additional_residuals": down, "mid_block_additional_residual": mid}
    return unet(x, t, embedding, return_dict=False, **inputs)[0]


def test_one_made_from_the_unet_changes_nothing_yet(tiny_prior, rows, depth):
    fresh = tiny_prior.adapter(SETTINGS, 0, NAMES)
    with torch.no_grad():
        assert torch.equal(tiny_prior.predict(*rows, [Segment(fresh, 1, depth)]), tiny_prior.predict(*rows))


def test_its_start_is_that_of_diffusers_but_for_keyed_draws(tiny_prior):
    theirs = ControlNetModel.from_unet(tiny_prior.unet, conditioning_embedding_out_channels=(16, 32, 96)).state_dict()
    together, alone = tiny_prior.adapter(SETTINGS, 0, NAMES), tiny_prior.adapter(SETTINGS, 0, ["b"])
    mine = together.weights(1)
    assert list(mine) == list(theirs)
    drawn = [name for name in mine if not torch.equal(mine[name], theirs[name])]
    assert {name.rpartition(".")[0] for name in drawn} == {
        "controlnet_cond_embedding.conv_in", *(f"controlnet_cond_embedding.blocks.{i}" for i in range(4))
    }  # fmt: skip
    for name in drawn:
        fan_in = theirs[name.rpartition(".")[0] + ".weight"][0].numel()
        assert theirs[name].abs().max() <= fan_in**-0.5  # PyTorch's own start is as wide
        assert 0.5 * fan_in**-0.5 < mine[name].abs().max() <= fan_in**-0.5
        assert torch.equal(alone.weights(0)[name], mine[name])
        assert not torch.equal(together.weights(0)[name], mine[name])


def test_outputs_and_gradients_equal_those_of_two_plain_calls(tiny_prior, stack, rows, depth, tmp_path):
    x, t, embedding = (values[:3] for values in rows)
    output = tiny_prior.predict(x, t, embedding, [Segment(stack, 0, depth)])
    output.square().mean(dim=(1, 2, 3)).sum().backward()
    for case in range(3):
        stack.save(tmp_path / str(case), stack.weights(case))
        net = ControlNetModel.from_pretrained(tmp_path / str(case))
        one = slice(case, case + 1)
        expected = plainly(tiny_prior.unet, net, (x[one], t[one], embedding[one]), depth[one])
        torch.testing.assert_close(output[one], expected, atol=1e-5, rtol=1e-5)
        expected.square().mean().backward()
        for name, parameter in net.named_parameters():
            mine = stack.stack[stack.index[name]].grad[case]
            torch.testing.assert_close(mine, parameter.grad, atol=1e-6, rtol=1e-3, msg=name)
    assert all(parameter.grad is None for parameter in tiny_prior.unet.parameters())


def test_rows_before_the_segment_are_the_prior_s_own(tiny_prior, stack, rows, depth):
    with torch.no_grad():
        plain, mixed = tiny_prior.predict(*rows), tiny_prior.predict(*rows, [Segment(stack, 1, depth)])
    torch.testing.assert_close(mixed[:1], plain[:1], atol=1e-6, rtol=1e-6)
    assert (mixed[1:] - plain[1:]).abs().amax(dim=(1, 2, 3)).min() > 1e-3


def test_two_segments_are_two_calls(tiny_prior, stack, depth):
    other = tiny_prior.adapter(SETTINGS, 1, NAMES)
    other.stack[other.index["controlnet_mid_block.bias"]].data.fill_(0.5)
    x = torch.randn(7, *tiny_prior.latent_shape, generator=torch.Generator().manual_seed(2))
    t, embedding = torch.full((7,), 400), tiny_prior.embed(["a cat"] * 7)
    with torch.no_grad():
        both = tiny_prior.predict(x, t, embedding, [Segment(stack, 1, depth), Segment(other, 4, depth)])
        first = tiny_prior.predict(x[1:4], t[1:4], embedding[1:4], [Segment(stack, 0, depth)])
        second = tiny_prior.predict(x[4:], t[4:], embedding[4:], [Segment(other, 0, depth)])
    torch.testing.assert_close(both[1:], torch.cat([first, second]), atol=1e-5, rtol=1e-5)


def test_a_case_s_gradient_is_its_own(tiny_prior, stack, rows, depth):
    x, t, embedding = (values[:3] for values in rows)
    tiny_prior.predict(x, t, embedding, [Segment(stack, 0, depth)])[1].sum().backward()
    for p in stack.parameters():
        assert p.grad[0].abs().max() == p.grad[2].abs().max() == 0
        assert p.grad[1].abs().max() > 0


def test_depth_is_read_by_its_own_case(tiny_prior, stack, rows, depth):
    x, t, embedding = (values[:3] for values in rows)
    other = depth.clone()
    other[1] = 0
    with torch.no_grad():
        found, expected = (tiny_prior.predict(x, t, embedding, [Segment(stack, 0, d)]) for d in (other, depth))
    changed = (found - expected).abs().amax(dim=(1, 2, 3))
    assert changed[0] == changed[2] == 0
    assert changed[1] > 1e-4


def test_files_are_diffusers_own_and_come_back_bit_for_bit(tiny_prior, stack, tmp_path):
    stack.save(tmp_path, stack.weights(1))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["config.json", "diffusion_pytorch_model.safetensors"]
    theirs = ControlNetModel.from_pretrained(tmp_path).state_dict()
    fresh = tiny_prior.adapter(SETTINGS, 5, ["z"])
    fresh.set_weights(0, fresh.read(tmp_path))
    for name, i in stack.index.items():
        assert torch.equal(theirs[name], stack.stack[i][1])
        assert torch.equal(fresh.stack[i][0], stack.stack[i][1])


def test_every_case_starts_from_a_given_one(tiny_prior, tiny_controlnet, rows, depth):
    given = tiny_prior.adapter(AuxiliarySettings(kind="controlnet", controlnet=str(tiny_controlnet)), 0, NAMES)
    net = ControlNetModel.from_pretrained(tiny_controlnet)
    for case in range(3):
        for name, weight in given.weights(case).items():
            assert torch.equal(weight, net.state_dict()[name])
    x, t, embedding = (values[:3] for values in rows)
    with torch.no_grad():
        found = tiny_prior.predict(x, t, embedding, [Segment(given, 0, depth)])
        torch.testing.assert_close(found, plainly(tiny_prior.unet, net, (x, t, embedding), depth), atol=1e-5, rtol=1e-5)
        assert (found - tiny_prior.predict(x, t, embedding)).abs().max() > 1e-2


def test_one_that_does_not_fit_or_is_not_there_is_named(tiny_prior, tiny_controlnet, tmp_path):
    def adapter(name):
        return tiny_prior.adapter(AuxiliarySettings(kind="controlnet", controlnet=str(name)), 0, ())

    with pytest.raises(PreflightError, match=r"hf download nobody/depth config\.json"):
        adapter("nobody/depth")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ConfigError, match="holds no ControlNet that can be read"):
        adapter(tmp_path / "empty")
    config = ControlNetModel.load_config(tiny_controlnet)
    misfits = {"reads 8 pixels": {"conditioning_embedding_out_channels": (16, 32, 96, 256)}}
    misfits |= {"its cross_attention_dim is 64": {"cross_attention_dim": 64}}
    for reason, changed in misfits.items():
        ControlNetModel.from_config(config | changed).save_pretrained(tmp_path / "other")
        with pytest.raises(ConfigError, match=reason):
            adapter(tmp_path / "other")
    stack = tiny_prior.adapter(SETTINGS, 0, ())
    with pytest.raises(ConfigError, match="another shape"):
        stack.read(tmp_path / "other")


def test_one_of_the_hub_is_pinned_by_its_commit(tiny_prior, tiny_controlnet, tmp_path, monkeypatch):
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    repository, commits = tmp_path / "models--someone--depth", {"old": "0" * 40, "new": "1" * 40}
    net = ControlNetModel.from_pretrained(tiny_controlnet)
    for name, commit in commits.items():
        net.conv_in.bias.data.fill_({"old": 1.0, "new": 2.0}[name])
        net.save_pretrained(repository / "snapshots" / commit)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text(commits["new"])

    def bias(revision):
        settings = AuxiliarySettings(kind="controlnet", controlnet="someone/depth", controlnet_revision=revision)
        return tiny_prior.adapter(settings, 0, ["a"]).weights(0)["conv_in.bias"].unique().tolist()

    assert [bias(revision) for revision in (None, commits["old"], commits["new"])] == [[2.0], [1.0], [2.0]]
    found = [controlnet.fingerprint("someone/depth", revision) for revision in (None, *commits.values())]
    assert found[0] == found[2] != found[1]
    missing = "2" * 40
    with pytest.raises(PreflightError, match=rf"someone/depth at {missing} is neither .* --revision {missing}$"):
        bias(missing)


def test_a_fingerprint_is_of_the_files(tiny_controlnet, tmp_path):
    net = ControlNetModel.from_pretrained(tiny_controlnet)
    net.save_pretrained(tmp_path / "same")
    net.conv_in.bias.data[0] += 1
    net.save_pretrained(tmp_path / "other")
    found = [controlnet.fingerprint(str(folder)) for folder in (tmp_path / "same", tmp_path / "other")]
    assert found[0] == found[0] != found[1]
    assert len(found[0]) == 32


def test_settings_that_do_not_go_together_are_refused():
    with pytest.raises(ValueError, match=r"controlnet-lora needs --method\.aux\.controlnet"):
        AuxiliarySettings(kind="controlnet-lora")
    with pytest.raises(ValueError, match=r"controlnet-revision goes with --method\.aux\.controlnet"):
        AuxiliarySettings(kind="controlnet", controlnet_revision="0" * 40)
    with pytest.raises(ValueError, match=r"go with --method\.aux\.kind"):
        AuxiliarySettings(depth="blank")
