"""LPIPS from kept features against the upstream package, whole and over the background."""

import lpips as upstream
import numpy as np
import pytest
import torch

from piva.metrics.batch import FULL_MASK, NO_MASK, NO_TRUE_EDIT, Batch, Missing, ScoreInput
from piva.metrics.cache import FeatureCache
from piva.metrics.lpips import LpipsScores, distance, distance_where, features, layer_maps


def images(seed, *shape):
    return torch.from_numpy(np.random.default_rng(seed).random(shape, dtype=np.float32))


def random_net(net="alex", **options):
    """The package's architecture; the trunk is random (nothing is downloaded), the linear layers are its own."""
    torch.manual_seed(0)
    return upstream.LPIPS(net=net, pnet_rand=True, verbose=False, **options)


@pytest.fixture(scope="module")
def net():
    return random_net()


def edit(src, edited, mask=None, true_edit=None):
    return ScoreInput(src_image=src, edited=edited, src_prompt="", tgt_prompt="", mask=mask, true_edit=true_edit)


@torch.inference_mode()
def score(net, *cases, cache=None):
    return LpipsScores(net, "random").score(Batch(cases), cache if cache is not None else FeatureCache())


@pytest.mark.parametrize(
    "options", [{"net": "alex"}, {"net": "vgg"}, {"net": "squeeze"}, {"net": "alex", "lpips": False}]
)
@torch.inference_mode()
def test_distances_equal_the_package(options):
    net, a, b = random_net(**options), images(0, 2, 3, 48, 64), images(1, 2, 3, 48, 64)
    maps = layer_maps(net, features(net, a), features(net, b))
    torch.testing.assert_close(distance(maps), net(a, b, normalize=True).flatten())
    spatial = random_net(**options, spatial=True)
    per_pixel = spatial(a, b, normalize=True)[:, 0]
    where = images(2, 2, 48, 64) > 0.4
    expected = torch.stack([row[chosen].mean() for row, chosen in zip(per_pixel, where, strict=True)])
    torch.testing.assert_close(distance_where(maps, where), expected)


def test_in_the_official_profile_the_background_is_the_package_s_distance_of_blackened_images(net):
    src, edited = images(10, 2, 3, 64, 64), images(11, 2, 3, 64, 64)
    mask = torch.zeros(64, 64, dtype=torch.bool)
    mask[5:60, 20:40] = True
    batch = Batch([edit(a, b, mask) for a, b in zip(src, edited, strict=True)])
    with torch.inference_mode():
        found = LpipsScores(net, "random", "official").score(batch, FeatureCache())
        expected = net(src * ~mask, edited * ~mask, normalize=True).flatten().tolist()
    assert found["lpips_background"] == pytest.approx(expected, rel=1e-4)


def test_the_scores_of_a_mixed_batch(net):
    src, edited, true = images(3, 4, 3, 64, 64), images(4, 4, 3, 64, 64), images(5, 3, 64, 64)
    mask = torch.zeros(64, 64, dtype=torch.bool)
    mask[20:40, 10:50] = True
    values = score(
        net,
        edit(src[0], edited[0]),
        edit(src[1], edited[1], torch.ones(64, 64, dtype=torch.bool)),
        edit(src[2], edited[2], mask, true_edit=true),
        edit(src[3], torch.where(mask, edited[3], src[3]), mask),
    )
    assert values["lpips"][:3] == pytest.approx(net(src, edited, normalize=True).flatten().tolist()[:3], rel=1e-4)
    assert values["lpips_background"][:2] == [Missing(NO_MASK), Missing(FULL_MASK)]
    restored = torch.where(mask, src[2], edited[2])
    spatial = random_net(spatial=True)(src[2:3], restored[None], normalize=True)[0, 0]
    assert values["lpips_background"][2] == pytest.approx(spatial[~mask].mean().item(), rel=1e-4)
    assert values["lpips_background"][3] == pytest.approx(0, abs=1e-7)  # all of the change is inside
    assert values["lpips"][3] > 1e-3
    assert values["lpips_to_true"][2] == pytest.approx(net(edited[2:3], true[None], normalize=True).item(), rel=1e-4)
    assert values["lpips_to_true"][0] == Missing(NO_TRUE_EDIT)


def test_source_and_true_edit_go_through_the_net_once(net, monkeypatch):
    rows = []
    forward = net.net.forward
    monkeypatch.setattr(net.net, "forward", lambda x: (rows.append(len(x)), forward(x))[1])
    src, true = images(6, 2, 3, 64, 64), images(7, 3, 64, 64)
    cache = FeatureCache()
    first = [edit(src[0], images(8, 3, 64, 64), true_edit=true), edit(src[1], images(9, 3, 64, 64))]
    once = score(net, *first, cache=cache)
    assert sum(rows) == 2 + 2 + 1
    rows.clear()
    again = score(net, *first, cache=cache)  # a second method on the same cases
    assert sum(rows) == 2
    assert again == once
    rows.clear()
    score(net, first[0], first[0], cache=FeatureCache())  # the same source twice in a batch
    assert sum(rows) == 2 + 1 + 1


def test_a_cache_too_small_for_one_image_changes_no_score(net):
    cases = [edit(images(k, 3, 64, 64), images(k + 9, 3, 64, 64)) for k in range(3)]
    assert score(net, *cases, cache=FeatureCache(max_bytes=10)) == score(net, *cases)
