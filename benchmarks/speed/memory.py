"""Peak memory: each contender in a fresh process, since a peak never goes down again."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from typing import TypeVar

from benchmarks.speed.contenders import CAREFUL, OURS, contenders
from benchmarks.speed.options import Options
from benchmarks.speed.visits import literal_visit, our_visits
from benchmarks.speed.world import World
from piva.devices import peak_bytes

T = TypeVar("T")
STEPS = 3  # memory is the same in every step; rows that ours caches grow with them, and are not in the numbers


@dataclass(frozen=True)
class Peak:
    """Bytes: of the process on the CPU, of torch's allocations on CUDA."""

    edit: int
    loaded: int  # before the edit: packages and weights


def in_new_process(function: Callable[..., T], *args: object) -> T:
    """`function` of the arguments, undisturbed by what this process has done."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as executor:
        return executor.submit(function, *args).result()


def peak(options: Options, contender: str, variant: str, size: int) -> Peak:
    """Peak memory of this process until it has edited a batch of `size` cases."""
    world = World(options)
    (chosen,) = (c for c in contenders(options.methods, STEPS) if c.name == contender)
    prior = world.prior if variant == OURS else world.literal_prior
    loaded = peak_bytes(prior.device) or 0
    if variant == OURS:
        our_visits(world, chosen, STEPS, size)
    else:
        literal_visit(world, chosen, STEPS, careful=variant == CAREFUL)
    return Peak(max(peak_bytes(prior.device) or 0, loaded), loaded)  # the kernel is off by a few pages, either way
