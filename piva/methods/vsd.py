"""VSD, variational score distillation (ProlificDreamer, 2023): w (e(x_t, tgt) - eps_phi(x_t, tgt)).

phi is the prior with low-rank adapters, trained beside the edit on the current pictures, under the target prompt and
without guidance. For: SDS with a model of what it has made so far in the place of plain noise, so that guidance need
not be large and detail survives; the best of the methods that generate, and the upper end of what training an
auxiliary costs. It has no term for the source. It is Piva's second auxiliary without the first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import model_validator

from piva.auxiliary.settings import AuxiliarySettings
from piva.config import identity
from piva.methods.common import MethodSettings
from piva.objectives import vsd_direction
from piva.step import TARGET, Ask, Step, guided, target_aux

if TYPE_CHECKING:
    from torch import Tensor


class VSD(MethodSettings):
    """Variational score distillation: towards the target prompt, away from a model of the current pictures."""

    name: ClassVar[str] = "vsd"
    VERSION: ClassVar[int] = 1
    family: ClassVar[str] = "sds"
    strength: ClassVar[str] = "guidance"
    rows: ClassVar[tuple[int, int]] = (3, 1)  # (2, 1) where aux.phi is fused
    source: ClassVar[str] = "Wang et al., 2023 (ProlificDreamer)"

    t_min: int = identity(20, ge=0)
    """Smallest timestep drawn (VSD: .02 of 1000)."""

    t_max: int = identity(980, ge=0)
    """Largest timestep drawn at the beginning, itself included (VSD: .98 of 1000)."""

    weighting: Literal["constant", "one_minus_abar"] = identity("one_minus_abar")
    """w(t): one_minus_abar (VSD), or constant."""

    t_law: Literal["uniform", "annealed", "decreasing"] = identity("annealed")
    """The t of a step. annealed: drawn below an upper end that falls from t_max to the middle of the range (VSD: at
    once, after a fifth of the run; the straight line is ours). uniform, decreasing: as for every method."""

    aux: AuxiliarySettings = identity(default_factory=lambda: AuxiliarySettings(phi="fresh"))
    """The auxiliary phi, trained on draws of its own after each step (VSD; their warm-up of the learning rate over 500
    of 25,000 steps is left out). What is said of psi does not matter: VSD has none."""

    @model_validator(mode="before")
    @classmethod
    def _trains_on_draws_of_its_own(cls, values: Any) -> Any:
        """Some of phi's settings leave the others at VSD's."""
        aux = values.get("aux") if isinstance(values, dict) else None
        return values | {"aux": {"phi": "fresh"} | aux} if isinstance(aux, dict) else values

    @model_validator(mode="after")
    def _has_no_psi(self) -> VSD:
        if self.aux.psi == "stored":
            raise ValueError("--method.aux.psi stored: vsd has no psi; piva has")
        return self

    @property
    def auxiliaries(self) -> tuple[str, ...]:
        """phi."""
        return ("phi",)

    def direction(self, step: Step, ask: Ask) -> Tensor:
        """w (e(x_t, tgt) - eps_phi(x_t, tgt)), [B,C,H,W]."""
        e = ask(tgt=guided(step.x_t, TARGET, self.guidance), phi=target_aux(step.x_t, TARGET))
        return step.w * vsd_direction(e.tgt, e.phi)
