import pytest
import torch
from torch import nn

from piva.toybox.models.low_rank import adapt, difference, merge


def network() -> nn.Sequential:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return nn.Sequential(nn.Conv2d(4, 8, 3, padding=1), nn.GroupNorm(2, 8), nn.Conv2d(8, 6, 1), nn.Linear(5, 3))


def trained() -> nn.Sequential:
    """Adapted, and taken a few steps away from where it began."""
    model = network()
    adapt(model, 2, seed=0, whole=("0",))
    optimizer = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], lr=0.05)
    x = torch.randn(2, 4, 5, 5, generator=torch.Generator().manual_seed(1))
    for _ in range(5):
        loss = (model(x) - 1).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return model


def test_an_adapted_model_changes_nothing_yet():
    x = torch.randn(2, 4, 5, 5, generator=torch.Generator().manual_seed(1))
    model = network()
    before = model(x)
    adapt(model, 2, seed=0)
    assert torch.equal(model(x), before)


def test_what_is_learned_is_small_and_the_rest_stays():
    model, plain = trained(), network()
    learned = difference(model)
    assert set(learned) == {
        "0.weight", "0.bias", "1.weight", "1.bias", "2.weight.a", "2.weight.b", "2.bias", "3.weight.a", "3.weight.b",
        "3.bias",
    }  # fmt: skip
    assert learned["2.weight.a"].shape == (2, 8)
    assert learned["2.weight.b"].shape == (6, 2)
    assert all(value.dtype == torch.float16 for value in learned.values())
    assert torch.equal(model[2].parametrizations.weight.original, plain[2].weight)
    assert not torch.equal(model[0].weight, plain[0].weight)


def test_a_merged_model_is_the_trained_one():
    model, plain = trained(), network()
    merge(plain, difference(model))
    x = torch.randn(2, 4, 5, 5, generator=torch.Generator().manual_seed(2))
    torch.testing.assert_close(plain(x), model(x), atol=5e-3, rtol=0)  # float16
    change = (plain[2].weight - network()[2].weight).flatten(1)
    assert torch.linalg.matrix_rank(change, tol=1e-4) == 2


def test_a_difference_to_another_model_is_refused():
    with pytest.raises(KeyError, match="2"):
        merge(network()[:2], difference(trained()))
