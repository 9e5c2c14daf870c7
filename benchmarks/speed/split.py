"""Where the time of a visit goes: sections by name, switched where the engine enters and leaves its parts.

Time belongs to the innermost section; two of them, the training of auxiliaries and of a stored psi, keep all that
happens inside them. What no section claims is the harness within an edit, and the records' outside. On CUDA each
switch waits for the device, so that a split visit takes longer than one that isn't.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import wraps
from typing import Any
from unittest.mock import patch

import torch
from torch.optim.optimizer import register_optimizer_step_post_hook, register_optimizer_step_pre_hook

from piva import editing
from piva.auxiliary.training import AuxiliaryTraining
from piva.noise import DrawPlan
from piva.representations.latent import LatentImages

HARNESS, RECORDS, PSI, AUXILIARY = "harness", "records", "psi", "auxiliary"
ONCE = ("encode", "decode", "text", PSI, RECORDS)
"""Done once an edit, not once a step."""
SECTIONS = {
    "unet": "the UNet without gradient",
    AUXILIARY: "training of auxiliaries: forward, backward, AdamW",
    "representation": "rendering the latent, and the direction's way back into it",
    "optimiser": "the step of theta",
    "scores": "what the engine does around the UNet: noising, packing, cache, guidance, the direction",
    "draws": "keyed timesteps and noise",
    HARNESS: "everything else in an edit: Lightning and its start, the step's log, the mirror",
    "encode": "VAE, images to latents",
    "decode": "VAE, latents to images",
    "text": "prompts",
    PSI: "training of a stored psi, before the edit",
    RECORDS: "outside the edit: the plan, images read and written, records",
}


class Split:
    """A stopwatch with sections; as a context manager it runs from entry to exit.

    Args:
        now: the time, in seconds.
        sections: their names.
        outside: the one that has what no other claims.
    """

    def __init__(self, now: Callable[[], float], sections: Iterable[str] = SECTIONS, outside: str = RECORDS):
        self.now, self.outside = now, outside
        self.seconds = dict.fromkeys(sections, 0.0)
        self.total = 0.0
        self._open: list[str] = []

    def __enter__(self) -> Split:
        self._started = self._last = self.now()
        self._open = [self.outside]
        return self

    def __exit__(self, *exception: object) -> None:
        self._turn()
        self.total, self._open = self._last - self._started, []

    def enter(self, name: str) -> None:
        """Time goes to `name` from here on, unless the section around it keeps all."""
        if self._open:
            self._turn()
            self._open.append(self._open[-1] if self._open[-1] in (PSI, AUXILIARY) else name)

    def go_on_in(self, name: str) -> None:
        """The rest of this section goes to `name`."""
        if self._open:
            self._turn()
            self._open[-1] = name

    def leave(self) -> None:
        """Time goes to the section around this one again."""
        if self._open:
            self._turn()
            self._open.pop()

    def around(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """`function`, whose time goes to `name`."""

        @wraps(function)
        def timed(*args: Any, **kwargs: Any) -> Any:
            self.enter(name)
            try:
                return function(*args, **kwargs)
            finally:
                self.leave()

        return timed

    def _turn(self) -> None:
        now = self.now()
        self.seconds[self._open[-1]] += now - self._last
        self._last = now


@contextmanager
def splitting(split: Split, prior: Any, method: Any) -> Iterator[None]:
    """The engine's parts report to `split` inside this context."""
    parts: list[tuple[Any, str, str]] = [
        (prior, "encode", "encode"),
        (prior, "decode", "decode"),
        (prior, "embed", "text"),
        (prior, "predict", "unet"),
        (editing, "trained_psi", PSI),
        (AuxiliaryTraining, "warm_up", AUXILIARY),
        (AuxiliaryTraining, "score", AUXILIARY),
        (AuxiliaryTraining, "finish_step", AUXILIARY),
        (LatentImages, "forward", "representation"),
        (torch.Tensor, "backward", "representation"),
        (DrawPlan, "at", "draws"),
        (DrawPlan, "normal", "draws"),
        (type(method), "direction" if hasattr(method, "direction") else "edited", "scores"),
    ]
    with reporting(split, parts):
        yield


@contextmanager
def reporting(split: Split, parts: Sequence[tuple[Any, str, str]]) -> Iterator[None]:
    """The functions (owner, attribute, section) report to `split` inside this context, and so do all optimisers."""
    with ExitStack() as stack:
        for owner, attribute, name in parts:
            function = getattr(owner, attribute)
            stack.enter_context(patch.object(owner, attribute, split.around(name, function)))
        before = register_optimizer_step_pre_hook(lambda *_: split.enter("optimiser"))
        after = register_optimizer_step_post_hook(lambda *_: split.leave())
        stack.callback(before.remove)
        stack.callback(after.remove)
        yield
