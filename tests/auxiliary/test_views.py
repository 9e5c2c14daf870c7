"""Views of a scene: rows that share one adapter are those of as many adapters with the same weights."""

import pytest
import torch
from torch import Tensor

from piva.auxiliary.settings import AuxiliarySettings
from piva.priors import Adapter, Segment

VIEWS = 3


def _twins(prior, settings: AuxiliarySettings) -> tuple[Adapter, Adapter]:
    """One adapter that does something, and one of VIEWS cases that all have its weights."""
    shared = prior.adapter(settings, 0, ["scene"])
    generator = torch.Generator().manual_seed(0)
    for p in shared.parameters():
        p.data.add_(0.1 * torch.randn(p.shape, generator=generator))
    apart = prior.adapter(settings, 0, ["scene"] * VIEWS)
    for view in range(VIEWS):
        apart.set_weights(view, shared.weights(0))
    return shared, apart


@pytest.mark.parametrize("start", [0, 1])
@pytest.mark.parametrize("kind", ["lora", "controlnet"])
def test_views_share_an_adapter(tiny_prior, rows, kind, start):
    shared, apart = _twins(tiny_prior, AuxiliarySettings(kind=kind))
    depth = torch.rand(VIEWS, 1, *tiny_prior.image_size, generator=torch.Generator().manual_seed(1))
    inputs = [values[: VIEWS + start] for values in rows]
    together = tiny_prior.predict(*inputs, [Segment(shared, start, depth)])
    expected = tiny_prior.predict(*inputs, [Segment(apart, start, depth)])
    assert (expected[start:] - tiny_prior.predict(*inputs)[start:]).abs().max() > 1e-3  # they do something
    torch.testing.assert_close(together, expected, atol=1e-5, rtol=1e-5)
    weight = torch.linspace(1.0, 2.0, len(together)).view(-1, 1, 1, 1)
    for output in (together, expected):
        (weight * output.square()).sum().backward()
    for one, many in zip(shared.parameters(), apart.parameters(), strict=True):
        if many.grad is not None:
            torch.testing.assert_close(one.grad[0], many.grad.sum(0), atol=1e-4, rtol=1e-3)


def _cameras() -> Tensor:
    return torch.randn(VIEWS, 16, generator=torch.Generator().manual_seed(2))


def test_a_new_camera_embedding_changes_nothing(tiny_prior, rows):
    fresh = tiny_prior.adapter(AuxiliarySettings(camera=True), 0, ["scene"])
    inputs = [values[: VIEWS + 1] for values in rows]
    with torch.no_grad():
        found = tiny_prior.predict(*inputs, [Segment(fresh, 1, cameras=_cameras())])
        torch.testing.assert_close(found, tiny_prior.predict(*inputs), atol=1e-6, rtol=1e-6)


def test_a_camera_embedding_tells_views_apart_and_is_added_to_the_time_embedding(tiny_prior, rows):
    """The slow twin: each view alone, the embedding worked out by hand and added by a hook of the test's."""
    adapter = tiny_prior.adapter(AuxiliarySettings(camera=True), 0, ["scene"])
    adapter.camera.second.data.normal_(generator=torch.Generator().manual_seed(3))
    x, t, embedding = (values[:VIEWS] for values in rows)
    cameras = _cameras()
    with torch.no_grad():
        found = tiny_prior.predict(x, t, embedding, [Segment(adapter, 0, cameras=cameras)])
        for view in range(VIEWS):
            inner = adapter.camera.first[0] @ cameras[view]
            gain = adapter.camera.second[0] @ (inner * inner.sigmoid())
            hook = tiny_prior.unet.time_embedding.register_forward_hook(lambda _m, _i, out, gain=gain: out + gain)
            one = slice(view, view + 1)
            expected = tiny_prior.predict(x[one], t[one], embedding[one])
            hook.remove()
            torch.testing.assert_close(found[one], expected, atol=1e-4, rtol=1e-4)


def test_a_camera_embedding_is_saved_beside_peft_s_file(tiny_prior, tmp_path):
    settings = AuxiliarySettings(camera=True)
    adapter, other = (tiny_prior.adapter(settings, 0, ["scene"]) for _ in range(2))
    adapter.camera.second.data.fill_(0.5)
    adapter.save(tmp_path, adapter.weights(0))
    other.set_weights(0, other.read(tmp_path))
    assert torch.equal(other.camera.second, adapter.camera.second)
    assert torch.equal(other.camera.first, adapter.camera.first)
    assert {file.name for file in tmp_path.iterdir()} == {
        "adapter_config.json", "adapter_model.safetensors", "camera_embedding.safetensors",
    }  # fmt: skip


def test_only_lora_has_a_camera_embedding():
    with pytest.raises(ValueError, match=r"goes with --method\.aux\.kind lora"):
        AuxiliarySettings(kind="controlnet", camera=True)
