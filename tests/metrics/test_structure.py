"""Structure distance against PIE-Bench's evaluator, written out with hooks on a ViT of the real architecture."""

import numpy as np
import pytest
import timm
import torch
import torch.nn.functional as F
from timm.models.vision_transformer import VisionTransformer
from torchvision import transforms

from piva.metrics.batch import Batch, ScoreInput
from piva.metrics.cache import FeatureCache
from piva.metrics.structure import ARCHITECTURE, StructureScores, keys, load_dino, positions, structure_distance
from piva.metrics.weights import MissingWeights


def small_vit(**facts):
    torch.manual_seed(0)
    shape = {"img_size": 224, "patch_size": 28, "embed_dim": 24, "depth": 3, "num_heads": 2, "num_classes": 0}
    return VisionTransformer(**(shape | facts)).eval()


def images(seed, size=64, width=None):
    return torch.from_numpy(np.random.default_rng(seed).random((3, size, width or size), dtype=np.float32))


def edit(src, edited):
    return ScoreInput(src_image=src, edited=edited, src_prompt="", tgt_prompt="")


@torch.inference_mode()
def score(vit, *cases, cache=None, **options):
    cache = FeatureCache() if cache is None else cache
    return StructureScores(vit, "vit", **options).score(Batch(cases), cache)["structure_distance"]


@torch.inference_mode()
def by_the_evaluator(vit, src, edited, layer, heads, scale):
    """One image at a time: all of the network runs, and a hook catches q, k and v of a layer."""
    caught = {}
    handle = vit.blocks[layer].attn.qkv.register_forward_hook(lambda module, x, y: caught.update(qkv=y))
    normalise = transforms.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    prepare = transforms.Compose([transforms.Resize(224, max_size=480), normalise])
    maps = []
    for image in (src, edited):
        vit(prepare(image * scale)[None])
        tokens, width = caught["qkv"].shape[1], caught["qkv"].shape[2] // 3
        key = caught["qkv"].reshape(tokens, 3, heads, width // heads).permute(1, 2, 0, 3)[1]
        flat = key.transpose(0, 1).reshape(tokens, width)
        norm = flat.norm(dim=1, keepdim=True)
        maps.append((flat @ flat.T) / torch.clamp(norm @ norm.T, min=1e-8))
    handle.remove()
    return F.mse_loss(maps[1], maps[0]).item()


@pytest.mark.parametrize(("profile", "scale"), [("official", 255), ("strict", 1)])
def test_small_vit_as_the_evaluator_does(profile, scale):
    vit, src, edited = small_vit(), images(0), images(1)
    expected = by_the_evaluator(vit, src, edited, layer=2, heads=2, scale=scale)
    assert expected > 1e-4
    assert score(vit, edit(src, edited), profile=profile) == [pytest.approx(expected, rel=1e-3)]


def test_the_real_architecture_as_the_evaluator_does():
    torch.manual_seed(0)
    vit = timm.create_model(ARCHITECTURE, pretrained=False).eval()
    src, edited = images(2, 128), images(3, 128)
    assert (len(vit.blocks), vit.pos_embed.shape) == (12, (1, 785, 768))
    expected = by_the_evaluator(vit, src, edited, layer=11, heads=12, scale=255)
    assert score(vit, edit(src, edited), profile="official") == [pytest.approx(expected, rel=1e-3)]


def test_the_range_of_the_input_is_what_sets_the_profiles_apart():
    vit, case = small_vit(), edit(images(0), images(1))
    strict, official = StructureScores(vit, "vit"), StructureScores(vit, "vit", "official")
    assert strict.ids == {"structure_distance": "structure-distance/vit/keys-2/224-bilinear/0..1@1"}
    assert official.ids == {"structure_distance": "structure-distance/vit/keys-2/224-bilinear/0..255@1"}
    assert score(vit, case)[0] != pytest.approx(score(vit, case, profile="official")[0], rel=0.01)


def test_equal_images_have_equal_structure_and_a_batch_changes_nothing():
    vit, cases = small_vit(), [edit(images(k), images(k + 10)) for k in range(3)]
    together = score(vit, *cases, edit(images(5), images(5)))
    assert together[3] == 0
    assert together[:3] == pytest.approx([score(vit, case)[0] for case in cases], rel=1e-3)


def test_opposite_keys_are_as_far_as_can_be_and_length_does_not_matter():
    a, b = torch.tensor([[[1.0, 0], [1, 0]]]), torch.tensor([[[1.0, 0], [-1, 0]]])
    assert structure_distance(a, b).item() == pytest.approx((0 + 4 + 4 + 0) / 4)
    assert structure_distance(a, 7 * a).item() == pytest.approx(0, abs=1e-12)


def test_sources_are_seen_once(monkeypatch):
    vit, cache, rows = small_vit(), FeatureCache(), []
    forward = vit.patch_embed.proj.forward
    monkeypatch.setattr(vit.patch_embed.proj, "forward", lambda x: (rows.append(len(x)), forward(x))[1])
    cases = [edit(images(0), images(1)), edit(images(0), images(2))]
    first = score(vit, *cases, cache=cache)
    assert score(vit, *cases, cache=cache) == pytest.approx(first, rel=1e-3)
    assert rows == [1, 2, 2]


def test_many_images_go_through_in_parts(monkeypatch):
    vit, cases = small_vit(), [edit(images(k), images(k + 10)) for k in range(5)]
    whole = score(vit, *cases)
    monkeypatch.setattr("piva.metrics.structure.ROWS_PER_CALL", 2)
    assert score(vit, *cases) == pytest.approx(whole, rel=1e-3)


def test_a_wide_image_keeps_its_shape_and_its_positions_are_dinos():
    vit = small_vit()
    seen = []
    vit.patch_embed.proj.register_forward_hook(lambda module, x, y: seen.append(tuple(y.shape[-2:])))
    score(vit, edit(images(0, 60, 80), images(1, 60, 80)))
    assert seen == [(8, 10)] * 2  # 224 x 298: what a whole patch doesn't fit into is left out
    learnt = vit.pos_embed
    assert positions(learnt, 8, 8) is learnt
    wide = positions(learnt, 8, 10)
    assert wide.shape == (1, 81, 24)
    grid = learnt[:, 1:].reshape(1, 8, 8, 24).permute(0, 3, 1, 2)
    expected = F.interpolate(grid, scale_factor=(8.1 / 8, 10.1 / 8), mode="bicubic").permute(0, 2, 3, 1)
    torch.testing.assert_close(wide[:, 1:].reshape(8, 10, 24), expected[0])


def test_keys_need_no_more_than_the_layers_before():
    vit = small_vit()
    vit.blocks[-1].mlp = vit.blocks[-1].attn.proj = vit.norm = None
    assert keys(vit, torch.zeros(1, 3, 224, 224)).shape == (1, 65, 24)


def test_weights_are_looked_for_here_only(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with pytest.raises(MissingWeights, match=r"DINO dino_vitb8 is not on this machine; to fetch it: hf download timm/"):
        load_dino(folder=tmp_path)
