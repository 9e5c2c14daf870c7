"""What an edit needs of a device's memory, from shapes alone: no weights, no GPU.

The prior's own code, the score engine and the training of the auxiliaries run for one step on tensors without numbers
(FakeTensorMode). Every storage counts from the operation that makes it until nothing refers to it.

Assumptions:
- Attention is one fused kernel, as on any recent GPU: of it stay q, k, v, its output and one float32 a query, and
  there is no L x L matrix.
- The UNet and the text encoder are in the number type asked for; the VAE, latents, adapters and AdamW's states are in
  float32. All of it stays on the device.
- No compiled graph, no row or psi from a cache, no decoded images between steps (`image_every`).
- Not counted, and what RESERVE is for: the driver's context, workspaces that kernels allocate for themselves (those of
  the VAE's convolutions above all), the allocator's rounding and fragmentation, the encoding of prompts (before the
  first step, smaller than any UNet call).

Checked on a CPU against autograd's saved tensors, the allocator, and a real edit (tests/test_memory.py); not on a GPU.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from piva.auxiliary.training import AuxiliaryTraining
from piva.course import course_without_numbers
from piva.priors.shapes import PriorShape, WeightlessPrior
from piva.scores import Row, ScoreEngine

VERSION = 1
"""Raised when the same shapes give another estimate."""
RESERVE = 2**30
"""Bytes of a device to leave for what is not counted; ours, a guess that no measurement supports yet."""


@dataclass(frozen=True)
class Memory:
    """Bytes."""

    weights: Mapping[str, int]  # of "unet", "vae", "text_encoder", and the "controlnet" that LoRA adapts
    adapters: int  # parameters of every auxiliary and case, those that do not train included
    optimiser: int  # AdamW's two moments of those that train
    forward: int  # the call without gradient, at its peak, above what is there before it
    saved: int  # what the call with gradient leaves for its backward pass
    step: int  # a whole step at its peak, above weights, adapters and optimiser
    encode: int  # the VAE at the start, at its peak
    decode: int  # and at the end
    peak: int  # all that is there at the fullest moment

    @property
    def needed(self) -> int:
        """A device of so many bytes will do."""
        return self.peak + RESERVE


def estimate(
    shape: PriorShape,
    method: Any,
    batch_size: int,
    dtype: torch.dtype = torch.float16,
    image_size: tuple[int, int] | None = None,
) -> Memory:
    """The memory an edit of `batch_size` cases takes.

    Args:
        method: settings of a method, those of its auxiliaries among them.
        image_size: (H, W); None is the prior's own.
    """
    with FakeTensorMode():
        prior = WeightlessPrior(shape, dtype, image_size)
        parts = {"unet": prior.unet, "vae": prior.vae, "text_encoder": prior.text_encoder}
        if method.auxiliaries and method.aux.kind == "controlnet-lora":
            parts["controlnet"] = prior.auxiliaries.frozen(method.aux)
        meter = Meter(parameter for part in parts.values() for parameter in part.parameters())
        with meter:
            found = _edit(prior, method, batch_size, meter)
    weights = {name: _bytes(part.parameters()) for name, part in parts.items()}
    return Memory(weights=weights, **found, peak=meter.peak)


@dataclass
class Span:
    """What happened within `Meter.span`, in bytes."""

    peak: int = 0  # most that was alive, above what was at its beginning
    kept: int = 0  # what is alive at its end and was not at its beginning


class Meter(TorchDispatchMode):
    """Counts the bytes of tensors that are alive, every storage once; `held` are there from the beginning.

    Tensors of the meta device have none.
    """

    def __init__(self, held: Iterable[Tensor] = ()):
        super().__init__()
        self.live = self.peak = 0
        self._storages: dict[int, weakref.ref[Any]] = {}
        for tensor in held:
            self._count(tensor)

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run the operation, and count what it made."""
        result = func(*args, **(kwargs or {}))
        for leaf in tree_leaves(result):
            if isinstance(leaf, Tensor):
                self._count(leaf)
        return result

    @contextmanager
    def span(self) -> Iterator[Span]:
        """Peak and remainder of what is done within."""
        span, start, peak_before = Span(), self.live, self.peak
        self.peak = start
        yield span
        span.peak, span.kept = self.peak - start, self.live - start
        self.peak = max(self.peak, peak_before)

    def _count(self, tensor: Tensor) -> None:
        if tensor.is_meta:
            return
        storage = tensor.untyped_storage()
        key, size = storage._cdata, storage.nbytes()
        if key in self._storages:
            return

        def gone(_: Any) -> None:
            self.live -= size
            del self._storages[key]

        self._storages[key] = weakref.ref(storage, gone)
        self.live += size
        self.peak = max(self.peak, self.live)


class _MeteredEngine(ScoreEngine):
    """A score engine that measures its calls."""

    def __init__(self, meter: Meter, *arguments: Any, **options: Any):
        super().__init__(*arguments, **options)
        self.meter, self.forward, self.saved = meter, 0, 0

    def call(self, rows: Sequence[Row], members: Sequence[tuple[int, ...]], t: Tensor, *tap: Any) -> list[Tensor]:
        with self.meter.span() as span:
            outputs = super().call(rows, members, t, *tap)
        if torch.is_grad_enabled():
            self.saved = max(self.saved, span.kept)
        else:
            self.forward = max(self.forward, span.peak)
        return outputs


def _edit(prior: WeightlessPrior, method: Any, batch_size: int, meter: Meter) -> dict[str, int]:
    """The course of `piva.editing.edit_batch`, with one step of its loop, as it is when AdamW has its states."""
    with meter.span() as encode:
        z_src = prior.encode(torch.empty(batch_size, 3, *prior.image_size))
    course = course_without_numbers(prior, method, z_src, partial(_MeteredEngine, meter))
    _first_update(course.training)
    with meter.span() as step:
        course.step(1)  # a method may ask for less in its first
    with meter.span() as decode:
        prior.decode(course.z)
    engine: Any = course.engine
    optimizer = course.training.optimizer if course.training else None
    states = optimizer.state.values() if optimizer else ()
    return {
        "adapters": _bytes(p for adapter in course.adapters.values() for p in adapter.parameters()),
        "optimiser": _bytes(value for state in states for value in state.values()),
        "forward": engine.forward, "saved": engine.saved, "step": step.peak,
        "encode": encode.peak, "decode": decode.peak,
    }  # fmt: skip


def _first_update(training: AuxiliaryTraining | None) -> None:
    """What trains is as after a first update: AdamW has its states."""
    if training is None or training.optimizer is None:
        return
    for parameter in training.parameters:
        parameter.grad = torch.empty_like(parameter)
    training.optimizer.step()
    training.optimizer.zero_grad(set_to_none=True)


def _bytes(tensors: Iterable[Tensor]) -> int:
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors)
