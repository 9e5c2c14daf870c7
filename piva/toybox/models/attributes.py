"""Classification of a scene's attributes: what the judge is for, and the task the perceptual backbone is trained on."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from piva.toybox.scene import Scene, labels
from piva.toybox.vocabulary import ATTRIBUTES


class Labelled(Protocol):
    """What a classifier needs of a training set."""

    images: Any  # uint8 [N,3,64,64], an array or a memory map
    scenes: list[Scene]  # N


def label_table(scenes: Sequence[Scene]) -> dict[str, Tensor]:
    """Class indices [N] (int64) per judged attribute."""
    rows = [labels(scene) for scene in scenes]
    return {name: torch.tensor([row[name] for row in rows]) for name in ATTRIBUTES}


class Heads(nn.Module):
    """One linear layer per classified thing on pooled features: [B,F] -> name -> logits [B,classes]."""

    def __init__(self, features: int, classes: Mapping[str, int]):
        super().__init__()
        self.layers = nn.ModuleDict({name: nn.Linear(features, count) for name, count in classes.items()})

    def forward(self, features: Tensor) -> dict[str, Tensor]:
        return {name: layer(features) for name, layer in self.layers.items()}


def cross_entropy(logits: Mapping[str, Tensor], targets: Mapping[str, Tensor], smoothing: float = 0.0) -> Tensor:
    """Sum over attributes of the mean cross-entropy, in nats."""
    losses = [F.cross_entropy(logits[n].float(), targets[n], label_smoothing=smoothing) for n in logits]
    return torch.stack(losses).sum()


def accuracy(logits: Mapping[str, Tensor], targets: Mapping[str, Tensor]) -> dict[str, float]:
    """Share of right answers per attribute."""
    return {name: (logits[name].argmax(1) == targets[name]).float().mean().item() for name in logits}
