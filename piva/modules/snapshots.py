"""The tensors of modules and optimisers under one name each, to be kept in a file and taken back from it."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn
from torch.optim import Optimizer


def taken(modules: Mapping[str, nn.Module], optimizers: Mapping[str, Optimizer]) -> dict[str, Tensor]:
    """Their states: "<name>.<entry>" of a module, "<name>.<parameter's number>.<entry>" of an optimiser.

    The tensors are the modules' own, not copies.
    """
    tensors: dict[str, Tensor] = {}
    for name, module in modules.items():
        tensors |= {f"{name}.{entry}": value for entry, value in module.state_dict().items()}
    for name, optimizer in optimizers.items():
        for number, state in optimizer.state_dict()["state"].items():
            tensors |= {f"{name}.{number}.{entry}": value for entry, value in state.items()}
    return tensors


def given_back(
    tensors: Mapping[str, Tensor], modules: Mapping[str, nn.Module], optimizers: Mapping[str, Optimizer]
) -> None:
    """Puts states that were `taken` back into modules and optimisers of the same form; other names are left alone."""
    for name, module in modules.items():
        module.load_state_dict(below(tensors, name))
    for name, optimizer in optimizers.items():
        state: dict[int, dict[str, Tensor]] = {}
        for key, value in below(tensors, name).items():
            number, _, entry = key.partition(".")
            state.setdefault(int(number), {})[entry] = value
        optimizer.load_state_dict(optimizer.state_dict() | {"state": state})


def below(tensors: Mapping[str, Tensor], name: str) -> dict[str, Tensor]:
    """Those whose names begin with "<name>.", without it."""
    start = f"{name}."
    return {key[len(start) :]: value for key, value in tensors.items() if key.startswith(start)}
