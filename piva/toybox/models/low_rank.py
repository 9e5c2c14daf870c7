"""A model as a small difference to another one: W' = W + B A of low rank in every layer (Hu et al. 2021).

A [r,in] and B [out,r] stand beside the flattened weight [out,in] (a convolution's in counts its kernel); biases and the
parameters of norms are few and are learned whole, and so are the layers named. Written out, only A, B and what was
learned whole are kept; merged, the model is an ordinary one again.
"""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from piva.toybox.models.training import gaussian, keyed_generator

_INNER = ".parametrizations.weight.0."


class LowRank(nn.Module):
    """W -> W + (B A).view_as(W); B starts at zero, so nothing is changed yet."""

    def __init__(self, weight: Tensor, rank: int, generator: torch.Generator):
        super().__init__()
        inputs = weight[0].numel()
        self.a = nn.Parameter((gaussian((rank, inputs), generator) / inputs**0.5).to(weight.device))
        self.b = nn.Parameter(torch.zeros(len(weight), rank, device=weight.device))

    def forward(self, weight: Tensor) -> Tensor:
        return weight + (self.b @ self.a).view_as(weight)


def adapt(model: nn.Module, rank: int, seed: int, whole: Sequence[str] = ()) -> None:
    """Freezes `model`'s weights beside new A and B; biases, norms and the layers named in `whole` stay trainable."""
    for name, layer in list(model.named_modules()):
        if name not in whole and isinstance(layer, nn.Linear | nn.Conv2d | nn.Embedding):
            layer.weight.requires_grad_(False)
            generator = keyed_generator(seed, "low rank", name)
            parametrize.register_parametrization(layer, "weight", LowRank(layer.weight, rank, generator))


def difference(model: nn.Module) -> dict[str, Tensor]:
    """What an adapted model learned: name.weight.a and name.weight.b of layers, and name of what was learned whole."""
    learned = {name: value for name, value in model.named_parameters() if value.requires_grad}
    return {name.replace(_INNER, ".weight."): value.detach().half().cpu() for name, value in learned.items()}


@torch.no_grad()
def merge(model: nn.Module, learned: Mapping[str, Tensor]) -> None:
    """Adds a `difference` to the ordinary model it was learned on, in place.

    Raises:
        KeyError: the model has no parameter of that name.
    """
    parameters = dict(model.named_parameters())
    for name, value in learned.items():
        if name.endswith(".weight.a"):
            weight = parameters[name.removesuffix(".a")]
            b = learned[name.removesuffix("a") + "b"]
            weight += (b.float() @ value.float()).view_as(weight).to(weight)
        elif not name.endswith(".weight.b"):
            parameters[name].copy_(value)
