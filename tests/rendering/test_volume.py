import math

import pytest
import torch

from piva.rendering import volume
from piva.rendering.volume import Packed

RAYS = 5
COUNTS = (3, 0, 6, 1, 4)  # samples of each ray


@pytest.fixture
def samples():
    """(packed, sigma, delta, z, color) of random samples in float64; one ray has none, one is opaque in front."""
    generator = torch.Generator().manual_seed(0)
    packed = Packed(torch.repeat_interleave(torch.arange(RAYS), torch.tensor(COUNTS)), RAYS)
    m = len(packed.ray)
    sigma, delta = torch.rand(2, m, generator=generator, dtype=torch.float64) * 3
    sigma[3] = 50.0
    z = torch.cat([torch.rand(n, generator=generator, dtype=torch.float64).sort().values + 1 for n in COUNTS])
    return packed, sigma, delta, z, torch.rand(m, 3, generator=generator, dtype=torch.float64)


def slow_weights(packed, sigma, delta):
    """Sample by sample, as the equations say it."""
    weights, reached = [], []
    for ray in range(packed.rays):
        light = 1.0
        for i in (packed.ray == ray).nonzero()[:, 0].tolist():
            alpha = 1 - math.exp(-sigma[i] * delta[i])
            weights.append(light * alpha)
            reached.append(light)
            light *= 1 - alpha
    return torch.tensor(weights, dtype=torch.float64), torch.tensor(reached, dtype=torch.float64)


def test_weights_are_those_of_the_loop(samples):
    packed, sigma, delta, *_ = samples
    fast, slow = volume.weights(sigma, delta, packed), slow_weights(packed, sigma, delta)
    torch.testing.assert_close(fast[0], slow[0], rtol=1e-12, atol=1e-14)
    torch.testing.assert_close(fast[1], slow[1], rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("counts", [COUNTS, (1,), (0, 2, 2, 33), ()])
def test_rays_summed_by_themselves_come_to_the_same(counts, monkeypatch):
    packed = Packed(torch.repeat_interleave(torch.arange(len(counts)), torch.tensor(counts).long()), len(counts))
    values = torch.rand(sum(counts), generator=torch.Generator().manual_seed(0)).requires_grad_()
    weighing = torch.arange(sum(counts), dtype=torch.float32)
    wanted = volume.before(values, packed)
    (wanted_gradient,) = torch.autograd.grad((wanted * weighing).sum(), values)
    monkeypatch.setattr(torch.Tensor, "double", lambda self: pytest.fail("float64"))
    found = volume._before_by_doubling(values, packed)
    torch.testing.assert_close(found, wanted)
    (gradient,) = torch.autograd.grad((found * weighing).sum(), values)
    torch.testing.assert_close(gradient, wanted_gradient)


def test_colours_and_depth_are_those_of_the_loop(samples):
    packed, sigma, delta, z, color = samples
    w, _ = slow_weights(packed, sigma, delta)
    far = torch.full((RAYS,), 9.0, dtype=torch.float64)
    opacity = volume.gathered(w, packed)
    pictures, depth = volume.gathered(w[:, None] * color, packed), volume.expected_depth(w, z, opacity, far, packed)
    for ray in range(RAYS):
        mine = packed.ray == ray
        torch.testing.assert_close(pictures[ray], (w[mine, None] * color[mine]).sum(0))
        expected = (w[mine] * z[mine]).sum() / w[mine].sum() if mine.any() else torch.tensor(9.0)
        assert depth[ray].item() == pytest.approx(float(expected), rel=1e-4)


def test_a_homogeneous_slab_has_its_closed_form():
    # sigma = 2 over a length of 1.5: O = 1 - exp(-3), and mean depth of what stops = 1/sigma - L exp(-3) / O.
    n, sigma, length = 3000, 2.0, 1.5
    packed = Packed(torch.zeros(n, dtype=torch.int64), 1)
    delta = torch.full((n,), length / n, dtype=torch.float64)
    w, reached = volume.weights(torch.full_like(delta, sigma), delta, packed)
    z = (torch.arange(n, dtype=torch.float64) + 0.5) * length / n
    opacity = volume.gathered(w, packed)
    assert opacity.item() == pytest.approx(1 - math.exp(-3), rel=1e-12)
    assert reached[1000].item() == pytest.approx(math.exp(-1), rel=1e-12)
    depth = volume.expected_depth(w, z, opacity, torch.zeros(1, dtype=torch.float64), packed)
    assert depth.item() == pytest.approx(1 / sigma - length * math.exp(-3) / (1 - math.exp(-3)), rel=1e-5)


def test_a_far_ray_loses_nothing_of_what_came_before_it():
    # Behind 20,000 opaque samples of other rays a thin one still counts, in float32.
    packed = Packed(torch.cat([torch.zeros(20_000, dtype=torch.int64), torch.ones(2, dtype=torch.int64)]), 2)
    sigma = torch.cat([torch.full((20_000,), 100.0), torch.full((2,), 1e-3)])
    w, _ = volume.weights(sigma, torch.ones_like(sigma), packed)
    assert w[-1].item() == pytest.approx(math.exp(-1e-3) * (1 - math.exp(-1e-3)), rel=1e-4)


def test_gradients_are_finite_differences(samples):
    packed, sigma, delta, z, color = samples
    far = torch.full((RAYS,), 9.0, dtype=torch.float64)

    def outputs(sigma, color):
        w, _ = volume.weights(sigma, delta, packed)
        opacity = volume.gathered(w, packed)
        depth = volume.expected_depth(w, z, opacity + 0.1, far, packed)
        spread = volume.distortion(w, z / 3, delta / 3, packed)
        return volume.gathered(w[:, None] * color, packed), opacity, depth, spread, volume.opacity_entropy(opacity)

    sigma = sigma.clamp(max=4.0)
    assert torch.autograd.gradcheck(outputs, (sigma.requires_grad_(), color.requires_grad_()), eps=1e-6, atol=1e-6)


def test_distortion_is_the_double_sum(samples):
    packed, sigma, delta, z, _ = samples
    w, _ = volume.weights(sigma, delta, packed)
    fast = volume.distortion(w, z, delta, packed)
    for ray in range(RAYS):
        mine = (packed.ray == ray).nonzero()[:, 0]
        pairs = (w[mine, None] * w[mine] * (z[mine, None] - z[mine]).abs()).sum()
        assert fast[ray].item() == pytest.approx(float(pairs + (w[mine] ** 2 * delta[mine]).sum() / 3), rel=1e-12)


def test_opacity_entropy_is_zero_at_both_ends_and_log_2_between():
    entropy = volume.opacity_entropy(torch.tensor([0.0, 0.5, 1.0]))
    torch.testing.assert_close(entropy, torch.tensor([0.0, math.log(2), 0.0]), atol=2e-4, rtol=1e-6)
