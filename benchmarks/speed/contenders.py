"""Who is measured: every method and sampler, with the UNet rows that each needs.

DDS and Piva have literal twins, and Piva is measured with a stored psi besides; a new method joins by itself, at its
defaults.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from benchmarks.costs.cost import Rows as Counted
from benchmarks.costs.cost import needs_of
from piva.methods import METHODS
from piva.methods.dds import DDS
from piva.methods.piva import Piva
from piva.registry import resolve
from piva.sampling import SAMPLERS

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
    differentiated: int = 0  # through the prior alone, with a backward pass to x

    @property
    def forward(self) -> int:
        """Without gradient."""
        return self.prior + self.psi

    @property
    def backward(self) -> int:
        """With a backward pass."""
        return self.trained + self.differentiated


@dataclass(frozen=True)
class Contender:
    """One method configuration."""

    name: str
    method: str  # name of the literal twin's group: several contenders may share a twin
    first: Any  # settings of the first visit
    later: Any  # settings of a later one: same draws, same auxiliaries, another setting
    literal: Any  # settings of the literal twin; None where there is none
    needs: dict[str, Rows]  # visit -> rows
    psi_steps: int = 0  # steps of one trained row each that a cold visit needs before the edit
    share: float = 1.0  # of a run's steps that are made: a sampler leaves some out

    @property
    def has_twin(self) -> bool:
        """Whether there is a literal implementation to be compared with."""
        return self.literal is not None


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
    measured = {contender.method for contender in known}
    others = [_as_it_comes(name) for name in METHODS | SAMPLERS if name in methods and name not in measured]
    return [*(contender for contender in known if contender.method in methods), *others]


def _as_it_comes(name: str) -> Contender:
    """A method at its defaults, without a twin; later visits have another guidance, which draws the same."""
    kind = resolve("method", METHODS | SAMPLERS, name)
    method, needs = kind(), needs_of(kind())
    seen = needs.step - needs.source
    rows = {COLD: _rows(needs.step, method.auxiliaries), WARM: _rows(seen, method.auxiliaries)}
    share = method.t0 if name in SAMPLERS else 1.0
    return Contender(name, name, method, method.model_copy(update={"guidance": 5.0}), None, rows, share=share)


def _rows(counted: Counted, auxiliaries: Sequence[str]) -> Rows:
    """Where auxiliaries train, each is taken to be scored in a row of its own too (VSD's phi)."""
    n = len(auxiliaries)
    if n:
        return Rows(prior=counted.forward - n, psi=n, trained=counted.backward)
    return Rows(prior=counted.forward, differentiated=counted.backward)
