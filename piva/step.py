"""The contract in the middle: what a method knows of one step, and the words in which it asks for scores.

    def direction(self, step: Step, ask: Ask) -> Tensor:
        e = ask(tgt=guided(step.x_t, TARGET, self.guidance), src=guided(step.x_t_src, SOURCE, self.guidance))
        return step.w * dds_direction(e.tgt, e.src)

A method holds no model and runs no network. It may ask more than once in a step; for a score that can be differentiated
with respect to its input it passes an x that requires grad. `piva/scores.py` answers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, Protocol

from piva.objectives import add_noise

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Prompt:
    """One prompt per case: the caption of the source or the target, or neither, followed by `text`.

    Prompt("src", ", blurry") is every case's own source caption with two words more; Prompt(None, "ugly") is the
    same for all.
    """

    caption: Literal["src", "tgt"] | None
    text: str = ""

    def spelled(self, src: str, tgt: str) -> str:
        """The prompt of a case with these captions."""
        return {"src": src, "tgt": tgt, None: ""}[self.caption] + self.text


SOURCE = Prompt("src")
TARGET = Prompt("tgt")
UNCONDITIONAL = Prompt(None)
CAPTIONS = (UNCONDITIONAL, SOURCE, TARGET)
"""What a method asks with that has no words of its own."""


@dataclass(frozen=True, eq=False)
class Request:
    """A wanted score: the noise predicted in x, by the prior under guidance, or by an auxiliary without."""

    x: Tensor  # [B,C,H,W], noised to the step's t
    prompt: Prompt
    guidance: float = 1.0
    auxiliary: str | None = None
    features: bool = False  # whether the prior's features are wanted too; with a guidance of 1
    cases: tuple[int, ...] | None = None  # those it is wanted for, zeros for the others; None: all

    @property
    def prompts(self) -> tuple[Prompt, ...]:
        """The UNet rows it takes: c and u, or only the one that u + s (c - u) leaves at s = 1 and s = 0."""
        if self.guidance == 1:
            return (self.prompt,)
        return (UNCONDITIONAL,) if self.guidance == 0 else (self.prompt, UNCONDITIONAL)


def guided(x: Tensor, prompt: Prompt, guidance: float) -> Request:
    """The prior's e(x, prompt) = u + guidance (c - u)."""
    return Request(x, prompt, guidance)


def conditional(x: Tensor, prompt: Prompt) -> Request:
    """The prior's c: no guidance, one row."""
    return Request(x, prompt)


def featured(x: Tensor, prompt: Prompt) -> Request:
    """The prior's c, and the features of its self-attention on the way: `ask(tgt=...).features["tgt"]`."""
    return Request(x, prompt, features=True)


def source_aux(x: Tensor, prompt: Prompt) -> Request:
    """eps_psi(x, prompt): the auxiliary of the original renders; never guided."""
    return Request(x, prompt, auxiliary="psi")


def target_aux(x: Tensor, prompt: Prompt) -> Request:
    """eps_phi(x, prompt): the auxiliary of the current renders; never guided."""
    return Request(x, prompt, auxiliary="phi")


class Ask(Protocol):
    """Named requests in, the scores [B,C,H,W] out under the same names, without gradient unless x requires it.

    Where features were requested, `features` has them under the same names: a list of [B,D,h,w], one a layer.
    """

    def __call__(self, **requests: Request) -> Any: ...


@dataclass(frozen=True, eq=False)
class Step:
    """What is known in one step, for a batch of B independent cases."""

    index: int  # 0 .. steps - 1
    z: Tensor  # [B,C,H,W] the current latent, detached
    z_src: Tensor  # [B,C,H,W] the source's
    t: Tensor  # [B] int64, each case has its own
    timesteps: tuple[int, ...]  # t once more, for the host: reading t would wait for the device
    abar: Tensor  # [B,1,1,1] alphas_cumprod at t
    abars: Tensor  # [T] the whole of alphas_cumprod, on the CPU
    eps: Tensor  # [B,C,H,W] shared by source and target branch
    w: Tensor  # [B,1,1,1] w(t)
    draw: Callable[[str], Tensor]  # purpose -> further standard normal numbers [B,C,H,W], keyed as eps is
    progress: float = 0.0  # 0 in the first step of the run, 1 in the last
    notes: dict[str, Tensor] = field(default_factory=dict)

    @cached_property
    def x_t(self) -> Tensor:
        """The current latent, noised: [B,C,H,W]."""
        return add_noise(self.z, self.eps, self.abar)

    @cached_property
    def x_t_src(self) -> Tensor:
        """The source latent, noised with the same t and eps: [B,C,H,W]."""
        return add_noise(self.z_src, self.eps, self.abar)

    def note(self, **terms: Tensor) -> None:
        """Have the size of these terms [B,C,H,W] logged beside the direction's."""
        self.notes.update(terms)
