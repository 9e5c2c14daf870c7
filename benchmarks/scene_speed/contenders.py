"""Who is measured: methods with settings, and the UNet rows that a view needs in a step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.speed.contenders import Rows
from piva.methods.dds import DDS
from piva.methods.piva import Piva


@dataclass(frozen=True)
class SceneContender:
    """One method configuration."""

    name: str
    method: Any
    rows: Rows


def contenders(names: Sequence[str], controlnet: str | None) -> list[SceneContender]:
    """Those of these names. DDS: c and u at x_t and x^_t; Piva: psi at x_t too, psi and phi with a backward pass."""
    rows = Rows(prior=4, psi=1, trained=2)
    known = [
        SceneContender("dds", DDS(), Rows(prior=4)),
        SceneContender("piva-lora", Piva(), rows),
        SceneContender("piva-controlnet", Piva(aux={"kind": "controlnet", "controlnet": controlnet}), rows),
    ]
    return [contender for contender in known if contender.name in names]
