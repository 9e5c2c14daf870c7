"""Who is measured: methods with settings, and the UNet rows that each needs. A new method joins with an entry here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from piva.methods.dds import DDS
from piva.methods.piva import Piva

LITERAL, CAREFUL, OURS, FLOOR = "literal", "literal, careful", "ours", "floor"
COLD, WARM = "cold", "warm"
ANY, PSI_TRAINING = "any", "psi training"  # the literal twin's visits are all alike; the floor under a stored psi


class Key(NamedTuple):
    """One thing that is measured in every repeat."""

    contender: str  # of a literal twin: the method, which contenders share
    variant: str
    visit: str
    size: int  # cases in a batch


@dataclass(frozen=True)
class Rows:
    """UNet rows that one case needs in one step."""

    prior: int = 0  # without gradient
    psi: int = 0  # scored through psi's adapters, without gradient
    trained: int = 0  # through adapters, with a backward pass; an auxiliary that trains here is scored by the same pass


@dataclass(frozen=True)
class Contender:
    """One method configuration."""

    name: str
    method: str  # name of the literal twin's group: several contenders may share a twin
    first: Any  # settings of the first visit
    later: Any  # settings of a later one: same draws, same auxiliaries, another setting
    literal: Any  # settings of the literal twin
    needs: dict[str, Rows]  # visit -> rows
    psi_steps: int = 0  # steps of one trained row each that a cold visit needs before the edit


def contenders(methods: Sequence[str], psi_steps: int) -> list[Contender]:
    """Those of the named methods, with the rows that they cannot do without.

    DDS: c and u at x_t and at x^_t; warm, those at x^_t are known. Piva: DDS's, psi and phi at x_t; phi trains on the
    row it is scored at, and psi, where it is not stored, on one more, at x^_t.
    """
    stored = {"psi": "stored", "psi_steps": psi_steps}
    known = [
        Contender("dds", "dds", DDS(), DDS(guidance=5.0), DDS(), {COLD: Rows(prior=4), WARM: Rows(prior=2)}),
        Contender(
            "piva", "piva", Piva(), Piva(lam=0.8), Piva(),
            {COLD: Rows(prior=4, psi=1, trained=2), WARM: Rows(prior=2, psi=1, trained=2)},
        ),
        Contender(
            "piva, stored psi", "piva", Piva(aux=stored), Piva(lam=0.8, aux=stored), Piva(),
            {COLD: Rows(prior=4, psi=1, trained=1), WARM: Rows(prior=2, psi=1, trained=1)}, psi_steps,
        ),
    ]  # fmt: skip
    return [contender for contender in known if contender.method in methods]
