"""Numbers of every step of an edit, one per case; they stay on the device until they are asked for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor


class CaseHistory:
    """The log of B cases that are edited together.

    Attributes:
        lines: of the steps since the start, or since the latest `tensors` or `restore`.
    """

    def __init__(self) -> None:
        self.lines: list[dict[str, Any]] = []
        self._known: dict[str, Tensor] = {}

    def add(self, line: dict[str, Any]) -> None:
        """One step's numbers, [B] each, as tensors or tuples; "step" is not kept."""
        self.lines.append(line)

    def tensors(self) -> dict[str, Tensor]:
        """Name -> all values so far, [S,B], on the CPU. The device is read once per name."""
        for name in self.lines[0] if self.lines else ():
            if name != "step":
                values = [line[name] for line in self.lines]
                new = torch.stack(values).cpu() if isinstance(values[0], Tensor) else torch.tensor(values)
                self._known[name] = torch.cat([self._known[name], new]) if name in self._known else new
        self.lines = []
        return self._known

    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        """Go on from what `tensors` gave."""
        self._known, self.lines = {name: values.cpu() for name, values in tensors.items()}, []

    def by_case(self, n_cases: int) -> list[dict[str, list[float]]]:
        """For each case, name -> one value a step."""
        columns = {name: values.T.tolist() for name, values in self.tensors().items()}
        return [{name: column[i] for name, column in columns.items()} for i in range(n_cases)]


def cut(history: Mapping[str, list[float]], stopped_at: int | None) -> dict[str, list[float]]:
    """A log of one case without that step and those after it; None: all of it."""
    return {name: values[:stopped_at] for name, values in history.items()}
