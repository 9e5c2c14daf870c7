import pytest
import torch

from piva.data.depth import depth_condition, scaled_inverse_depth


def test_near_is_one_far_is_zero_and_between_it_is_inverse() -> None:
    depth = torch.tensor([2.0, 3.0, 4.0, 6.0]).view(1, 1, 2, 2)
    assert scaled_inverse_depth(depth).flatten().tolist() == pytest.approx([1, 0.5, 0.25, 0])


def test_unit_of_depth_does_not_matter_and_views_are_scaled_by_themselves() -> None:
    depth = torch.rand(3, 1, 4, 4, generator=torch.Generator().manual_seed(0)) + 1
    metres = scaled_inverse_depth(depth * torch.tensor([1.0, 100.0, 0.01]).view(-1, 1, 1, 1))
    assert torch.allclose(metres, scaled_inverse_depth(depth), atol=1e-5)
    assert metres.amax(dim=(1, 2, 3)).tolist() == pytest.approx([1, 1, 1])
    assert metres.amin(dim=(1, 2, 3)).tolist() == pytest.approx([0, 0, 0])


def test_an_infinite_sky_is_zero() -> None:
    depth = torch.tensor([5.0, 10.0, torch.inf, torch.inf], dtype=torch.float16).view(1, 1, 2, 2)
    assert scaled_inverse_depth(depth).flatten().tolist() == pytest.approx([1, 0.5, 0, 0])


def test_a_flat_view_is_zero() -> None:
    assert scaled_inverse_depth(torch.full((1, 1, 2, 2), 3.0)).abs().max() == 0


def test_a_controlnet_gets_three_equal_channels() -> None:
    depth = torch.rand(2, 1, 4, 4, generator=torch.Generator().manual_seed(1)) + 1
    condition = depth_condition(depth)
    assert condition.shape == (2, 3, 4, 4)
    assert all(torch.equal(condition[:, k : k + 1], scaled_inverse_depth(depth)) for k in range(3))
